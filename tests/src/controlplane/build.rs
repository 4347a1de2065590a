//! Builds the control plane's programs once per machine.

use std::fs::{File, TryLockError};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process::Process;

/// Where the programs of a control plane are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The API server's database.
    pub etcd: PathBuf,
    /// The command line client.
    pub kubectl: PathBuf,
    /// Namespace deletion, garbage collection, default service accounts.
    pub kube_controller_manager: PathBuf,
    /// The chart renderer.
    pub helm: PathBuf,
}

/// A program that a Go module below `tests/controlplane` pins.
struct Source {
    name: &'static str,
    package: &'static str,
    /// The folder of the Go module.
    module: &'static str,
    /// Part of envtest, so that `KUBEBUILDER_ASSETS` may hold it.
    asset: bool,
}

const KUBERNETES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane");
const HELM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane/helm");

const SOURCES: [Source; 5] = [
    Source {
        name: "kube-apiserver",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        module: KUBERNETES,
        asset: true,
    },
    Source { name: "etcd", package: "go.etcd.io/etcd/server/v3", module: KUBERNETES, asset: true },
    Source { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl", module: KUBERNETES, asset: true },
    Source {
        name: "kube-controller-manager",
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        module: KUBERNETES,
        asset: false,
    },
    Source { name: "helm", package: "helm.sh/helm/v4/cmd/helm", module: HELM, asset: false },
];

/// The control plane's programs: built into the cache unless they are there, with progress on standard error.
///
/// The cache is `$CONCIERGE_CACHE`, else `concierge` in `$XDG_CACHE_HOME` or `~/.cache`; inside it a change of
/// a go.sum gives another folder. `KUBEBUILDER_ASSETS` (the folder of envtest's kube-apiserver, etcd and
/// kubectl) goes before it. Callers at the same time, also other processes, wait for one build. The first
/// build takes from seven to twenty minutes on two cores and about 4 GB of Go's own caches.
///
/// # Errors
/// When Go is missing or a build fails; the error holds the end of its output.
pub async fn ensure_built() -> Result<Programs> {
    let [kube_apiserver, etcd, kubectl, kube_controller_manager, helm] = ensure(SOURCES.each_ref()).await?;
    Ok(Programs { kube_apiserver, etcd, kubectl, kube_controller_manager, helm })
}

/// The program `name`, one of [`Programs`], for a cluster that is there already: the user's own, from `PATH`,
/// or as [`ensure_built`] builds it.
///
/// # Errors
/// As [`ensure_built`], and when there is no program of that name.
pub async fn ensure_tool(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(own) = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|own| own.is_file()) {
        return Ok(own);
    }
    let source = SOURCES.iter().find(|source| source.name == name);
    let [built] = ensure([source.with_context(|| format!("no source of {name}"))?]).await?;
    Ok(built)
}

async fn ensure<const N: usize>(sources: [&Source; N]) -> Result<[PathBuf; N]> {
    let cache = cache()?;
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let mut paths = Vec::new();
    for source in sources {
        paths.push(source.path(&cache, assets.as_deref())?);
    }
    if paths.iter().any(|path| !path.exists()) {
        let _lock = lock(&cache).await?;
        let missing: Vec<_> = sources.iter().zip(&paths).filter(|(_, path)| !path.exists()).collect();
        for (nth, (source, path)) in missing.iter().enumerate() {
            let of = format!("{} ({}/{})", source.name, nth + 1, missing.len());
            source.build(path, &of).await.with_context(|| format!("can't build {}", source.name))?;
        }
    }
    paths.try_into().ok().context("one path per program")
}

impl Source {
    fn path(&self, cache: &Path, assets: Option<&Path>) -> Result<PathBuf> {
        if let Some(dir) = assets.filter(|_| self.asset) {
            let path = dir.join(self.name);
            if !path.exists() {
                bail!("KUBEBUILDER_ASSETS is set, but there is no {}", path.display());
            }
            return Ok(path);
        }
        let digest = Sha256::digest(self.read("go.sum")?);
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(cache.join(digest).join("bin").join(self.name))
    }

