//! Services that do not answer, and credentials that are not taken.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::faults::{Fault, Rule};
use concierge_tests::{s3::fake::KEY, simulation::MINUTE};
use serde_json::json;
use tokio::time::sleep;

use crate::world::{SECRET, World};

fn buckets(world: &World, count: usize) -> Vec<ObjectKey> {
    (0..count).map(|n| world.bucket(&format!("bucket-{n}"), json!({}))).collect()
}

async fn until_all(world: &World, what: &str, most: Duration, keys: &[ObjectKey]) {
    world
        .until(what, most, |world| keys.iter().all(|key| world.server.is_ready(key) && world.is_synced(key)))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_costs_few_calls_names_its_secret_and_is_forgotten_once_mended() {
    let world = World::new();
    let provider = world.provider(json!({}));
    world.credentials("AKIANOBODYNOBODYNOBO", "nobody-knows-this-secret");
    let keys = buckets(&world, 60);
    let _process = world.healthy();
    world
        .until("refused", MINUTE, |world| world.server.condition(&provider, "Ready") == "False Unauthorised")
        .await;
    let says = world.server.message(&provider, "Ready");
    assert_eq!(says, "the service refuses the access key in Secret login; correct it");
    sleep(5 * MINUTE).await;
    assert!(world.store.calls() <= 5, "{:?}", world.store.asked_from(0));
    assert!(keys.iter().all(|key| !world.server.is_ready(key)));

    world.credentials(KEY, SECRET);
    until_all(&world, "mended", 2 * MINUTE, &keys).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_withdrawn_leaves_buckets_as_they_were_last_seen() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, 60);
    let _process = world.healthy();
    until_all(&world, "ready", 20 * MINUTE, &keys).await;
    world.store.with(|state| state.withdrawn = true);
    let calls = world.store.calls();
    world
        .until("noticed", 5 * MINUTE, |world| {
            world.server.condition(&provider, "Ready") == "False Unauthorised"
        })
        .await;
    sleep(5 * MINUTE).await;
    let after = world.store.calls() - calls;
    assert!(after <= 6, "{after}");
    assert!(keys.iter().all(|key| world.server.is_ready(key)), "as last seen");
    world.store.with(|state| state.withdrawn = false);
    until_all(&world, "back", 20 * MINUTE, &keys).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_few_calls_leaves_all_ready_and_is_over_soon_after_its_end() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, 60);
    let _process = world.healthy();
    until_all(&world, "ready", 20 * MINUTE, &keys).await;
    let before = world.store.calls();
    world.store.faults().inject(Rule::any(), Fault::DropBefore);
    world
        .until("noticed", 5 * MINUTE, |world| {
            world.server.condition(&provider, "Synced") == "False Transient"
        })
        .await;
    sleep(3 * MINUTE).await;
    assert!(keys.iter().all(|key| world.server.is_ready(key)), "as last seen");
    assert_eq!(world.server.status(&provider)["connected"], false);
    let tried = world.store.calls() - before;
    assert!(tried <= 16, "{tried} calls in three minutes and those that noticed it");
    world.store.faults().clear();
    until_all(&world, "back", MINUTE + Duration::from_secs(15), &keys).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_account_is_not_used() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let bucket = world.bucket("photos", json!({}));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    let mut object = world.server.read(&provider).unwrap();
    object["status"]["accountId"] = "000000000001".into();
    world.server.user_puts_whole(object);
    world
        .until("noticed", 10 * MINUTE, |world| {
            world.server.condition(&provider, "Ready") == "False OwnedByOther"
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_told() {
    let world = World::new();
    world.store.with(|state| state.denied.extend(["PutBucketCors", "GetBucketLifecycleConfiguration"]));
    let bucket = world.bucket("photos", json!({ "lifecycle": {}, "cors": { "rules": [{ "allowedOrigins": ["*"], "allowedMethods": ["GET"] }] } }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.credentials("AKIANOBODYNOBODYNOBO", "nobody-knows-this-secret");
    sleep(10 * MINUTE).await;
    let told = world.dump();
    for secret in [SECRET, "nobody-knows-this-secret"] {
        assert!(!told.contains(secret), "{told}");
    }
}
