//! The project's checks: `make test`, `make soak`, `make lint`, `make generate`.
//!
//! | command | what it runs |
//! |---|---|
//! | `lint` | formatting, clippy, cargo-deny |
//! | `test` | lint, then all tests but those that are marked `#[ignore = "soak"]`, then the demo |
//! | `soak` | the tests that are marked `#[ignore = "soak"]` |
//! | `all` | both, with one sum at the end |
//! | `generate` | writes what derives from the kinds |
//!
//! `test` says how many tests it leaves to `soak`. A test that plays a sample says so, and plays everything when `FULL=1`.

mod deny;
mod programs;
mod report;
mod tally;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use self::report::{Report, cargo};

/// The project's checks and generated files.
#[derive(Clone, Copy, Debug, Parser)]
enum Suite {
    /// Run everything that has to pass before a change is handed on
    Test,
    /// Run what takes long: exhaustive walks, storms, kills, rotations, races, faults; FULL=1 samples nothing
    Soak,
    /// Run test, then soak
    All,
    /// Look at the code without running it
    Lint,
    /// Write anew what derives from the kinds: the chart's files and the docs of rules and kinds
    Generate,
}

/// Builds all that is run below, once.
const BUILD: [&str; 3] = ["build", "--workspace", "--all-targets"];
/// The control plane is built by a program of the tests.
const CONTROL_PLANE: [&str; 6] = ["run", "--quiet", "--bin", "controlplane", "--", "build"];
const EXAMPLES: [&str; 6] = ["test", "--workspace", "--doc", "--no-fail-fast", "--", "--show-output"];
const DEMO: [&str; 7] = ["run", "--quiet", "--bin", "demo", "--", "--mode", "once"];

fn main() -> ExitCode {
    match run(Suite::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(suite: Suite) -> Result<ExitCode> {
    let mut report = Report::default();
    match suite {
        Suite::Test => {
            lint(&mut report)?;
            test(&mut report)?;
        }
        Suite::Soak => {
            build(&mut report)?;
            soak(&mut report)?;
        }
        Suite::All => {
            lint(&mut report)?;
            test(&mut report)?;
            soak(&mut report)?;
        }
        Suite::Lint => lint(&mut report)?,
        Suite::Generate => return generate(),
    }
    Ok(report.end())
}

fn lint(report: &mut Report) -> Result<()> {
    report.cargo(&["fmt", "--all", "--check"])?;
    report.cargo(&["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"])?;
    report.program(&deny::program()?, &deny::CHECK)?;
    Ok(())
}

fn build(report: &mut Report) -> Result<()> {
    report.cargo(&BUILD)?;
    report.cargo(&CONTROL_PLANE)
}

fn test(report: &mut Report) -> Result<()> {
    build(report)?;
    report.tests(&["--show-output"])?;
    report.cargo(&EXAMPLES)?;
    report.cargo(&DEMO)
}

fn soak(report: &mut Report) -> Result<()> {
    if std::env::var_os("FULL").is_none_or(|full| full.is_empty()) {
        report.left_out("where a sample is played, the test says so; all of it: make soak FULL=1");
        report.left_out("the image is neither built nor run: make release-test, or make soak FULL=1");
    }
    report.tests(&["--ignored", "--show-output"])?;
    report.nothing_is_left();
    Ok(())
}

fn generate() -> Result<ExitCode> {
    let chart: &[&str] =
        &["run", "--quiet", "--bin", "concierge-webhook", "--", "manifests", "--chart", "charts/concierge"];
    for program in [chart, &["run", "--quiet", "--bin", "docs"]] {
        if !cargo(program).status()?.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
