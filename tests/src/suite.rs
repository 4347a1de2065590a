//! `make test` and its relatives: what is run, in which order, and how it went.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::controlplane::ensure_built;
use crate::docs;
use crate::process::built_program;
use crate::reference;

/// The project's checks and generated files.
#[derive(Debug, Subcommand)]
pub enum Suite {
    /// Run everything that has to pass
    Test,
    /// Look at the code without running it
    Lint,
    /// Write anew what derives from the kinds: the chart's files and the docs of rules and kinds
    Generate,
}

/// Does it.
///
/// # Errors
/// When something can't even be started.
pub fn run(suite: &Suite) -> Result<ExitCode> {
    let mut report = Report::default();
    match suite {
        Suite::Test => {
            lint(&mut report)?;
            test(&mut report)?;
        }
        Suite::Lint => lint(&mut report)?,
        Suite::Generate => generate()?,
    }
    Ok(report.end())
}

/// What was run and how it went.
#[derive(Default)]
struct Report {
    tests: Tally,
    steps: Vec<Step>,
}

struct Step {
    command: String,
    passed: bool,
    seconds: u64,
}

/// Tests counted from the lines in which cargo sums them up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that are there and were not run.
    pub ignored: usize,
}

impl Tally {
    /// Counts `line` if it is a sum: `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    pub fn count(&mut self, line: &str) {
        let Some((_, sums)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for sum in sums.split("; ") {
            let mut words = sum.split_whitespace();
            let (number, what) = (words.next().and_then(|word| word.parse::<usize>().ok()), words.next());
            match (number, what) {
                (Some(number), Some("passed")) => self.passed += number,
                (Some(number), Some("failed")) => self.failed += number,
                (Some(number), Some("ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

fn lint(report: &mut Report) -> Result<()> {
    report.cargo(&["fmt", "--all", "--check"])?;
    report.cargo(&["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"])?;
    if Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success()) {
        report.cargo(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])?;
    } else {
        println!(
            "\ncargo-deny is not installed: deny.toml was not checked (cargo install --locked cargo-deny)"
        );
    }
    Ok(())
}

fn test(report: &mut Report) -> Result<()> {
    // The end-to-end tests run these.
    report.cargo(&["build", "--workspace"])?;
    let start = Instant::now();
    println!("\n$ make controlplane");
    let built = tokio::runtime::Runtime::new()?.block_on(ensure_built());
    if let Err(error) = &built {
        println!("error: {error:#}");
    }
    report.step("make controlplane".to_owned(), built.is_ok(), start);
    report.cargo(&["test", "--workspace", "--no-fail-fast"])?;
    report.cargo(&["run", "--quiet", "--bin", "demo", "--", "--mode", "once"])
}

fn generate() -> Result<()> {
    let chart = project().join("charts/concierge");
    let webhook = built_program("concierge-webhook")?;
    let written = Command::new(webhook).args(["manifests", "--chart"]).arg(chart).status()?;
    if !written.success() {
        bail!("the chart's templates can't be written");
    }
    let mut pages = vec![(docs::RULES.to_owned(), docs::rules()?)];
    let kinds = reference::pages()?;
    pages.extend(kinds.into_iter().map(|(name, text)| (format!("{}/{name}", reference::FOLDER), text)));
    std::fs::create_dir_all(project().join(reference::FOLDER))?;
    for (path, text) in pages {
        let path = project().join(path);
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

impl Report {
    /// Runs cargo, its output passed on as it comes.
    fn cargo(&mut self, args: &[&str]) -> Result<()> {
        let line = format!("cargo {}", args.join(" "));
        println!("\n$ {line}");
        let start = Instant::now();
        let mut cargo = Command::new("cargo");
        cargo.args(args).current_dir(project()).stdout(Stdio::piped()).env_remove("DEMO_CONTEXT");
        if std::env::var_os("RUST_TEST_THREADS").is_none() {
            cargo.env("RUST_TEST_THREADS", test_threads().to_string());
        }
        let mut child = cargo.spawn().context("can't run cargo")?;
        let stdout = BufReader::new(child.stdout.take().context("cargo has no output")?);
        for text in stdout.split(b'\n') {
            let text = text?;
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            self.tests.count(&text);
        }
        let passed = child.wait()?.success();
        self.step(line, passed, start);
        Ok(())
    }

    fn step(&mut self, command: String, passed: bool, start: Instant) {
        self.steps.push(Step { command, passed, seconds: start.elapsed().as_secs() });
    }

    /// Says what was run; the last line counts the tests.
    fn end(&self) -> ExitCode {
        if self.steps.is_empty() {
            return ExitCode::SUCCESS;
        }
        println!("\nWhat was run:");
        for Step { command, passed, seconds } in &self.steps {
            let how = if *passed { "passed" } else { "FAILED" };
            println!("  {how}  {seconds:4} s  {command}");
        }
        let Tally { passed, failed, ignored } = self.tests;
        let skipped = if ignored > 0 { format!(", {ignored} skipped") } else { String::new() };
        println!("\n{passed} passed, {failed} failed{skipped}");
        let _ = std::io::stdout().flush();
        if self.steps.iter().all(|step| step.passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// As many tests at once as there are cores, but each may be a control plane of its own: 400 MB.
fn test_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 6))
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: (usize, usize, usize)) {
        let mut tally = Tally::default();
        tally.count(line);
        assert_eq!((tally.passed, tally.failed, tally.ignored), expect, "{line}");
    }

    #[test]
    fn cargos_sums_are_counted_and_nothing_else() {
        check("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out", (12, 0, 1));
        check("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured", (1, 2, 0));
        check("test rotation::nobody_notices ... ok", (0, 0, 0));
        check("12 passed; 0 failed", (0, 0, 0));
    }
}
