//! The shop's official client (Python package `terminal-shop`), installed once per machine.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tokio::process::Command;

const REQUIREMENTS: &str = include_str!("sdk_requirements.txt");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/shop/sdk_check.py");

/// What the script is to do.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// Call every operation and check every answer.
    All,
    /// Place one order for 1 segfault, with the client's own repeats.
    Order,
}

/// Runs the official client against a shop, for the account `trm_test_sdk`.
///
/// # Errors
/// When the client can't be installed, or a check fails; the error holds the script's output.
pub async fn run(job: Job, url: &str) -> Result<()> {
    let python = ensure_installed().await?;
    let job = match job {
        Job::All => "all",
        Job::Order => "order",
    };
    // A proxy of the environment must not stand between the script and this machine.
    let mut command = Command::new(python);
    command.args([SCRIPT, job, url]).env("NO_PROXY", "127.0.0.1").kill_on_drop(true);
    let output = command.output().await.context("can't start the official client")?;
    if !output.status.success() || output.stdout != b"ok\n" {
        bail!(
            "the official client does not agree with the fake shop:\n{}",
            text(&output.stdout, &output.stderr)
        );
    }
    Ok(())
}

/// The Python that has the client: a virtual environment in the cache, made unless it is there.
///
/// The cache is `$CONCIERGE_CACHE`, else `concierge` in `$XDG_CACHE_HOME` or `~/.cache`; a change of the pinned
/// versions gives another folder. Callers at the same time, also other processes, wait for one installation.
///
/// # Errors
/// When there is no python3 with venv and pip, or the packages can't be had; the error says what to do.
pub async fn ensure_installed() -> Result<PathBuf> {
    let digest: String =
        Sha256::digest(REQUIREMENTS).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let cache = cache()?;
    let home = cache.join(digest);
    let python = home.join("bin").join("python");
    if home.join("complete").exists() {
        return Ok(python);
    }
    let _lock = lock(&cache).await?;
    if !home.join("complete").exists() {
        install(&home, &python).await?;
    }
    Ok(python)
}

async fn install(home: &Path, python: &Path) -> Result<()> {
    let requirements = home.join("requirements.txt");
    must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home)).await?;
    std::fs::write(&requirements, REQUIREMENTS).with_context(|| format!("can't write {}", home.display()))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    must(Command::new(python).args(pip).arg(&requirements)).await?;
    std::fs::write(home.join("complete"), "").with_context(|| format!("can't write {}", home.display()))
}

async fn must(command: &mut Command) -> Result<()> {
    let shown = format!("{:?}", command.as_std());
    let remedy = "the shop's official client is installed once per machine, which needs python3 (3.9 or newer) \
                  with venv and pip, and a package index that pip can reach";
    let output = command.kill_on_drop(true).output().await;
    let output = output.with_context(|| format!("can't run {shown}: {remedy}"))?;
    if !output.status.success() {
        bail!("{shown} failed: {remedy}\n{}", text(&output.stdout, &output.stderr));
    }
    Ok(())
}

/// Takes the lock of the cache; the system frees it when this process ends.
async fn lock(cache: &Path) -> Result<File> {
    std::fs::create_dir_all(cache).with_context(|| format!("can't make the cache {}", cache.display()))?;
    let path = cache.join(".lock");
    let file = File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await?;
    locked.with_context(|| format!("can't lock {}", path.display()))
}

fn cache() -> Result<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = var("CONCIERGE_CACHE")
        .or_else(|| Some(var("XDG_CACHE_HOME")?.join("concierge")))
        .or_else(|| Some(var("HOME")?.join(".cache/concierge")));
    Ok(root.context("no cache folder: set HOME or CONCIERGE_CACHE")?.join("shop-sdk"))
}

fn text(stdout: &[u8], stderr: &[u8]) -> String {
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}
