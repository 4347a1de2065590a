//! A container as a process of this machine.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Value, json};

use super::volumes::KUBECONFIG;
use super::{Node, now};
use crate::process::Process;

/// As much of a log as the API server is told of.
const LINES: usize = 80;
const BYTES: usize = 2048;

/// How a container ended.
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) message: String,
}

impl Ended {
    pub(super) fn state(&self) -> Value {
        let reason = if self.code == 0 { "Completed" } else { "Error" };
        json!({ "terminated": {
            "exitCode": self.code, "reason": reason, "message": self.message, "startedAt": now(), "finishedAt": now(),
        } })
    }
}

/// Runs it to its end; whoever drops this before kills it.
pub(super) async fn run(
    node: &Node,
    pod: &Pod,
    container: &Container,
    volumes: &HashMap<String, PathBuf>,
    room: &Path,
) -> Result<Ended> {
    let mounts = Mounts::of(container, volumes)?;
    let words = container.command.iter().chain(&container.args).flatten().map(|word| mounts.inside(word));
    let words: Vec<_> = words.collect();
    let (program, args) = words.split_first().context("a container that is run here has a command")?;
    let mut command = Command::new(program);
    command.args(args).current_dir(room);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", node.dir.join("bin").display()));
    command.env("HOSTNAME", pod.metadata.name.as_deref().unwrap_or_default());
    if let Some(kubeconfig) = mounts.kubeconfig() {
        command.env("KUBECONFIG", kubeconfig);
    }
    for variable in container.env.iter().flatten() {
        command.env(&variable.name, mounts.inside(variable.value.as_deref().unwrap_or_default()));
    }
    let log = room.join(format!("{}.log", container.name));
    let process = Process::spawn_command(&container.name, &command, &log, None)?;
    let status = process.wait().await?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    let message = if code == 0 { String::new() } else { last(&process.log_tail(LINES)) };
    Ok(Ended { code, message })
}

/// The end of a log.
fn last(log: &str) -> String {
    let from = log.len().saturating_sub(BYTES);
    let from = (from..=log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(0);
    log[from..].to_owned()
}

/// Where folders stand instead of paths.
struct Mounts(Vec<(String, PathBuf)>);

impl Mounts {
    fn of(container: &Container, volumes: &HashMap<String, PathBuf>) -> Result<Mounts> {
        let mut all = Vec::new();
        for mount in container.volume_mounts.iter().flatten() {
            ensure!(mount.sub_path.is_none(), "a fake kubelet mounts whole volumes");
            let folder = volumes.get(&mount.name).with_context(|| format!("no volume {}", mount.name))?;
            all.push((mount.mount_path.clone(), folder.clone()));
        }
        // The longest path that fits is the one that is meant.
        all.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Ok(Mounts(all))
    }

    /// `text`, with the folder when it is a path in a volume.
    fn inside(&self, text: &str) -> String {
        let folder = self.0.iter().find_map(|(path, folder)| {
            let rest = text.strip_prefix(path.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", folder.display()))
        });
        folder.unwrap_or_else(|| text.to_owned())
    }

    fn kubeconfig(&self) -> Option<PathBuf> {
        self.0.iter().map(|(_, folder)| folder.join(KUBECONFIG)).find(|path| path.exists())
    }
}
