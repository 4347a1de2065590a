//! A cluster in which nothing happens.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use concierge_tests::{
    controlplane::ControlPlane,
    stack::{Plan, Program, Stack},
};
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

/// Longer than any answer of the API server may be silent (45 s) and than any watch lives (30 s): whatever a replica
/// renews, it has renewed once.
const QUIET: Duration = Duration::from_secs(75);
/// How long a call of the API server takes at most on a machine that has time for it.
const PROMPT: Duration = Duration::from_secs(2);
/// How soon what stood still, for instance a lease, is in order again.
const AFTERWARDS: Duration = Duration::from_secs(30);

/// When the API server did not answer promptly: from, to.
type Stalls = Arc<Mutex<Vec<(Timestamp, Timestamp)>>>;

pub(crate) fn complaints(program: &Program) -> Vec<String> {
    let log = std::fs::read_to_string(program.process.log()).unwrap();
    let is_calm = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        ["INFO", "DEBUG"].iter().any(|level| line["level"] == **level)
    };
    log.lines().filter(|line| !is_calm(line)).map(str::to_owned).collect()
}

async fn watch_for_stalls(client: Client, stalls: Stalls) {
    loop {
        let (from, began) = (Timestamp::now(), Instant::now());
        tokio::time::sleep(Duration::from_millis(250)).await;
        let answer = client.apiserver_version().await;
        if answer.is_err() || began.elapsed() > PROMPT {
            stalls.lock().unwrap().push((from, Timestamp::now()));
        }
    }
}

/// Whether this line of a log came while, or soon after, the machine stood still.
fn is_explained(line: &str, stalls: &[(Timestamp, Timestamp)]) -> bool {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    let at: Option<Timestamp> = line["timestamp"].as_str().and_then(|at| at.parse().ok());
    at.is_some_and(|at| stalls.iter().any(|(from, to)| (*from..=*to + AFTERWARDS).contains(&at)))
}

/// On a machine that stands still now and then, leases and watches do end; what is logged about that is no complaint without a reason.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_replica_logs_nothing_above_info() {
    let plane = ControlPlane::start().await.unwrap();
    let stalls = Stalls::default();
    let watching = tokio::spawn(watch_for_stalls(plane.client().await.unwrap(), stalls.clone()));
    let stack = Stack::start_on(plane, Plan::default()).await.unwrap();
    // What is waited for is that nothing comes.
    tokio::time::sleep(QUIET).await;
    watching.abort();
    let stalls = stalls.lock().unwrap().clone();
    for complaints in [stack.webhook(0, complaints), stack.reconciler(0, complaints)] {
        let unexplained: Vec<_> = complaints.iter().filter(|line| !is_explained(line, &stalls)).collect();
        assert!(unexplained.is_empty(), "{unexplained:#?}\nthe API server was slow: {stalls:?}");
    }
}

#[test]
fn only_what_comes_with_a_stall_is_explained() {
    let at = |time: &str| -> Timestamp { format!("2026-01-01T00:{time}Z").parse().unwrap() };
    let stalls = [(at("01:00"), at("01:05"))];
    let line = |time: &str| format!(r#"{{"timestamp":"2026-01-01T00:{time}Z","level":"WARN"}}"#);
    assert!(is_explained(&line("01:03.5"), &stalls) && is_explained(&line("01:30"), &stalls));
    assert!(!is_explained(&line("00:59"), &stalls) && !is_explained(&line("01:36"), &stalls));
    assert!(!is_explained("a panic", &stalls));
}
