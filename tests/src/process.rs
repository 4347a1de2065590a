//! Child processes that never outlive the test process, not even when it is killed with SIGKILL or keeps
//! them in a static that is never dropped.
//!
//! ```text
//! test process --stdin held open--> guard (bin `controlplane guard`) --spawns--> program
//!              <----"pid", "exit"--
//! ```
//!
//! The kernel closes the guard's standard input when the test process ends, in whatever way; the guard then
//! ends the program. The guard leaves an exited program unreaped until that moment, so the process id a
//! [`Process`] knows can't be another process' by the time it is signalled.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal as Number, WaitId, WaitIdOptions};
use tokio::sync::watch;

/// How long a program may take to end by itself once its test process is gone.
const GRACE: Duration = Duration::from_secs(3);

/// A signal that tests send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Freezes the process: it holds its connections and locks and does nothing.
    Stop,
    /// Lets a frozen process go on.
    Cont,
    /// Asks the process to end.
    Term,
    /// Ends the process at once.
    Kill,
}

/// A running program of the tests. It is killed, with everything in its process group, when this value is
/// dropped, and ended by its guard when the test process goes away without dropping it.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    guard: Child,
    stdin: Option<ChildStdin>,
    exit: watch::Receiver<Option<ExitStatus>>,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in a process group of its own, with `env` added to this process' environment and
    /// both outputs appended to `log`. `name` is what errors call it.
    ///
    /// # Errors
    /// When the guard binary was not built, the log can't be written or the program can't be started.
    pub fn spawn<A, E, V>(
        name: &str,
        command: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        env: impl IntoIterator<Item = (E, V)>,
        log: &Path,
    ) -> Result<Process>
    where
        A: AsRef<OsStr>,
        E: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let mut line = Command::new(command);
        line.args(args).envs(env);
        Process::spawn_command(name, &line, log, None)
    }

    /// As [`Process::spawn`], from a [`Command`] (program, arguments, environment and working folder of which
    /// count). The guard removes the folder `owned` after the program, if this process did not.
    ///
    /// # Errors
    /// As [`Process::spawn`].
    pub fn spawn_command(name: &str, command: &Command, log: &Path, owned: Option<&Path>) -> Result<Process> {
        let mut guard = guard_command(command, owned)?;
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("can't write the log {}", log.display()))?;
        let mut guard = guard
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .spawn()
            .with_context(|| format!("can't start the guard of {name}"))?;
        let stdin = guard.stdin.take();
        let stdout = guard.stdout.take().context("the guard has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let Some(pid) = first.strip_prefix("pid ").and_then(|pid| Pid::from_raw(pid.parse().ok()?)) else {
            let _ = guard.wait();
            bail!("can't start {name} ({}): {first}\n{}", command.get_program().display(), tail(log, 20));
        };
        let (report, exit) = watch::channel(None);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let status = line.strip_prefix("exit ").and_then(|status| status.parse().ok());
                report.send_replace(status.map(ExitStatus::from_raw));
            }
        });
        Ok(Process { name: name.to_owned(), pid, guard, stdin, exit, log: log.to_owned() })
    }

    /// What errors call this process.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program's own process id (not the guard's).
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The file that both outputs of the program go to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last `lines` lines of the log, as far as it can be read.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// Sends `signal` to the program itself, not to its children. A program that has exited ignores it.
    ///
    /// # Errors
    /// When the system refuses the signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let number = match signal {
            Signal::Stop => Number::STOP,
            Signal::Cont => Number::CONT,
            Signal::Term => Number::TERM,
            Signal::Kill => Number::KILL,
        };
        rustix::process::kill_process(self.pid, number)
            .with_context(|| format!("can't send {signal:?} to {}", self.name))
    }

    /// How the program ended, or `None` while it runs.
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until the program has ended. Can be called often, from any runtime, and cancelled.
    ///
    /// # Errors
    /// When the guard is gone, so that the exit status can't be known.
    pub async fn wait(&self) -> Result<ExitStatus> {
        self.end().await
    }

    /// The same, apart from this value.
    pub fn end(&self) -> impl Future<Output = Result<ExitStatus>> + Send + use<> {
        let (mut exit, name) = (self.exit.clone(), self.name.clone());
        async move {
            let status = exit.wait_for(Option::is_some).await;
            let status = status.map_err(|_| anyhow!("the guard of {name} is gone"))?;
            status.context("no exit status")
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(self.pid, Number::KILL);
        drop(self.stdin.take());
        let _ = self.guard.wait();
    }
}

/// The guard's side: runs `command` until it exits and standard input is closed, whichever is later; ends it
/// when standard input is closed first. Then removes the folder `owned`.
///
/// # Errors
/// When the program can't be started.
pub fn guard(command: &mut Command, owned: Option<&Path>) -> Result<()> {
    let say = |line: String| drop(writeln!(std::io::stdout(), "{line}"));
    let log = rustix::io::dup(rustix::stdio::stderr())?;
    let mut child = match command.stdin(Stdio::null()).stdout(log).process_group(0).spawn() {
        Ok(child) => child,
        Err(error) => {
            say(format!("failed: {error}"));
            return Err(error.into());
        }
    };
    let pid = Pid::from_child(&child);
    say(format!("pid {}", pid.as_raw_nonzero()));
    let (exited, exit) = mpsc::channel();
    std::thread::spawn(move || {
        let status = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        if let Ok(Some(status)) = status {
            let code = status.exit_status().map(|code| code << 8).or(status.terminating_signal());
            say(format!("exit {}", code.unwrap_or_default()));
        }
        exited.send(())
    });
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
    // It fails when the whole group has ended, which is what we want.
    let group = |signal| rustix::process::kill_process_group(pid, signal).unwrap_or_default();
    group(Number::TERM);
    group(Number::CONT);
    let _ = exit.recv_timeout(GRACE);
    group(Number::KILL);
    child.wait()?;
    if let Some(dir) = owned {
        remove_dir(dir);
    }
    Ok(())
}

/// Removes `dir` although other programs that are about to end may still add a file to it.
fn remove_dir(dir: &Path) {
    let end = std::time::Instant::now() + GRACE;
    while std::fs::remove_dir_all(dir).is_err() && dir.exists() && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
}

/// The last `lines` lines of the file `log`; empty when it can't be read.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn guard_command(command: &Command, owned: Option<&Path>) -> Result<Command> {
    let mut guard = Command::new(built_program("controlplane")?);
    guard.arg("guard");
    if let Some(dir) = owned {
        guard.arg("--remove-dir").arg(dir);
    }
    guard.arg("--").arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => guard.env(key, value),
            None => guard.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        guard.current_dir(dir);
    }
    Ok(guard)
}

/// The program `name` of this workspace, as it was built beside the running one.
///
/// # Errors
/// When it was not built.
pub fn built_program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("can't find the path of this program")?;
    let mut candidates = own.ancestors().skip(1).take(4).map(|dir| dir.join(name));
    candidates.find(|path| path.is_file()).with_context(|| {
        format!("no `{name}` binary near {}: run `cargo build --workspace` first", own.display())
    })
}
