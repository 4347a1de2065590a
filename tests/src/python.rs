//! Python packages that the tests use: a virtual environment for each list of pinned packages, made once per machine.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tokio::process::Command;

/// The Python that has the packages of `requirements`: a virtual environment in the cache, made unless it is there.
/// `what` names them in errors.
///
/// The cache is `$CONCIERGE_CACHE`, else `concierge` in `$XDG_CACHE_HOME` or `~/.cache`; a change of the pinned
/// versions gives another folder. Callers at the same time, also other processes, wait for one installation.
///
/// # Errors
/// When there is no python3 with venv and pip, or the packages can't be had; the error says what to do.
pub async fn ensure(what: &str, requirements: &str) -> Result<PathBuf> {
    let digest: String =
        Sha256::digest(requirements).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let cache = cache("python")?;
    let home = cache.join(digest);
    let python = home.join("bin").join("python");
    if home.join("complete").exists() {
        return Ok(python);
    }
    let _lock = lock(&cache).await?;
    if !home.join("complete").exists() {
        install(what, requirements, &home, &python).await?;
    }
    Ok(python)
}

async fn install(what: &str, requirements: &str, home: &Path, python: &Path) -> Result<()> {
    let list = home.join("requirements.txt");
    must(what, Command::new("python3").args(["-m", "venv", "--clear"]).arg(home)).await?;
    std::fs::write(&list, requirements).with_context(|| format!("can't write {}", home.display()))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    must(what, Command::new(python).args(pip).arg(&list)).await?;
    std::fs::write(home.join("complete"), "").with_context(|| format!("can't write {}", home.display()))
}

async fn must(what: &str, command: &mut Command) -> Result<()> {
    let remedy = format!(
        "{what} is installed once per machine, which needs python3 (3.9 or newer) with venv and pip, and a package \
         index that pip can reach"
    );
    succeed(&remedy, command).await.map(drop)
}

/// What `command` prints; when it fails, the error ends with `remedy`.
pub(crate) async fn succeed(remedy: &str, command: &mut Command) -> Result<String> {
    let shown = format!("{:?}", command.as_std());
    let output = command.kill_on_drop(true).output().await;
    let output = output.with_context(|| format!("can't run {shown}: {remedy}"))?;
    if !output.status.success() {
        bail!("{shown} failed: {remedy}\n{}", text(&output.stdout, &output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Takes the lock of the cache; the system frees it when this process ends.
pub(crate) async fn lock(cache: &Path) -> Result<File> {
    std::fs::create_dir_all(cache).with_context(|| format!("can't make the cache {}", cache.display()))?;
    let path = cache.join(".lock");
    let file = File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await?;
    locked.with_context(|| format!("can't lock {}", path.display()))
}

/// The folder `name` in the cache: `$CONCIERGE_CACHE`, else `concierge` in `$XDG_CACHE_HOME` or `~/.cache`.
pub(crate) fn cache(name: &str) -> Result<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = var("CONCIERGE_CACHE")
        .or_else(|| Some(var("XDG_CACHE_HOME")?.join("concierge")))
        .or_else(|| Some(var("HOME")?.join(".cache/concierge")));
    Ok(root.context("no cache folder: set HOME or CONCIERGE_CACHE")?.join(name))
}

/// Both outputs of a program.
pub fn text(stdout: &[u8], stderr: &[u8]) -> String {
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}
