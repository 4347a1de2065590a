//! The test programs and the demo: where they are, and two rows of them that run side by side.
//!
//! A program that starts control planes mostly waits for them, so one of these runs at a time; beside it runs one of the others,
//! which mostly calculate and whose clock is paused, with less claim to the processor. Everyday the others are done first: then a
//! second program with control planes runs beside the first, which in soak would be too much for the machine. The output goes to
//! `target/suite/NAME.log` as it comes, and is passed on when the program has ended.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::{as_by_hand, cargo, project, test_threads};

/// The programs that start control planes; what waits longest is first.
const WITH_CLUSTERS: [&str; 8] =
    ["e2e", "environments", "chart", DEMO, "controlplane", "runner", "children", "release"];
/// The demo, which is no test program, and is played once everyday.
const DEMO: &str = "demo-once";
const ONCE: &[&str] = &["--mode", "once"];
/// The longest of the others, which are begun first, so that none is left alone at the end.
const LONG: [&str; 6] = ["coffee", "s3", "adding_a_group", "engine", "policies", "rotation"];
const NO_RUN: [&str; 4] = ["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"];

/// A test program that is built, or the demo.
#[derive(Debug)]
pub(crate) struct Program {
    /// The target's name: `e2e`.
    target: String,
    /// Its first source file, from the project's folder.
    source: String,
    path: PathBuf,
    /// The package's folder, in which cargo would run it.
    folder: PathBuf,
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) source: String,
    pub(crate) passed: bool,
    pub(crate) took: Duration,
    pub(crate) output: String,
}

/// Builds what is not built yet.
pub(crate) fn built() -> Result<Vec<Program>> {
    let output = cargo(&NO_RUN).stderr(Stdio::inherit()).output().context("can't run cargo")?;
    ensure!(output.status.success(), "the tests can't be built");
    let text = String::from_utf8(output.stdout)?;
    let programs: Vec<_> =
        text.lines().filter_map(|line| program(&serde_json::from_str(line).ok()?)).collect();
    ensure!(!programs.is_empty(), "cargo names no test program");
    ensure!(programs.iter().any(|program| program.target == DEMO), "cargo does not name the demo");
    Ok(programs)
}

/// The test program that cargo tells of in this message, or the demo, if it does.
fn program(message: &Value) -> Option<Program> {
    let target = match (message["profile"]["test"] == true, message["target"]["name"].as_str()?) {
        (true, test) => test,
        (false, "demo") => DEMO,
        (false, _) => return None,
    };
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
    let project = project().canonicalize().ok()?;
    let source = Path::new(message["target"]["src_path"].as_str()?);
    Some(Program {
        target: target.to_owned(),
        source: source.strip_prefix(project).unwrap_or(source).display().to_string(),
        path: message["executable"].as_str()?.into(),
        folder,
    })
}

/// Runs all tests with these arguments, and tells of each program as it ends.
pub(crate) fn run(mut programs: Vec<Program>, args: &[&str], ended: impl Fn(Ended) + Sync) -> Result<()> {
    let logs = project().join("target/suite");
    std::fs::create_dir_all(&logs)?;
    programs.retain(|program| program.target != DEMO || !is_soak(args));
    let (clusters, others) = rows(programs);
    let (clusters, others) = (Mutex::new(clusters), Mutex::new(others));
    let row = |queues: &[(&Mutex<VecDeque<Program>>, bool)]| -> Result<()> {
        for (queue, modest) in queues {
            while let Some(program) = next(queue) {
                ended(program.run(args, *modest, &logs)?);
            }
        }
        Ok(())
    };
    let all = [(&others, true), (&clusters, true)];
    let beside = if is_soak(args) { &all[..1] } else { &all[..] };
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| row(beside));
        // What is left of the others when no control plane is needed any more, the two share.
        row(&[(&clusters, false), (&others, true)])?;
        beside.join().map_err(|_| anyhow::anyhow!("a row of tests ended with a panic"))?
    })
}

fn is_soak(args: &[&str]) -> bool {
    args.contains(&"--ignored")
}

