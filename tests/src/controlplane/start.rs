//! Starts the control plane's programs and waits until they are ready.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube::{Client, Config};

use super::build::Programs;
use super::keys::{Authority, Identity};
use super::user::{self, Credential};
use super::{Builder, ControlPlane};
use crate::kubectl::{Kubectl, Tool};
use crate::process::Process;

/// How long a program may take to become ready on a machine that is busy with other things.
const READY: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);
/// What a program logs when another one took its port.
const PORT_TAKEN: &str = "address already in use";

impl Builder {
    /// Starts the control plane and waits until it is ready; builds its programs before, if needed.
    ///
    /// # Errors
    /// When a program can't be built or does not become ready: the error holds the end of its log.
    pub async fn start(self) -> Result<ControlPlane> {
        // Not the first when another client has installed one, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = super::ensure_built().await?;
        let mut tries = 3;
        loop {
            tries -= 1;
            match self.attempt(&programs).await {
                Err(error) if tries > 0 && format!("{error:#}").contains(PORT_TAKEN) => {}
                result => return result,
            }
        }
    }

    async fn attempt(&self, programs: &Programs) -> Result<ControlPlane> {
        let dir = tempfile::Builder::new().prefix("concierge-").tempdir().context("no temporary folder")?;
        let ports = free_ports(3 + self.apiservers)?;
        let [etcd_port, peer_port, manager_port, ref server_ports @ ..] = ports[..] else {
            bail!("too few ports");
        };
        let authority = Authority::create(dir.path())?;
        let urls: Vec<String> = server_ports.iter().map(|port| format!("https://127.0.0.1:{port}")).collect();
        let layout = Layout {
            dir: dir.path(),
            programs,
            ca: authority.cert(),
            server: authority.server()?,
            tokens: authority.token_key()?,
        };
        let kubeconfig = |name: &str, user: &str, groups: &[&str]| -> Result<PathBuf> {
            let identity = authority.client(name, user, groups)?;
            let path = layout.kubeconfig(name);
            user::write_kubeconfig(&path, &urls, &layout.ca, &Credential::Certificate(&identity))?;
            Ok(path)
        };
        let admin = kubeconfig("admin", "admin", &["system:masters"])?;
        let manager = kubeconfig("kube-controller-manager", "system:kube-controller-manager", &[])?;

        let etcd_url = format!("http://127.0.0.1:{etcd_port}");
        let etcd = layout.etcd(&etcd_url, peer_port)?;
        ready(&etcd, "/readyz", Config::new(etcd_url.parse()?)).await?;
        let mut apiservers = Vec::new();
        for (number, port) in server_ports.iter().enumerate() {
            apiservers.push(layout.apiserver(number, *port, &etcd_url, &self.apiserver_args)?);
        }
        let controller_manager = layout.controller_manager(&manager, manager_port)?;
        for (number, apiserver) in apiservers.iter().enumerate() {
            ready(apiserver, "/readyz", user::config(&admin, number).await?).await?;
        }
        // Its own readiness comes before its controllers'; this is made by one of them.
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        ready(&controller_manager, account, user::config(&admin, 0).await?).await?;

        let kubectl = Kubectl::new(&programs.kubectl, &admin, &dir.path().join("kubectl"));
        let admin = user::User { kubeconfig: admin, kubectl };
        let helm = layout.helm(admin.kubeconfig());
        Ok(ControlPlane { controller_manager, apiservers, etcd, authority, urls, admin, helm, dir })
    }
}

/// What the programs have in common.
struct Layout<'a> {
    dir: &'a Path,
    programs: &'a Programs,
    ca: PathBuf,
    server: Identity,
    tokens: Identity,
}

