//! Services that do not answer, and credentials that are not taken.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::faults::{Fault, Rule};
use concierge_tests::{s3::fake::KEY, simulation::MINUTE};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::world::{SECRET, World};

fn buckets(world: &World, count: usize) -> Vec<ObjectKey> {
    (0..count).map(|n| world.bucket(&format!("bucket-{n}"), json!({}))).collect()
}

async fn until_all(world: &World, what: &str, most: Duration, keys: &[ObjectKey]) {
    world
        .until(what, most, |world| keys.iter().all(|key| world.server.is_ready(key) && world.is_synced(key)))
        .await;
}

/// With a key that nobody knows, which costs few calls in five minutes and is forgotten once it is mended.
async fn wrong_key(count: usize) {
    let world = World::new();
    let provider = world.provider(json!({}));
    world.credentials("AKIANOBODYNOBODYNOBO", "nobody-knows-this-secret");
    let keys = buckets(&world, count);
    let _process = world.healthy();
    world
        .until("refused", MINUTE, |world| world.server.condition(&provider, "Ready") == "False Unauthorised")
        .await;
    let says = world.server.message(&provider, "Ready");
    assert_eq!(says, "the service refuses the access key in Secret login; correct it");
    sleep(5 * MINUTE).await;
    assert!(world.store.calls() <= 5, "{:?}", world.store.asked_from(0));
    for key in &keys {
        assert!(!world.server.is_ready(key));
        assert!(
            world.server.message(key, "Ready").contains("Provider default/p"),
            "{}",
            world.server.message(key, "Ready")
        );
    }

    world.credentials(KEY, SECRET);
    world.until("noticed", Duration::from_secs(15), |world| world.server.is_ready(&provider)).await;
    until_all(&world, "mended", 2 * MINUTE, &keys).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_costs_few_calls_names_its_secret_and_is_forgotten_once_mended() {
    wrong_key(60).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "soak"]
async fn a_wrong_key_of_two_hundred_buckets_costs_five_calls_in_five_minutes() {
    wrong_key(200).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_withdrawn_leaves_buckets_as_they_were_last_seen() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, 20);
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

/// What a service of `count` buckets does for three minutes, how many calls that costs, and how long afterwards its Provider says that it
/// is back. Then all are looked at.
async fn outage(count: usize, fault: Fault) -> (usize, Duration) {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, count);
    let _process = world.healthy();
    until_all(&world, "ready", 20 * MINUTE, &keys).await;
    let tries = |world: &World| world.store.calls() + world.store.with(|state| state.refused);
    let before = tries(&world);
    world.store.faults().inject(Rule::any(), fault);
    world
        .until("noticed", 5 * MINUTE, |world| {
            world.server.condition(&provider, "Synced") == "False Transient"
        })
        .await;
    sleep(3 * MINUTE).await;
    assert!(keys.iter().all(|key| world.server.is_ready(key)), "as last seen");
    assert_eq!(world.server.status(&provider)["connected"], false);
    let tried = tries(&world) - before;
    world.store.faults().clear();
    let over = Instant::now();
    world.until("back", MINUTE, |world| world.is_synced(&provider)).await;
    let back = over.elapsed();
    until_all(&world, "looked at", back + Duration::from_secs(10), &keys).await;
    (tried, back)
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_few_calls_leaves_all_ready_and_is_over_soon_after_its_end() {
    let (tried, back) = outage(20, Fault::Refuse).await;
    assert!(tried <= 50, "{tried} attempts to connect");
    assert!(back <= Duration::from_secs(10), "{back:?}");
    let (asked, back) = outage(20, Fault::DropBefore).await;
    assert!(asked <= 16, "{asked} calls: those that noticed it, and one in half a minute");
    assert!(back <= Duration::from_secs(35), "{back:?}");
}

#[tokio::test(start_paused = true)]
#[ignore = "soak"]
async fn an_outage_of_a_service_with_two_hundred_buckets_costs_few_calls() {
    for (fault, most) in [(Fault::Refuse, 10), (Fault::DropBefore, 35), (Fault::StatusBefore(503), 35)] {
        let (tried, back) = outage(200, fault.clone()).await;
        println!("{fault:?}: {tried} calls, back after {back:?}");
        assert!(tried <= 206 && back <= Duration::from_secs(most), "{fault:?}: {tried} calls, {back:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_is_over_as_soon_as_a_long_one() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, 3);
    let _process = world.healthy();
    until_all(&world, "ready", 20 * MINUTE, &keys).await;
    world.store.faults().inject(Rule::any(), Fault::Refuse);
    // One object finds it out, and its Provider is asked at once.
    world.server.user_annotates(&keys[0], json!({ "concierge.dev/reconcile-at": "now" }));
    let said = |world: &World, text: &str| world.server.condition(&provider, "Synced").starts_with(text);
    world.until("noticed", Duration::from_secs(2), |world| said(world, "False")).await;
    sleep(Duration::from_secs(40)).await;
    world.store.faults().clear();
    until_all(&world, "back", Duration::from_secs(10), &keys).await;
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
