//! Starts the control plane's programs and waits until they are ready.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube::{Client, Config};
use tokio::sync::{Mutex, OnceCell};

use super::build::ensure;
use super::keys::{Authority, Identity};
use super::ports::free_ports;
use super::user::{self, Credential};
use super::{Apiserver, Builder, ControlPlane};
use crate::kubectl::{Kubectl, Tool};
use crate::process::{Process, Signal};

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
        let [apiserver, etcd, kubectl] = ensure(["kube-apiserver", "etcd", "kubectl"]).await?;
        let programs = Programs { apiserver, etcd, kubectl };
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
        let ports = free_ports(2 + self.apiservers)?;
        let [etcd_port, peer_port, ref server_ports @ ..] = ports[..] else {
            bail!("too few ports");
        };
        let authority = Authority::create(dir.path())?;
        let urls: Vec<String> = server_ports.iter().map(|port| format!("https://127.0.0.1:{port}")).collect();
        let layout = Layout {
            dir: dir.path(),
            ca: authority.cert(),
            server: authority.server()?,
            tokens: authority.token_key()?,
        };
        let identity = authority.client("admin", "admin", &["system:masters"])?;
        let admin = kubeconfig_path(dir.path(), "admin");
        user::write_kubeconfig(&admin, &urls, &layout.ca, &Credential::Certificate(&identity))?;

        let etcd_url = format!("http://127.0.0.1:{etcd_port}");
        let etcd = layout.etcd(&programs.etcd, &etcd_url, peer_port)?;
        ready(&etcd, "/readyz", Config::new(etcd_url.parse()?)).await?;
        let mut apiservers = Vec::new();
        for (number, port) in server_ports.iter().enumerate() {
            let args = layout.apiserver_args(*port, &etcd_url, &self.apiserver_args);
            let program = programs.apiserver.clone();
            let process = Mutex::new(spawn(dir.path(), &apiserver_name(number), &program, &args)?);
            apiservers.push(Apiserver { process, program, args });
        }
        for (number, apiserver) in apiservers.iter().enumerate() {
            let process = apiserver.process.lock().await;
            ready(&process, "/readyz", user::config(&admin, number).await?).await?;
        }
        let kubectl = Kubectl::new(&programs.kubectl, &admin, &dir.path().join("kubectl"));
        let admin = user::User { kubeconfig: admin, kubectl };
        let Layout { server, tokens, .. } = layout;
        let (controller_manager, helm) = (OnceCell::new(), OnceCell::new());
        let plane = ControlPlane {
            controller_manager,
            apiservers,
            etcd,
            authority,
            server,
            tokens,
            urls,
            etcd_url,
            admin,
            helm,
            dir,
        };
        plane.controller_manager.get_or_try_init(|| plane.controllers()).await?;
        Ok(plane)
    }
}

/// What is needed at once.
struct Programs {
    apiserver: PathBuf,
    etcd: PathBuf,
    kubectl: PathBuf,
}

/// What the programs have in common.
struct Layout<'a> {
    dir: &'a Path,
    ca: PathBuf,
    server: Identity,
    tokens: Identity,
}

impl Layout<'_> {
    /// Its guard also removes the folder when this process is gone.
    fn etcd(&self, program: &Path, url: &str, peer_port: u16) -> Result<Process> {
        let peer = format!("http://127.0.0.1:{peer_port}");
        let mut command = std::process::Command::new(program);
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

    fn apiserver_args(&self, port: u16, etcd: &str, more: &[String]) -> Vec<String> {
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
        args
    }
}

impl ControlPlane {
    pub(super) async fn restart(&self, number: usize) -> Result<()> {
        let server = &self.apiservers[number];
        let mut process = server.process.lock().await;
        process.signal(Signal::Kill)?;
        process.wait().await?;
        *process = spawn(self.dir(), &apiserver_name(number), &server.program, &server.args)?;
        ready(&process, "/readyz", user::config(self.kubeconfig(), number).await?).await
    }

    /// Starts the controller manager and waits until its controllers are at work; builds it before, if needed.
    async fn controllers(&self) -> Result<Process> {
        let name = "kube-controller-manager";
        let [program] = ensure([name]).await?;
        let identity = self.authority.client(name, "system:kube-controller-manager", &[])?;
        let kubeconfig = kubeconfig_path(self.dir(), name);
        let credential = Credential::Certificate(&identity);
        user::write_kubeconfig(&kubeconfig, self.urls(), &self.authority.cert(), &credential)?;
        let mut tries = 3;
        loop {
            tries -= 1;
            let args = self.controller_manager_args(&kubeconfig, free_ports(1)?[0]);
            let process = spawn(self.dir(), name, &program, &args)?;
            // Its own readiness comes before its controllers'; this is made by one of them.
            let account = "/api/v1/namespaces/default/serviceaccounts/default";
            match ready(&process, account, user::config(self.kubeconfig(), 0).await?).await {
                Err(error) if tries > 0 && format!("{error:#}").contains(PORT_TAKEN) => {}
                result => return result.map(|()| process),
            }
        }
    }

    fn controller_manager_args(&self, kubeconfig: &Path, port: u16) -> Vec<String> {
        let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
        vec![
            file("kubeconfig", kubeconfig),
            file("tls-cert-file", &self.server.cert),
            file("tls-private-key-file", &self.server.key),
            file("service-account-private-key-file", &self.tokens.key),
            file("root-ca-file", &self.authority.cert()),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--use-service-account-credentials".to_owned(),
            "--leader-elect=false".to_owned(),
            // Tests wait for what its controllers do; its default of 20 requests a second is for real clusters.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
        ]
    }
}

/// helm as the user of `kubeconfig`, with all that it keeps below `dir`.
pub(super) async fn helm(dir: &Path, kubeconfig: &Path) -> Result<Tool> {
    let [program] = ensure(["helm"]).await?;
    let home = dir.join("helm");
    let tool = Tool::new(&program, kubeconfig)
        .env("HELM_CACHE_HOME", &home.join("cache"))
        .env("HELM_CONFIG_HOME", &home.join("config"))
        .env("HELM_DATA_HOME", &home.join("data"))
        .env("KUBECACHEDIR", &home.join("kube"));
    Ok(tool)
}

fn apiserver_name(number: usize) -> String {
    format!("kube-apiserver-{number}")
}

fn spawn(dir: &Path, name: &str, program: &Path, args: &[String]) -> Result<Process> {
    let mut command = std::process::Command::new(program);
    command.args(args);
    Process::spawn_command(name, &command, &dir.join(format!("{name}.log")), None)
}

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
