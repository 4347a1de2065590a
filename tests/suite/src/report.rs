//! What is run, its output passed on as it comes, and how it went.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command::{cargo, project};
use crate::programs;
use crate::tally::Tally;

/// A test program that took longer than this is named at the end.
const LONG: Duration = Duration::from_secs(5);

/// What was run and how it went.
#[derive(Default)]
pub(crate) struct Report {
    tests: Tally,
    steps: Vec<Step>,
    left_out: Vec<String>,
}

struct Step {
    command: String,
    passed: bool,
    took: Duration,
    /// The test programs that took long.
    programs: Vec<(String, Duration)>,
}

impl Report {
    /// Runs cargo, its output passed on as it comes.
    pub(crate) fn cargo(&mut self, args: &[&str]) -> Result<()> {
        self.step(format!("cargo {}", args.join(" ")), cargo(args))
    }

    /// Runs another program in the project's folder.
    pub(crate) fn program(&mut self, program: &Path, args: &[&str]) -> Result<()> {
        let name = program.file_name().unwrap_or_default().display();
        let mut command = Command::new(program);
        command.args(args).current_dir(project()).stdin(Stdio::null());
        self.step(format!("{name} {}", args.join(" ")), command)
    }

    fn step(&mut self, name: String, mut command: Command) -> Result<()> {
        println!("\n$ {name}");
        let start = Instant::now();
        let (reader, writer) = std::io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn().with_context(|| format!("can't run {name}"))?;
        drop(command);
        for text in BufReader::new(reader).split(b'\n') {
            let text = text?;
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            self.tests.count(&text);
        }
        let passed = child.wait()?.success();
        self.steps.push(Step { command: name, passed, took: start.elapsed(), programs: Vec::new() });
        Ok(())
    }

    /// Runs all test programs with `args`, some of them side by side.
    pub(crate) fn tests(&mut self, args: &[&str]) -> Result<()> {
        let name = format!("all test programs, side by side: {}", args.join(" "));
        println!("\n$ {name}");
        let start = Instant::now();
        let told = Mutex::new((Tally::default(), true, Vec::new()));
        programs::run(programs::built()?, args, |ended| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            println!("     Running {}\n{}", ended.source, ended.output);
            ended.output.lines().for_each(|line| told.0.count(line));
            told.1 &= ended.passed;
            if ended.took >= LONG || !ended.passed {
                let failed = if ended.passed { "" } else { "  FAILED" };
                told.2.push((ended.source + failed, ended.took));
            }
        })?;
        let (tests, passed, programs) = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.tests.add(tests);
        self.steps.push(Step { command: name, passed, took: start.elapsed(), programs });
        Ok(())
    }

    /// Notes what is not run.
    pub(crate) fn left_out(&mut self, what: &str) {
        println!("\n{what}");
        self.left_out.push(what.to_owned());
    }

    /// What was left to soak has been run.
    pub(crate) fn nothing_is_left(&mut self) {
        self.tests.ignored = 0;
    }

    /// Says what was run; the last line counts the tests.
    pub(crate) fn end(&self) -> ExitCode {
        println!("\nWhat was run:");
        for Step { command, passed, took, programs } in &self.steps {
            let how = if *passed { "passed" } else { "FAILED" };
            println!("  {how}  {}  {command}", minutes(*took));
            for (program, took) in programs {
                println!("          {}    {program}", minutes(*took));
            }
        }
        let all = self.steps.iter().map(|step| step.took).sum();
        println!("          {}  in all", minutes(all));
        for what in &self.left_out {
            println!("  {what}");
        }
        let Tally { passed, failed, ignored } = self.tests;
        if ignored > 0 {
            println!("  {ignored} tests are left to make soak");
        }
        println!("\n{passed} passed, {failed} failed");
        let _ = std::io::stdout().flush();
        if self.steps.iter().all(|step| step.passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:3}:{:02} min", seconds / 60, seconds % 60)
}
