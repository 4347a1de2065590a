//! Certificates, replicas and trust change under a stream of creates through the API server, and no call fails.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use concierge_tests::PATIENCE;
use concierge_tests::caller::bundle;
use concierge_tests::process::Signal;
use concierge_tests::stack::{NAMESPACE, Plan, Stack};
use kube::Client;
use serde_json::json;

use crate::world::{Created, alone, create, namespaces, ordinary_user, pet};

/// Creates that never stop, several at once.
struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Stream {
    fn start(client: &Client) -> Stream {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let task = |_| {
            let (client, stop, sent) = (client.clone(), stop.clone(), sent.clone());
            tokio::spawn(async move {
                let mut failed = Vec::new();
                while !stop.load(Relaxed) {
                    let number = sent.fetch_add(1, Relaxed);
                    let id = i64::try_from(number).unwrap() + 1;
                    let object = pet("stream", &format!("pet-{number}"), id);
                    if let Created::Failed(why) = create(&client, &object, "none", false).await {
                        failed.push(why);
                    }
                }
                failed
            })
        };
        let tasks = (0..4).map(task).collect();
        Stream { stop, sent, tasks }
    }

    /// How many were sent, and why some failed.
    async fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Relaxed);
        let mut failed = Vec::new();
        for task in self.tasks {
            failed.extend(task.await.unwrap());
        }
        (self.sent.load(Relaxed), failed)
    }
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

fn leaves(stack: &Stack, number: usize) -> usize {
    let log = stack.webhook(number, |program| program.process.log().to_owned());
    std::fs::read_to_string(log).unwrap().matches("serving a new leaf certificate").count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn no_call_fails_while_everything_changes() {
    let _alone = alone().await;
    let quick =
        ["--ca-settle", "2s", "--ca-overlap", "8s", "--certificate-tick", "1s", "--leaf-validity", "45s"];
    let webhook_args = quick.map(str::to_owned).to_vec();
    let plan = Plan { webhooks: 2, reconcilers: 0, webhook_args, ..Plan::default() };
    let stack = Stack::start(plan).await.unwrap();
    namespaces(&stack, &["stream".to_owned()]).await.unwrap();
    let admin = stack.plane.client().await.unwrap();
    let stream = Stream::start(&ordinary_user(&stack).await.unwrap().client().await.unwrap());

    // The CA: announced, promoted, retired.
    let before = bundle(&admin).await.unwrap();
    let annotate = ["annotate", "secret", "concierge-ca", "-n", NAMESPACE, "concierge.dev/rotate-ca=now"];
    stack.plane.kubectl().run(&annotate).await.unwrap().ok().unwrap();
    let old = String::from_utf8(before).unwrap();
    until("the old CA leaves the bundle", || async {
        let now = String::from_utf8(bundle(&admin).await.unwrap()).unwrap();
        !now.contains(old.trim())
    })
    .await;

    // The leaves: renewed by themselves after two thirds of their life.
    let seen = [leaves(&stack, 0), leaves(&stack, 1)];
    for (number, seen) in seen.into_iter().enumerate() {
        until("the leaf is renewed", || async { leaves(&stack, number) > seen }).await;
    }

    // A GitOps tool puts an empty bundle back: healed. (Calls in between fail by design of the edit, so the
    // edit is of the mutating configuration, whose failures are ignored.)
    let patch = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]).to_string();
    let edit = ["patch", "mutatingwebhookconfiguration", "concierge", "--type=json", "-p", &patch];
    stack.plane.kubectl().run(&edit).await.unwrap().ok().unwrap();
    let get = [
        "get",
        "mutatingwebhookconfiguration",
        "concierge",
        "-o",
        "jsonpath={.webhooks[0].clientConfig.caBundle}",
    ];
    until("the bundle is put back", || async {
        !stack.plane.kubectl().run(&get).await.unwrap().stdout.is_empty()
    })
    .await;

    // Scale-out and a rolling restart: each replica is replaced by a new one.
    for old in 0..2 {
        let ready = stack.balancer.ready().len();
        stack.add_webhook().await.unwrap();
        stack.balancer.wait_ready(ready + 1, PATIENCE).await.unwrap();
        stack.signal_webhook(old, Signal::Term).unwrap();
        until("the old replica ends", || async { stack.webhook(old, |one| one.process.exited().is_some()) })
            .await;
    }

    let (sent, failed) = stream.stop().await;
    eprintln!("{sent} creates during all of it");
    assert_eq!(failed, Vec::<String>::new());
    assert!(sent > 200, "the stream was a stream: {sent}");
}
