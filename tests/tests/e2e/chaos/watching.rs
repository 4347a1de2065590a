//! What is looked at the whole time: verdicts and logs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use concierge_tests::docs;
use concierge_tests::stack::Stack;
use kube::Client;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::setup::{GROUPS, HOME, Wrong};
use crate::world::{Created, api, create};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often is asked.
const EVERY: Duration = Duration::from_millis(200);
/// More lines above INFO than this, of one program after one cause, tell nobody anything.
const MOST_LINES: usize = 60;

/// Asks again and again whether what is wrong would be admitted.
pub(super) struct Verdicts {
    wrong: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Verdicts {
    pub(super) fn watch(client: Client) -> Self {
        let wrong = Arc::<Mutex<Vec<String>>>::default();
        let found = Arc::clone(&wrong);
        let task = tokio::spawn(async move {
            loop {
                for group in &GROUPS {
                    if let Ok(Some(one)) = timeout(PATIENCE, misjudged(&client, &(group.wrong)(), true)).await
                    {
                        found.lock().push(one);
                    }
                }
                sleep(EVERY).await;
            }
        });
        Verdicts { wrong, task }
    }

    /// The wrong verdicts since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.wrong.lock())
    }
}

impl Drop for Verdicts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What was admitted although the object that it is like was there before and after.
pub(super) async fn misjudged(client: &Client, wrong: &Wrong, dry_run: bool) -> Option<String> {
    let Wrong { object, rule, like } = wrong;
    let kind = object["kind"].as_str()?;
    let there = api(client, kind, Some(HOME));
    let uid = || async { there.get(like).await.ok()?.metadata.uid };
    let before = uid().await?;
    let created = create(client, object, rule, dry_run).await;
    let still = uid().await? == before;
    (still && matches!(created, Created::Stored)).then(|| format!("{rule}: stored beside {kind} {like}"))
}

/// How much of each log was read.
#[derive(Default)]
pub(super) struct Logs(Mutex<BTreeMap<PathBuf, usize>>);

impl Logs {
    /// The messages above INFO since the last time, and how often each came. Fails when operators are not told what to do about one.
    pub(super) fn check(&self, stack: &Stack, after: &str) -> BTreeMap<String, usize> {
        let answered = docs::answered_messages().unwrap();
        let mut told = BTreeMap::new();
        for log in stack.logs() {
            let lines = self.new_lines(&log);
            assert!(lines.len() <= MOST_LINES, "{after}: {} lines of {log:?}", lines.len());
            for line in lines {
                let message = line["message"].as_str().unwrap_or_default();
                // A message may go on with what differs each time.
                let begin = answered.iter().find(|begin| message.starts_with(begin.as_str()));
                let Some(begin) = begin else { panic!("{after}: nobody is told what to do about {line}") };
                *told.entry(begin.clone()).or_default() += 1;
            }
        }
        told
    }

    fn new_lines(&self, log: &PathBuf) -> Vec<Value> {
        let text = std::fs::read_to_string(log).unwrap();
        let mut read = self.0.lock();
        let from = read.entry(log.clone()).or_default();
        let complete = text.rfind('\n').map_or(0, |at| at + 1);
        let new = &text[*from..complete.max(*from)];
        *from = complete.max(*from);
        let lines = new.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| matches!(line["level"].as_str(), Some("WARN" | "ERROR"))).collect()
    }
}
