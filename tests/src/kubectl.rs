//! The command line tools of a cluster's users, run as one of them.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What `kubectl wait` waits for until a definition is served. `--for=condition=Established` fails on one that is so new that it has no
/// conditions yet.
pub const ESTABLISHED: &str = r#"--for=jsonpath={.status.conditions[?(@.type=="Established")].status}=True"#;

/// How long `kubectl wait` and `kubectl delete` wait, as [`crate::PATIENCE`].
pub const TIMEOUT: &str = "--timeout=180s";

/// What a command said and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// How the command ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error: warnings and errors.
    pub stderr: String,
}

impl Output {
    /// Standard output of a command that succeeded.
    ///
    /// # Errors
    /// When the command failed; the error holds everything it wrote.
    pub fn ok(self) -> Result<String> {
        if !self.status.success() {
            bail!("the command failed ({}):\n{}{}", self.status, self.stdout, self.stderr);
        }
        Ok(self.stdout)
    }
}

/// `kubectl` as one user of one cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    tool: Tool,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// `program` as the user of `kubeconfig`; what kubectl remembers of the cluster goes into `cache`, because
    /// another control plane may have had the same address before.
    pub fn new(program: &Path, kubeconfig: &Path, cache: &Path) -> Kubectl {
        let tool = Tool::new(program, kubeconfig).env("KUBECACHEDIR", cache);
        Kubectl { tool, kubeconfig: kubeconfig.to_owned() }
    }

    /// Where kubectl is.
    pub fn program(&self) -> &Path {
        &self.tool.program
    }

    /// Where its user's credentials are.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs `kubectl ARGS` to its end. A command that fails is not an error: see [`Output::status`].
    ///
    /// # Errors
    /// When kubectl can't be run.
    pub async fn run(&self, args: &[&str]) -> Result<Output> {
        self.tool.run(args, "").await
    }

    /// Runs `kubectl ARGS` with `input` as standard input.
    ///
    /// # Errors
    /// When kubectl can't be run.
    pub async fn run_with_input(&self, args: &[&str], input: &str) -> Result<Output> {
        self.tool.run(args, input).await
    }

    /// `kubectl apply -f -` of `yaml`.
    ///
    /// # Errors
    /// When kubectl can't be run.
    pub async fn apply_text(&self, yaml: &str) -> Result<Output> {
        self.tool.run(&["apply", "-f", "-"], yaml).await
    }

    /// The same kubectl as the user of another kubeconfig.
    pub fn with_kubeconfig(&self, kubeconfig: &Path) -> Kubectl {
        let tool = self.tool.clone().env("KUBECONFIG", kubeconfig);
        Kubectl { tool, kubeconfig: kubeconfig.to_owned() }
    }
}

/// A program and the environment that makes it speak to one cluster as one user.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    program: PathBuf,
    env: Vec<(&'static str, PathBuf)>,
}

impl Tool {
    pub(crate) fn new(program: &Path, kubeconfig: &Path) -> Tool {
        Tool::plain(program).env("KUBECONFIG", kubeconfig)
    }

    /// As whoever runs this process.
    pub(crate) fn plain(program: &Path) -> Tool {
        Tool { program: program.to_owned(), env: Vec::new() }
    }

    /// Sets a variable, also over an earlier value.
    pub(crate) fn env(mut self, key: &'static str, value: &Path) -> Tool {
        self.env.push((key, value.to_owned()));
        self
    }

    pub(crate) async fn run(&self, args: &[&str], input: &str) -> Result<Output> {
        let name = self.program.display();
        let mut child = Command::new(&self.program)
            .args(args)
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("can't run {name}"))?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let feed = async move {
            // A command that does not read its input closes it: no error of ours.
            let _ = stdin.write_all(input.as_bytes()).await;
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), feed);
        let output = output.with_context(|| format!("can't run {name}"))?;
        Ok(Output {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
