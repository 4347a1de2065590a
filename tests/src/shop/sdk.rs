//! The shop's official client (Python package `terminal-shop`).

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::python::{self, text};

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
    let python = python::ensure("the shop's official client", REQUIREMENTS).await?;
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
