//! The project's checks: `make test`, `make soak`, `make lint`, `make generate`.
//!
//! | command | what it runs |
//! |---|---|
//! | `lint` | formatting, clippy, cargo-deny |
//! | `test` | lint, then all tests but those that are marked `#[ignore = "soak"]`, and the demo |
//! | `soak` | the tests that are marked `#[ignore = "soak"]`, but what only `FULL=1` builds and runs, which is named at the end |
//! | `all` | both, with one sum at the end |
//! | `generate` | writes what derives from the kinds |
//!
//! `test` says how many tests it leaves to `soak`. A test that plays a sample says so, and plays everything when `FULL=1`.

mod command;
mod deny;
mod programs;
mod report;
mod tally;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use self::command::cargo;
use self::report::Report;

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

/// Tests that take longer than the rest of soak together: they are not begun, so that none passes that did nothing. The image has to be built.
const LEFT_TO_FULL: [&str; 1] = ["the_image_runs_as_the_chart_says"];

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
    report.cargo(&EXAMPLES)
}

fn soak(report: &mut Report) -> Result<()> {
    let is_full = std::env::var_os("FULL").is_some_and(|full| !full.is_empty());
    if !is_full {
        report.left_out("where a sample is played, the test says so; all of it: make soak FULL=1");
        let (number, names) = (LEFT_TO_FULL.len(), LEFT_TO_FULL.join(", "));
        report.left_out(&format!(
            "{number} of the tests is left to make release-test and make soak FULL=1: {names}"
        ));
    }
    report.tests(&soak_args(is_full))?;
    report.nothing_is_left();
    Ok(())
}

fn soak_args(is_full: bool) -> Vec<&'static str> {
    let left_out = LEFT_TO_FULL.iter().filter(|_| !is_full).flat_map(|name| ["--skip", name]);
    ["--ignored", "--show-output"].into_iter().chain(left_out).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_to_full_is_a_test_that_is_skipped_and_named() {
        let tests = std::fs::read_to_string(command::project().join("tests/tests/release/image.rs")).unwrap();
        for name in LEFT_TO_FULL {
            assert!(tests.contains(&format!("#[ignore = \"soak\"]\nasync fn {name}()")), "{name}");
            assert!(soak_args(false).ends_with(&["--skip", name]) && !soak_args(true).contains(&name));
        }
    }
}