impl Layout<'_> {
    fn kubeconfig(&self, name: &str) -> PathBuf {
        kubeconfig_path(self.dir, name)
    }

    /// Its guard also removes the folder when this process is gone.
    fn etcd(&self, url: &str, peer_port: u16) -> Result<Process> {
        let peer = format!("http://127.0.0.1:{peer_port}");
        let mut command = std::process::Command::new(&self.programs.etcd);
        command.arg("--data-dir").arg(self.dir.join("etcd")).args([
            &format!("--listen-client-urls={url}"),
            &format!("--advertise-client-urls={url}"),
            &format!("--listen-peer-urls={peer}"),
            &format!("--initial-advertise-peer-urls={peer}"),
            &format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync",
            // The only member elects itself, but not before this time: a second by default.
            "--heartbeat-interval=10",
            "--election-timeout=100",
            "--log-level=warn",
        ]);
        Process::spawn_command("etcd", &command, &self.dir.join("etcd.log"), Some(self.dir))
    }

    fn apiserver(&self, number: usize, port: u16, etcd: &str, more: &[String]) -> Result<Process> {
        let name = format!("kube-apiserver-{number}");
        let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
        let mut args = vec![
            format!("--etcd-servers={etcd}"),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            // The addresses of `kubernetes.default` can't be loopback, and nothing here uses them.
            "--endpoint-reconciler-type=none".to_owned(),
            file("tls-cert-file", &self.server.cert),
            file("tls-private-key-file", &self.server.key),
            file("client-ca-file", &self.ca),
            file("service-account-key-file", &self.tokens.cert),
            file("service-account-signing-key-file", &self.tokens.key),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--profiling=false".to_owned(),
        ];
        args.extend_from_slice(more);
        self.spawn(&name, &self.programs.kube_apiserver, &args)
    }

    fn controller_manager(&self, kubeconfig: &Path, port: u16) -> Result<Process> {
        let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
        let args = [
            file("kubeconfig", kubeconfig),
            file("tls-cert-file", &self.server.cert),
            file("tls-private-key-file", &self.server.key),
            file("service-account-private-key-file", &self.tokens.key),
            file("root-ca-file", &self.ca),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--use-service-account-credentials".to_owned(),
            "--leader-elect=false".to_owned(),
            // Tests wait for what its controllers do; its default of 20 requests a second is for real clusters.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
        ];
        self.spawn("kube-controller-manager", &self.programs.kube_controller_manager, &args)
    }

    fn helm(&self, kubeconfig: &Path) -> Tool {
        let home = self.dir.join("helm");
        Tool::new(&self.programs.helm, kubeconfig)
            .env("HELM_CACHE_HOME", &home.join("cache"))
            .env("HELM_CONFIG_HOME", &home.join("config"))
            .env("HELM_DATA_HOME", &home.join("data"))
            .env("KUBECACHEDIR", &home.join("kube"))
    }

    fn spawn(&self, name: &str, program: &Path, args: &[String]) -> Result<Process> {
        let mut command = std::process::Command::new(program);
        command.args(args);
        Process::spawn_command(name, &command, &self.dir.join(format!("{name}.log")), None)
    }
}

/// Where the kubeconfig of `name` is.
pub(super) fn kubeconfig_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.kubeconfig"))
}

/// Waits until a GET of `path` at the server of `config` succeeds, which says that `process` is ready.
async fn ready(process: &Process, path: &str, config: Config) -> Result<()> {
    let end = Instant::now() + READY;
    let client = Client::try_from(config)?;
    loop {
        let request = axum::http::Request::get(path).body(Vec::new())?;
        match client.request_text(request).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => {
                bail!("{} is not ready: {error}\n{}", process.name(), process.log_tail(30))
            }
            Err(_) if let Some(status) = process.exited() => {
                bail!("{} ended ({status}):\n{}", process.name(), process.log_tail(30))
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// Ports of loopback that nobody listens at, from below the range the system takes ports of outgoing
/// connections from: those are never taken between this and the program's start.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let mut held = Vec::new();
    for _ in 0..10_000 {
        if held.len() == count {
            break;
        }
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(10_240..32_768))));
    }
    if held.len() < count {
        bail!("no {count} free ports");
    }
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
