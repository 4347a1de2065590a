//! Many buckets at real services: how many calls they cost.

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

/// All are Ready, and looked at once more: at most 25 calls a bucket, then 9, and nothing is written.
async fn cost(name: &str, server: &Server, kind: &str, names: &[String]) {
    let sockets = Arc::new(Sockets::new().unwrap());
    let limits = json!({ "requestsPerSecond": 500, "burst": 500, "concurrency": 16 });
    let world =
        World::over(&sockets, &server.endpoint, &server.admin, json!({ "type": kind, "rateLimit": limits }));
    let keys: Vec<_> = names.iter().map(|name| world.bucket(name, spec())).collect();
    let begun = Instant::now();
    let _process = world.healthy();
    until_all(&world, &keys, "ready", |world, key| world.server.is_ready(key) && world.is_synced(key)).await;
    let (ready, made) = (begun.elapsed(), of_buckets(sockets.sent_from(0)).len());

    let (from, begun) = (sockets.count(), Instant::now());
    for key in &keys {
        world.server.user_annotates(key, json!({ "concierge.dev/reconcile-at": "again" }));
    }
    until_all(&world, &keys, "looked at", |world, key| world.server.status(key)["reconciledAt"] == "again")
        .await;
    let (again, looked) = (begun.elapsed(), of_buckets(sockets.sent_from(from)));
    let written: Vec<_> =
        looked.iter().filter(|call| !call.starts_with("GET ") && !call.starts_with("HEAD ")).collect();
    let each = |calls: usize| calls as f32 / names.len() as f32;
    println!(
        "{} buckets at {name}: Ready after {:.1} s with {:.1} calls each; looked at again in {:.1} s with {:.1} calls each",
        names.len(),
        ready.as_secs_f32(),
        each(made),
        again.as_secs_f32(),
        each(looked.len()),
    );
    assert!(made <= 25 * names.len(), "{made} calls");
    assert!(looked.len() >= names.len() && looked.len() <= 9 * names.len(), "{} calls", looked.len());
    assert!(written.is_empty(), "{written:?}");
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
