//! A show that is on: its chapters played, and what did not go as told.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::catalyst;
use super::cluster::DemoCluster;
use super::script::{Chapter, Event, Meanwhile, Step};
use super::terminal::{Style, prompt, say, styled};
use crate::process::Signal;

/// A show that is on.
pub(super) struct Show<'a> {
    cluster: &'a DemoCluster,
    steps: usize,
    astray: Vec<String>,
}

impl<'a> Show<'a> {
    pub(super) fn new(cluster: &'a DemoCluster) -> Show<'a> {
        Show { cluster, steps: 0, astray: Vec::new() }
    }

    /// Plays one chapter. A step that does not go as told is noted, and the show goes on.
    pub(super) async fn chapter(&mut self, chapter: &Chapter) -> Result<()> {
        say(&format!("\n{}\n", styled(Style::Heading, chapter.title)));
        for step in chapter.steps {
            self.steps += 1;
            let command = self.cluster.fill_in(step.run);
            say(&format!("\n{}\n{}\n", step.say, prompt(&command)));
            let (success, output) = self.perform(step, &command).await?;
            let mut reasons = step.astray(success, &output);
            if let Some(Meanwhile { event: Event::WebhookEnds(number, _), .. }) = step.meanwhile {
                if !self.cluster.webhook_ends(number).await {
                    reasons.push("the replica still runs".to_owned());
                }
                self.cluster.replace_webhook().await?;
            }
            if !reasons.is_empty() {
                let reasons = reasons.join("; ");
                say(&format!("{}\n", styled(Style::Astray, &format!("Not as told: {reasons}"))));
                self.astray.push(format!("{command}: {reasons}"));
            }
        }
        Ok(())
    }

    /// Says how it went; how many steps did not go as told.
    pub(super) fn end(self, took: Duration) -> usize {
        let (steps, astray) = (self.steps, self.astray.len());
        say(&format!("\n{} of {steps} steps went as told, in {} s.\n", steps - astray, took.as_secs()));
        for step in &self.astray {
            say(&format!("{}\n", styled(Style::Astray, &format!("Not as told: {step}"))));
        }
        astray
    }

    /// Runs a step's command, its output passed on as it comes. Whether it succeeded, and all it wrote.
    async fn perform(&self, step: &Step, command: &str) -> Result<(bool, String)> {
        let mut shell = Command::new("sh");
        // Both outputs through one pipe, in the order in which they were written.
        shell.arg("-c").arg(format!("exec 2>&1\n{command}"));
        shell.envs(self.cluster.environment()?).current_dir(super::cluster::project());
        let mut child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("the shell has no output")?;
        let (mut lines, mut output, mut count) = (BufReader::new(stdout).split(b'\n'), String::new(), 0);
        self.happens(step, count).await?;
        while let Some(line) = lines.next_segment().await? {
            let line = String::from_utf8_lossy(&line);
            say(&format!("{line}\n"));
            output.push_str(&format!("{line}\n"));
            count += 1;
            self.happens(step, count).await?;
        }
        Ok((child.wait().await?.success(), output))
    }

    /// Lets happen what is due after `lines` lines of output.
    async fn happens(&self, step: &Step, lines: usize) -> Result<()> {
        match step.meanwhile.filter(|meanwhile| meanwhile.after_lines == lines) {
            Some(Meanwhile { event: Event::WebhookEnds(number, signal), .. }) => self.strike(number, signal),
            Some(Meanwhile { event: Event::ShopShips, .. }) => self.cluster.ship(),
            Some(Meanwhile { event: Event::NamespaceGoes, .. }) => {
                let quoted =
                    |word: &str| if word.contains('{') { format!("'{word}'") } else { word.to_owned() };
                let words = catalyst::LET_GO.map(quoted).join(" ");
                say(&format!(
                    "{}\n",
                    prompt(&format!("kubectl {words}    # an administrator, in another terminal"))
                ));
                self.cluster.run_as_administrator(&catalyst::LET_GO).await
            }
            None => Ok(()),
        }
    }

    fn strike(&self, webhook: usize, signal: Signal) -> Result<()> {
        let command = match signal {
            Signal::Stop => "kill -STOP",
            Signal::Cont => "kill -CONT",
            Signal::Term => "kill",
            Signal::Kill => "kill -KILL",
        };
        let pid = self.cluster.fill_in(&format!("{{webhook-{webhook}}}"));
        say(&format!("{}\n", prompt(&format!("{command} {pid}    # in another terminal"))));
        self.cluster.signal_webhook(webhook, signal)
    }
}
