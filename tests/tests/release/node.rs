//! A node: containerd, which runs containers of a pod as the chart describes them.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use concierge_tests::PATIENCE;
use concierge_tests::process::Process;
use concierge_tests::stack;
use serde_json::Value;
use tempfile::TempDir;

use super::run;

/// Where a pod finds its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What `drop: [ALL]` takes from what containerd gives.
const CAPABILITIES: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// Containers end before their containerd.
pub(crate) struct Node {
    containers: Vec<Process>,
    containerd: Process,
    dir: TempDir,
}

/// How a running container is confined.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Confined {
    pub(crate) user: String,
    pub(crate) capabilities: String,
    pub(crate) read_only: bool,
}

impl Node {
    pub(crate) async fn start() -> Result<Node> {
        let dir = tempfile::Builder::new().prefix("concierge-node-").tempdir()?;
        let path = dir.path().display();
        let config = dir.path().join("config.toml");
        let text = format!(
            "version = 2\nroot = \"{path}/root\"\nstate = \"{path}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{path}/socket\"\n"
        );
        fs::write(&config, text)?;
        let log = dir.path().join("containerd.log");
        let args = ["--config".as_ref(), config.as_os_str()];
        let containerd = Process::spawn("containerd", "containerd", args, [("", ""); 0], &log)
            .context("this test needs root and Debian's packages containerd and runc")?;
        let node = Node { containers: Vec::new(), containerd, dir };
        let end = Instant::now() + PATIENCE;
        while !node.ctr().arg("version").output()?.status.success() {
            ensure!(Instant::now() < end, "containerd does not answer:\n{}", node.containerd.log_tail(20));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(node)
    }

    /// `ctr`, in the namespace that kubelet uses.
    pub(crate) fn ctr(&self) -> Command {
        let mut ctr = Command::new("ctr");
        ctr.arg("--address").arg(self.dir.path().join("socket")).args(["--namespace", "k8s.io"]);
        ctr
    }

    /// Writes what a pod gets of its service account.
    pub(crate) fn account(&self, kubeconfig: &Path, namespace: &str) -> Result<()> {
        let config: Value = serde_json::from_slice(&fs::read(kubeconfig)?)?;
        let folder = self.dir.path().join("account");
        fs::create_dir_all(&folder)?;
        let token = config["users"][0]["user"]["token"].as_str().context("no token")?;
        let ca =
            config["clusters"][0]["cluster"]["certificate-authority"].as_str().context("no authority")?;
        let ca = fs::read_to_string(ca)?;
        for (name, text) in [("token", token), ("ca.crt", &ca), ("namespace", namespace)] {
            let file = folder.join(name);
            fs::write(&file, text)?;
            fs::set_permissions(file, fs::Permissions::from_mode(0o644))?;
        }
        Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?)
    }

    /// Runs `container` of a rendered pod; how long it takes until `/readyz` of `admin` answers.
    pub(crate) async fn run(&mut self, container: &Value, api: &str, admin: SocketAddr) -> Result<Duration> {
        let name = container["name"].as_str().context("no name")?;
        let mut ctr = self.ctr();
        ctr.args(["run", "--rm", "--net-host", "--seccomp"]);
        ctr.args(CAPABILITIES.iter().flat_map(|name| ["--cap-drop".to_owned(), format!("CAP_{name}")]));
        ensure!(container["securityContext"]["capabilities"]["drop"][0] == "ALL");
        ensure!(container["securityContext"]["readOnlyRootFilesystem"] == true);
        // As the image's own user, which `fits` has compared with the pod's: `ctr` takes no other.
        ctr.arg("--read-only");
        let account = self.dir.path().join("account");
        let mount = format!("type=bind,src={},dst={ACCOUNT},options=rbind:ro", account.display());
        let (host, port) = api.trim_start_matches("https://").split_once(':').context("no port")?;
        ctr.args(["--mount", &mount]);
        for (name, value) in [
            ("KUBERNETES_SERVICE_HOST", host),
            ("KUBERNETES_SERVICE_PORT", port),
            ("POD_NAME", name),
            ("POD_NAMESPACE", stack::NAMESPACE),
        ] {
            ctr.args(["--env", &format!("{name}={value}")]);
        }
        ctr.args([container["image"].as_str().context("no image")?, name]);
        for list in ["command", "args"] {
            ctr.args(container[list].as_array().context("no command")?.iter().filter_map(Value::as_str));
        }
        let log = self.dir.path().join(format!("{name}.log"));
        let start = Instant::now();
        let process = Process::spawn_command(name, &ctr, &log, None)?;
        let ready = loop {
            if stack::get(admin, "/readyz").await.is_ok_and(|answer| answer.starts_with("ok")) {
                break start.elapsed();
            }
            let waits = process.exited().is_none() && start.elapsed() < PATIENCE;
            ensure!(waits, "{name} does not get ready:\n{}", process.log_tail(20));
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        self.containers.push(process);
        Ok(ready)
    }

    /// How the container `name` is confined, as the kernel says.
    pub(crate) fn confined(&self, name: &str) -> Result<Confined> {
        let tasks = run(self.ctr().args(["task", "list"]));
        let line = tasks.lines().find(|line| line.starts_with(name)).with_context(|| tasks.clone())?;
        let process = PathBuf::from("/proc").join(line.split_whitespace().nth(1).context("no process")?);
        let status = fs::read_to_string(process.join("status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let mounts = fs::read_to_string(process.join("mountinfo"))?;
        let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).context("no root")?;
        let options = root.split(' ').nth(5).context("no options")?;
        Ok(Confined {
            user: field("Uid:"),
            capabilities: field("CapPrm:"),
            read_only: options.split(',').any(|option| option == "ro"),
        })
    }

    /// Asks all containers to end, and waits until they have.
    pub(crate) async fn end(mut self) -> Result<()> {
        for container in self.containers.drain(..) {
            container.signal(concierge_tests::process::Signal::Term)?;
            let status = container.wait().await?;
            ensure!(
                status.success(),
                "{} ended with {status}:\n{}",
                container.name(),
                container.log_tail(20)
            );
        }
        Ok(())
    }
}

/// Whatever a failed test has left running.
impl Drop for Node {
    fn drop(&mut self) {
        for container in std::mem::take(&mut self.containers) {
            let _ = self.ctr().args(["task", "kill", "--signal", "SIGKILL", container.name()]).output();
        }
    }
}
