//! The peer: a webhook as most are written, with controller-runtime, in Go. It has the same rules, looks things up in maps,
//! and is built on demand from the module `tests/peer`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{Process, built_program};

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peer");

/// Builds the peer beside our programs; where it is. The first build on a machine takes minutes.
///
/// # Errors
/// When there is no Go, or the build fails.
pub async fn build() -> Result<PathBuf> {
    let folder = built_program("bench")?.parent().context("a program has a folder")?.to_owned();
    let (program, log) = (folder.join("peer"), folder.join("peer-build.log"));
    eprintln!("building the peer");
    let mut go = Command::new("go");
    go.current_dir(MODULE).env("CGO_ENABLED", "0").env("GOWORK", "off");
    go.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(&program).arg(".");
    let built = Process::spawn_command("go build", &go, &log, None)
        .context("the peer needs Go 1.26 or newer; leave it out with --without-peer")?;
    let status = built.wait().await?;
    anyhow::ensure!(status.success(), "the peer can't be built:\n{}", built.log_tail(30));
    Ok(program)
}

/// Starts it with the certificate and key in these files, in a folder of its own.
///
/// # Errors
/// When a file can't be copied or it does not start.
pub fn start(program: &Path, certificate: &Path, key: &Path, dir: &Path, log: &Path) -> Result<Process> {
    fs::create_dir_all(dir)?;
    fs::copy(certificate, dir.join("tls.crt"))?;
    fs::copy(key, dir.join("tls.key"))?;
    let none: [(&str, &str); 0] = [];
    Process::spawn("peer", program, [dir.as_os_str()], none, log)
}
