//! A cluster in which nothing happens. It waits longest, so its name is one of the first, by which tests are begun.

use std::time::Duration;

use concierge_tests::stack::{Plan, Program, Stack};
use serde_json::Value;

/// Longer than any answer of the API server may be silent (45 s) and than any watch lives (30 s): whatever a replica
/// renews, it has renewed once.
const QUIET: Duration = Duration::from_secs(75);

pub(crate) fn complaints(program: &Program) -> Vec<String> {
    let log = std::fs::read_to_string(program.process.log()).unwrap();
    let is_calm = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        ["INFO", "DEBUG"].iter().any(|level| line["level"] == **level)
    };
    log.lines().filter(|line| !is_calm(line)).map(str::to_owned).collect()
}

#[tokio::test]
async fn an_idle_replica_logs_nothing_above_info() {
    let stack = Stack::start(Plan::default()).await.unwrap();
    // What is waited for is that nothing comes.
    tokio::time::sleep(QUIET).await;
    assert_eq!(stack.webhook(0, complaints), Vec::<String>::new());
    assert_eq!(stack.reconciler(0, complaints), Vec::<String>::new());
}