    async fn build(&self, path: &Path, of: &str) -> Result<()> {
        let go = Command::new("go").arg("version").output();
        if go.is_err() {
            bail!(
                "the test control plane is built from source once, which needs Go 1.26 or newer and no `go` was \
                 found: install it from https://go.dev/dl/ (or set KUBEBUILDER_ASSETS to a folder with \
                 kube-apiserver, etcd and kubectl; the controller manager and helm still need Go)"
            );
        }
        let bin = path.parent().context("a program has a folder")?;
        std::fs::create_dir_all(bin).with_context(|| format!("can't make {}", bin.display()))?;
        let part = bin.join(format!(".{}.part", self.name));
        let log = bin.join(format!("{}.log", self.name));
        let _ = std::fs::remove_file(&log);
        let mut go = Command::new("go");
        go.current_dir(self.module).env("CGO_ENABLED", "0").env("GOWORK", "off");
        go.args(["build", "-trimpath", "-ldflags", &self.link_flags()?, "-o"]).arg(&part).arg(self.package);
        let process = Process::spawn_command("go build", &go, &log, None)?;
        show(of, &process).await?;
        std::fs::rename(&part, path).with_context(|| format!("can't write {}", path.display()))?;
        let _ = std::fs::remove_file(&log);
        Ok(())
    }

    /// The version numbers that the release builds of these programs carry.
    fn link_flags(&self) -> Result<String> {
        let go_mod = self.read("go.mod")?;
        let version = |module: &str| {
            let line = go_mod.lines().find_map(|line| {
                line.trim_start_matches("require").trim().strip_prefix(module)?.trim().split(' ').next()
            });
            line.filter(|version| version.starts_with('v')).with_context(|| format!("no version of {module}"))
        };
        if self.module == HELM {
            let helm = version("helm.sh/helm/v4 ")?;
            return Ok(format!("-s -w -X helm.sh/helm/v4/internal/version.version={helm}"));
        }
        let kubernetes = version("k8s.io/kubernetes ")?;
        let mut parts = kubernetes.trim_start_matches('v').split('.');
        let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let base = "k8s.io/component-base/version";
        Ok(format!(
            "-s -w -X {base}.gitVersion={kubernetes} -X {base}.gitMajor={major} -X {base}.gitMinor={minor} \
             -X k8s.io/client-go/pkg/version.gitVersion={kubernetes}"
        ))
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = Path::new(self.module).join(file);
        std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
    }
}

/// Waits for a build and shows that it goes on: a live line on a terminal, else a line at start and end.
async fn show(of: &str, process: &Process) -> Result<()> {
    let (start, live) = (Instant::now(), std::io::stderr().is_terminal());
    if !live {
        say(&format!("building {of}, once per machine\n"));
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let status = loop {
        tokio::select! {
            status = process.wait() => break status?,
            _ = tick.tick(), if live => {
                say(&format!("\r\x1b[2Kbuilding {of}, once per machine: {} s", start.elapsed().as_secs()));
            }
        }
    };
    let clear = if live { "\r\x1b[2K" } else { "" };
    if !status.success() {
        say(clear);
        bail!("`go build` failed ({status}):\n{}", process.log_tail(30));
    }
    say(&format!("{clear}built {of} in {} s\n", start.elapsed().as_secs()));
    Ok(())
}

/// Writes to standard error itself: the test harness would hold back what `eprint!` writes.
fn say(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Takes the lock of the cache; the system frees it when this process ends.
async fn lock(cache: &Path) -> Result<File> {
    std::fs::create_dir_all(cache).with_context(|| format!("can't make the cache {}", cache.display()))?;
    let path = cache.join(".lock");
    let file = File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if told => tokio::time::sleep(Duration::from_millis(200)).await,
            Err(TryLockError::WouldBlock) => say("waiting for another build of the control plane\n"),
            Err(TryLockError::Error(error)) => bail!("can't lock {}: {error}", path.display()),
        }
        told = true;
    }
}

fn cache() -> Result<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = var("CONCIERGE_CACHE")
        .or_else(|| Some(var("XDG_CACHE_HOME")?.join("concierge")))
        .or_else(|| Some(var("HOME")?.join(".cache/concierge")));
    Ok(root.context("no cache folder: set HOME or CONCIERGE_CACHE")?.join("controlplane"))
}
