//! Ten thousand documents of 16 KiB that are put nowhere: what the two programs keep of them, how soon they are at rest after a start, and
//! what is written then.

use std::time::{Duration, Instant};

use concierge_tests::bench::machine::resident_kib;
use concierge_tests::process::Signal;
use concierge_tests::stack::{Plan, Stack, get};
use futures::{StreamExt, stream};
use serde_json::json;
use tokio::time::sleep;

use crate::world::{Created, create};

const DOCUMENTS: usize = 10_000;
const BYTES: usize = 16 << 10;
/// What a program may keep, in KiB.
const MOST: u64 = 100 << 10;
const LOOK: Duration = Duration::from_millis(100);

/// The sum of what `metrics` tell under this name, with this text in the labels.
fn sum(metrics: &str, name: &str, labels: &str) -> f64 {
    let of_it = metrics.lines().filter(|line| line.starts_with(name) && line.contains(labels));
    of_it.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Waits until the reconciler has looked at all and nothing is due.
async fn until_idle(stack: &Stack, number: usize) {
    let admin = stack.reconciler(number, |program| program.admin);
    let end = Instant::now() + Duration::from_secs(600);
    loop {
        let metrics = get(admin, "/metrics").await.unwrap();
        let ready = sum(&metrics, "concierge_objects{", "kind=\"Document\",ready=\"true\"");
        let runs = sum(&metrics, "concierge_reconcile_total{", "kind=\"Document\"");
        if ready as usize == DOCUMENTS
            && runs as usize >= DOCUMENTS
            && sum(&metrics, "concierge_queue_depth", "") == 0.0
        {
            return;
        }
        assert!(Instant::now() < end, "{ready} of {DOCUMENTS} are ready after {runs} runs");
        sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn ten_thousand_documents_are_kept_in_little_memory_and_written_once() {
    let stack = Stack::start(Plan::default()).await.unwrap();
    let client = stack.plane.client().await.unwrap();
    let made = (0..DOCUMENTS).map(|n| {
        let client = client.clone();
        async move {
            let metadata = json!({"name": format!("doc-{n}"), "namespace": "default"});
            let spec = json!({"content": format!("{n} {}", "x".repeat(BYTES))});
            let object = json!({"apiVersion": "orasi.io/v1alpha1", "kind": "Document", "metadata": metadata, "spec": spec});
            let created = create(&client, &object, "none", false).await;
            assert!(matches!(created, Created::Stored), "{created:?}");
        }
    });
    stream::iter(made).buffer_unordered(32).collect::<Vec<_>>().await;
    until_idle(&stack, 0).await;

    // Anew, so that nothing is counted of what came with their creation.
    stack.reconciler(0, |program| program.process.signal(Signal::Term)).unwrap();
    stack.signal_webhook(0, Signal::Term).unwrap();
    let began = Instant::now();
    let (webhook, reconciler) = (stack.add_webhook().await.unwrap(), stack.add_reconciler().await.unwrap());
    stack.wait_cached("Document", DOCUMENTS).await.unwrap();
    println!("the webhook knows {DOCUMENTS} documents after {:.1} s", began.elapsed().as_secs_f32());
    until_idle(&stack, reconciler).await;
    println!("the reconciler is idle {:.1} s after its start", began.elapsed().as_secs_f32());

    let admin = stack.reconciler(reconciler, |program| program.admin);
    let metrics = get(admin, "/metrics").await.unwrap();
    let of_before = sum(&metrics, "doc_controller_reconciliations_total", "");
    assert!(of_before as usize >= DOCUMENTS, "the predecessor's metric: {of_before}");
    let written = async || sum(&get(admin, "/metrics").await.unwrap(), "concierge_writes_total{", "");
    let before = written().await;
    // What is waited for is that nothing comes.
    sleep(Duration::from_secs(60)).await;
    assert_eq!(written().await, before, "written while nothing changes");
    println!("nothing was written in a minute at rest");
    for (name, pid) in [
        ("the webhook", stack.webhook(webhook, |program| program.process.pid())),
        ("the reconciler", stack.reconciler(reconciler, |program| program.process.pid())),
    ] {
        let kib = resident_kib(pid).unwrap();
        println!("{name} takes {} MiB", kib >> 10);
        assert!(kib < MOST, "{name}: {kib} KiB");
    }
}