fn next(queue: &Mutex<VecDeque<Program>>) -> Option<Program> {
    let mut queue: MutexGuard<'_, _> = queue.lock().unwrap_or_else(PoisonError::into_inner);
    queue.pop_front()
}

/// Those with control planes, and the others.
fn rows(mut programs: Vec<Program>) -> (VecDeque<Program>, VecDeque<Program>) {
    let place = |list: &[&str], program: &Program| {
        list.iter().position(|name| *name == program.target).unwrap_or(list.len())
    };
    programs.sort_by_key(|program| (place(&WITH_CLUSTERS, program), place(&LONG, program)));
    let (clusters, others) =
        programs.into_iter().partition::<Vec<_>, _>(|program| WITH_CLUSTERS.contains(&&*program.target));
    (clusters.into(), others.into())
}

impl Program {
    fn run(self, args: &[&str], modest: bool, logs: &Path) -> Result<Ended> {
        let Program { target, source, path, folder } = self;
        // `src/lib.rs` and `src/main.rs` of one package may have one name.
        let log = logs.join(format!("{target}-{}.log", source.replace('/', "-")));
        let output = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
        let start = Instant::now();
        let mut command = command_of(&path, modest);
        // Everyday tests with a control plane mostly wait; the others bring it to its limits.
        let waits = !modest && !is_soak(args);
        as_by_hand(&mut command, if waits { 2 * test_threads() } else { test_threads() });
        command
            .args(if target == DEMO { ONCE } else { args })
            .current_dir(&folder)
            .env("CARGO_MANIFEST_DIR", &folder)
            .stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output);
        let status = command.status().with_context(|| format!("can't run {}", path.display()))?;
        let output = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        Ok(Ended { source, passed: status.success(), took: start.elapsed(), output })
    }
}

fn command_of(path: &Path, modest: bool) -> Command {
    let mut command = if modest { Command::new("nice") } else { Command::new(path) };
    if modest {
        command.args(["-n", "10"]).arg(path);
    }
    command
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(target: &str) -> Program {
        let source = format!("tests/{target}.rs");
        Program { target: target.to_owned(), source, path: PathBuf::new(), folder: PathBuf::new() }
    }

    #[test]
    fn only_test_programs_and_the_demo_are_run() {
        let mut message = json!({
            "reason": "compiler-artifact",
            "manifest_path": "/p/tests/Cargo.toml",
            "target": {"name": "e2e", "src_path": "/p/tests/tests/e2e/main.rs"},
            "profile": {"test": true},
            "executable": "/p/target/debug/deps/e2e-1",
        });
        let found = program(&message).map(|found| (found.target, found.folder));
        assert_eq!(found, Some(("e2e".to_owned(), PathBuf::from("/p/tests"))));
        message["profile"]["test"] = json!(false);
        assert!(program(&message).is_none());
        message["target"]["name"] = json!("demo");
        assert_eq!(program(&message).map(|demo| demo.target).as_deref(), Some(DEMO));
        assert!(program(&json!({"reason": "build-finished", "success": true})).is_none());
    }

    #[test]
    fn each_program_is_in_one_row_and_the_long_ones_are_first() {
        let programs = ["aws", "chart", "coffee", "e2e", "structure", "engine"].map(named);
        let (clusters, others) = rows(programs.into());
        let names = |row: VecDeque<Program>| row.into_iter().map(|one| one.target).collect::<Vec<_>>();
        assert_eq!(names(clusters), ["e2e", "chart"]);
        assert_eq!(names(others), ["coffee", "engine", "aws", "structure"]);
    }

    #[test]
    fn a_program_that_fails_or_can_not_be_run_is_told() {
        let logs = project().join("target/suite");
        std::fs::create_dir_all(&logs).unwrap();
        let here = |path: &str| Program { path: path.into(), folder: project(), ..named("of-a-test") };
        for modest in [false, true] {
            let ended =
                here("/bin/sh").run(&["-c", "echo out; echo err >&2; exit 3"], modest, &logs).unwrap();
            assert!(!ended.passed);
            assert_eq!(ended.output, "out\nerr\n");
            assert!(here("/bin/true").run(&[], modest, &logs).unwrap().passed);
        }
        assert!(here("/nowhere").run(&[], false, &logs).is_err());
    }
}
