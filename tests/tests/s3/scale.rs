//! Many buckets at real services: how many calls they cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::s3::{Server, Sockets};
use concierge_tests::soak::sample;
use serde_json::{Value, json};

use crate::world::World;

/// How long all may take.
const LONG: Duration = Duration::from_secs(20 * 60);

/// What a bucket has that each of these services can do.
fn spec() -> Value {
    json!({
        "versioning": { "enabled": true },
        "encryption": { "enabled": true, "algorithm": "AES256" },
        "lifecycle": { "rules": [{ "id": "old", "noncurrentDays": 30, "abortIncompleteMultipartDays": 7 }] },
        "cors": { "rules": [{ "allowedOrigins": ["https://shop.example"], "allowedMethods": ["GET"], "maxAgeSeconds": 60 }] },
        "tagging": { "tags": { "team": "shop" } },
        "publicAccess": {},
    })
}

/// The calls about buckets among all.
fn of_buckets(sent: Vec<String>) -> Vec<String> {
    let about_provider = |call: &String| {
        call.starts_with("POST / ") || ["POST /", "GET /", "GET /?x-id=ListBuckets"].contains(&&**call)
    };
    sent.into_iter().filter(|call| !about_provider(call)).collect()
}

async fn until_all(world: &World, keys: &[ObjectKey], what: &str, done: impl Fn(&World, &ObjectKey) -> bool) {
    let end = Instant::now() + LONG;
    for key in keys {
        world.until(what, end - Instant::now(), |world| done(world, key)).await;
    }
}

/// All are Ready, and looked at once more: at most 25 calls a bucket, then 9, nothing is written, and those that come last cost no more.
async fn cost(name: &str, server: &Server, kind: &str, names: &[String]) {
    let sockets = Arc::new(Sockets::new().unwrap());
    let limits = json!({ "requestsPerSecond": 500, "burst": 500, "concurrency": 16 });
    let world =
        World::over(&sockets, &server.endpoint, &server.admin, json!({ "type": kind, "rateLimit": limits }));
    let keys: Vec<_> = names.iter().map(|name| world.bucket(name, spec())).collect();
    let begun = Instant::now();
    let _process = world.healthy();
    until_all(&world, &keys, "ready", |world, key| world.server.is_ready(key) && world.is_synced(key)).await;
    let (ready, made) = (begun.elapsed(), of_buckets(sockets.sent_from(0)));

    let (from, begun) = (sockets.count(), Instant::now());
    for key in &keys {
        world.server.user_annotates(key, json!({ "concierge.dev/reconcile-at": "again" }));
    }
    until_all(&world, &keys, "looked at", |world, key| world.server.status(key)["reconciledAt"] == "again")
        .await;
    let (again, looked) = (begun.elapsed(), of_buckets(sockets.sent_from(from)));
    let written: Vec<_> =
        looked.iter().filter(|call| !call.starts_with("GET ") && !call.starts_with("HEAD ")).collect();
    let (made, looks) = (each(names, &made), each(names, &looked));
    println!(
        "{} buckets at {name}: Ready after {:.1} s with {} calls each; looked at again in {:.1} s with {} calls each",
        names.len(),
        ready.as_secs_f32(),
        told(&made),
        again.as_secs_f32(),
        told(&looks),
    );
    assert!(share(&made, 99) <= 25, "{made:?}");
    assert!(looks.iter().all(|calls| *calls > 0) && share(&looks, 99) <= 9, "{looks:?}");
    assert!(written.is_empty(), "{written:?}");
    let third = names.len() / 3;
    for calls in [&made, &looks] {
        let (first, last) = (&calls[..third], &calls[calls.len() - third..]);
        assert!(
            last.iter().sum::<usize>() <= first.iter().sum::<usize>() + third,
            "they cost more and more: {calls:?}"
        );
    }
}

/// How many calls were about each of them.
fn each(names: &[String], sent: &[String]) -> Vec<usize> {
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    for call in sent {
        let path = call.split_once(" /").map_or("", |(_, path)| path);
        *calls.entry(path.split(['/', '?']).next().unwrap_or_default()).or_default() += 1;
    }
    names.iter().map(|name| calls.get(&**name).copied().unwrap_or_default()).collect()
}

/// So many that `percent` of 100 have no more.
fn share(calls: &[usize], percent: usize) -> usize {
    let mut sorted = calls.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn told(calls: &[usize]) -> String {
    format!("{} (p99 {}, most {})", share(calls, 50), share(calls, 99), share(calls, 100))
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("concierge-scale-{n}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn a_thousand_buckets_at_seaweedfs_cost_few_calls_each() {
    let names = names(1000);
    let names = sample("buckets at SeaweedFS", &names, 300);
    cost("SeaweedFS", &Server::seaweedfs().await.unwrap(), "seaweedfs", names).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn two_hundred_buckets_at_moto_cost_few_calls_each() {
    cost("moto", &Server::moto().await.unwrap(), "aws", &names(200)).await;
}
