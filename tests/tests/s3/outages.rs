//! Services that do not answer, and credentials that are not taken.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::faults::{Fault, Pause, Rule};
use concierge_tests::{
    s3::fake::{ACCOUNT, Bucket, KEY, PROBE},
    simulation::MINUTE,
};
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

/// How soon after the end of an outage its Provider is to say so, and how soon after that all are to have been looked at.
const SOON: Duration = Duration::from_secs(10);

/// What a service of `count` buckets does for three minutes, and how many calls it gets meanwhile, probes aside. Soon after its end all is well.
async fn outage(count: usize, fault: Fault) -> usize {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, count);
    let _process = world.healthy();
    until_all(&world, "ready", 20 * MINUTE, &keys).await;
    let before = world.store.calls();
    world.store.faults().inject(Rule::any(), fault);
    world
        .until("noticed", 5 * MINUTE, |world| {
            world.server.condition(&provider, "Synced") == "False Transient"
        })
        .await;
    sleep(3 * MINUTE).await;
    assert!(keys.iter().all(|key| world.server.is_ready(key)), "as last seen");
    assert_eq!(world.server.status(&provider)["connected"], false);
    let asked = world.store.calls() - before;
    world.store.faults().clear();
    world.until("back", SOON, |world| world.is_synced(&provider)).await;
    until_all(&world, "looked at", SOON, &keys).await;
    asked
}

/// The ways in which a service can be out of reach. A certificate that is not believed is one of the first: no connection comes about.
fn ways() -> Vec<Fault> {
    let hangs = Fault::SlowBefore(Pause::For(60 * MINUTE));
    let statuses = [500, 503].map(Fault::StatusBefore);
    let pages = [302, 404, 502].map(Fault::Page);
    [Fault::Refuse, Fault::DropBefore, hangs].into_iter().chain(statuses).chain(pages).collect()
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_any_kind_costs_few_calls_leaves_all_ready_and_is_over_ten_seconds_after_its_end() {
    for way in ways() {
        let asked = outage(20, way.clone()).await;
        // A look at a bucket of which HEAD says that it is gone takes two.
        assert!(asked <= 20, "{way:?}: {asked} calls: those that noticed it, and one in half a minute");
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "soak"]
async fn an_outage_of_a_service_with_two_hundred_buckets_costs_few_calls() {
    for way in ways() {
        let asked = outage(200, way.clone()).await;
        println!("{way:?}: {asked} calls");
        assert!(asked <= 206, "{way:?}: {asked} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_door_that_answers_whatever_is_behind_it_is_no_reason_to_ask_more_often() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, 20);
    let _process = world.healthy();
    until_all(&world, "ready", 20 * MINUTE, &keys).await;
    let before = world.store.calls();
    for operation in ["ListBuckets", "HeadBucket", "GetBucketTagging"] {
        world.store.faults().inject(Rule::on(operation), Fault::StatusBefore(503));
    }
    let said = |world: &World| world.server.condition(&provider, "Synced") == "False Transient";
    world.until("noticed", 5 * MINUTE, said).await;
    sleep(3 * MINUTE).await;
    let asked = world.store.calls() - before;
    assert!(asked <= 16, "{asked} calls");
    world.store.faults().clear();
    world.until("back", Duration::from_secs(35), |world| world.is_synced(&provider)).await;
    until_all(&world, "looked at", SOON, &keys).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_iam_alone_leaves_buckets_alone_and_is_over_as_soon() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, 3);
    let users: Vec<_> = (0..20).map(|n| world.user(&format!("user-{n}"), json!({}))).collect();
    let _process = world.healthy();
    until_all(&world, "ready", 20 * MINUTE, &keys).await;
    until_all(&world, "ready", 20 * MINUTE, &users).await;
    let before = world.store.count("GetUser");
    for operation in ["GetUser", "GetCallerIdentity", PROBE] {
        world.store.faults().inject(Rule::on(operation), Fault::StatusBefore(503));
    }
    let said = |world: &World| world.server.condition(&provider, "Synced") == "False Transient";
    world.until("noticed", 15 * MINUTE, said).await;
    let lists = world.store.count("ListBuckets");
    sleep(10 * MINUTE).await;
    let lists = world.store.count("ListBuckets") - lists;
    assert!((15..=21).contains(&lists), "{lists} signed calls to S3 in ten minutes: one in half a minute");
    assert!(keys.iter().all(|key| world.is_synced(key)), "{}", world.dump());
    assert!(users.iter().all(|key| world.server.is_ready(key)), "as last seen");
    let asked = world.store.count("GetUser") - before;
    assert!(asked <= 40, "{asked} calls: those that noticed it, and one in half a minute");
    world.store.faults().clear();
    world.until("back", SOON, |world| world.is_synced(&provider)).await;
    until_all(&world, "looked at", SOON, &users).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_sts_alone_leaves_all_else_alone_and_is_over_as_soon() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let keys = buckets(&world, 3);
    let _process = world.healthy();
    until_all(&world, "ready", 20 * MINUTE, &keys).await;
    for operation in ["GetCallerIdentity", PROBE] {
        world.store.faults().inject(Rule::on(operation), Fault::DropBefore);
    }
    let said = |world: &World| world.server.condition(&provider, "Synced") == "False Transient";
    world.until("noticed", 5 * MINUTE, said).await;
    sleep(MINUTE).await;
    let calls = world.store.asked_from(0);
    sleep(10 * MINUTE).await;
    let asked = world.store.asked_from(calls.len());
    for operation in ["ListBuckets", "GetCallerIdentity"] {
        let signed = asked.iter().filter(|one| **one == operation).count();
        assert!(
            (15..=21).contains(&signed),
            "{signed} calls of {operation} in ten minutes: one in half a minute"
        );
    }
    assert!(keys.iter().all(|key| world.server.is_ready(key) && world.is_synced(key)), "{}", world.dump());
    world.store.faults().clear();
    world.until("back", SOON, |world| world.is_synced(&provider)).await;
}

/// The Provider's `status.accountId`, and whether it tells as whom it calls.
fn told(world: &World, provider: &ObjectKey) -> (String, bool) {
    let status = world.server.status(provider);
    (status["accountId"].as_str().unwrap_or_default().to_owned(), status["callerArn"].is_string())
}

/// Ceph calls an account otherwise where it tells of a bucket's owner.
#[tokio::test(start_paused = true)]
async fn what_sts_told_once_stays_whatever_it_answers_later() {
    let world = World::new();
    let provider = world.provider(json!({ "type": "ceph" }));
    let bucket = world.bucket("photos", json!({}));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    let silent = [500, 503].map(Fault::StatusBefore).into_iter();
    let silent = silent.chain([Fault::Page(404), Fault::Unauthorized, Fault::Throttle(None)]);
    let nothing = [400, 403, 405, 501].map(Fault::StatusBefore).into_iter().chain([Fault::Page(200)]);
    for (way, is_synced) in silent.map(|way| (way, false)).chain(nothing.map(|way| (way, true))) {
        world.store.faults().inject(Rule::on("GetCallerIdentity"), way.clone());
        let calls = world.store.count("GetCallerIdentity");
        let asked = |world: &World| world.store.count("GetCallerIdentity") > calls + 1;
        world.until("asked", 10 * MINUTE, asked).await;
        assert_eq!(world.is_synced(&provider), is_synced, "{way:?}: {}", world.dump());
        assert!(world.server.is_ready(&provider) && world.is_synced(&bucket), "{way:?}: {}", world.dump());
        assert_eq!(told(&world, &provider), (ACCOUNT.to_owned(), true), "{way:?}");
        world.store.faults().clear();
        world.until("back", 10 * MINUTE, |world| world.is_synced(&provider)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_the_buckets_is_the_account_until_sts_tells_it() {
    let world = World::new();
    world.store.with(|state| state.lacking.insert("GetCallerIdentity"));
    let provider = world.provider(json!({ "type": "ceph" }));
    let _process = world.healthy();
    world.until_ready(&provider).await;
    assert_eq!(told(&world, &provider), ("owner".to_owned(), false));
    world.store.with(|state| state.lacking.clear());
    let is_told = |world: &World| told(world, &provider) == (ACCOUNT.to_owned(), true);
    world.until("told", 5 * MINUTE, is_told).await;
    world.store.with(|state| state.lacking.insert("GetCallerIdentity"));
    sleep(10 * MINUTE).await;
    assert!(world.server.is_ready(&provider) && is_told(&world), "{}", world.dump());
    world.store.with(|state| state.account = Some("000000000001"));
    world.store.with(|state| state.lacking.clear());
    let refused = |world: &World| world.server.condition(&provider, "Ready") == "False OwnedByOther";
    world.until("refused", 5 * MINUTE, refused).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_patience_is_left_alone_also_when_it_does_not_say_for_how_long() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let _process = world.healthy();
    world.until_ready(&provider).await;
    world.store.faults().inject(Rule::on("ListBuckets"), Fault::Throttle(None));
    let said = |world: &World| world.server.condition(&provider, "Synced") == "False Throttled";
    world.until("noticed", 5 * MINUTE, said).await;
    let calls = world.store.count("ListBuckets");
    sleep(10 * MINUTE).await;
    let asked = world.store.count("ListBuckets") - calls;
    assert!((1..=20).contains(&asked), "{asked} calls in ten minutes");
    world.store.faults().clear();
    world.until("back", 10 * MINUTE, |world| world.is_synced(&provider)).await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_made_although_the_service_first_says_that_its_name_is_not_known_everywhere() {
    let world = World::new();
    world.store.faults().once("CreateBucket", Fault::StatusBefore(307));
    let bucket = world.bucket("photos", json!({}));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    assert_eq!(world.store.count("CreateBucket"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_page_in_the_place_of_the_service_does_not_know_the_service_still_has() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let bucket = world.bucket("photos", json!({ "versioning": { "enabled": true } }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.store.faults().inject(Rule::any(), Fault::Page(200));
    let unsupported = |world: &World| world.server.condition(&bucket, "Unsupported").starts_with("True");
    world.server.user_annotates(&bucket, json!({ "concierge.dev/reconcile-at": "now" }));
    world.until("looked at", MINUTE, unsupported).await;
    let said = |world: &World| world.server.condition(&provider, "Synced") == "False Transient";
    world.until("noticed", 5 * MINUTE, said).await;
    world.store.faults().clear();
    world.until("back", SOON, |world| world.is_synced(&provider)).await;
    world.until("looked at", SOON, |world| world.is_synced(&bucket) && !unsupported(world)).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_let_go_because_something_else_answers_that_it_is_not_there() {
    let world = World::new();
    let bucket = world.bucket("photos", json!({ "deletionPolicy": "Delete" }));
    let user = world.user("web", json!({}));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.until_ready(&user).await;
    world.store.faults().inject(Rule::any(), Fault::Page(404));
    for key in [&bucket, &user] {
        world.server.user_deletes(key);
    }
    sleep(30 * MINUTE).await;
    assert!(world.server.read(&bucket).is_some() && world.server.read(&user).is_some(), "{}", world.dump());
    assert!(world.store.has("photos") && world.store.with(|state| state.iam.users.contains_key("web")));
    world.store.faults().clear();
    world.until_gone(&bucket).await;
    world.until_gone(&user).await;
    assert!(!world.store.has("photos") && world.store.with(|state| state.iam.users.is_empty()));
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

/// A page that stands before a service which comes back: some services call it a success to make what is there.
#[tokio::test(start_paused = true)]
async fn nothing_is_made_because_something_else_answers_that_it_is_not_there() {
    let world = World::new();
    world.store.with(|state| state.buckets.insert("photos".to_owned(), Bucket::default()));
    world.store.faults().once("HeadBucket", Fault::Page(404));
    let bucket = world.bucket("photos", json!({}));
    let _process = world.healthy();
    let refused = |world: &World| world.server.condition(&bucket, "Ready") == "False OwnedByOther";
    world.until("refused", 5 * MINUTE, refused).await;
    assert_eq!(world.store.count("CreateBucket"), 0);
}

/// It knows where the bucket is, and does not say so: that is no outage.
#[tokio::test(start_paused = true)]
async fn a_bucket_in_a_region_that_the_service_does_not_tell_is_told_of_and_holds_nothing_else_up() {
    let world = World::new();
    let provider = world.provider(json!({}));
    world.store.faults().inject(Rule::on("HeadBucket"), Fault::Page(301));
    world.store.faults().inject(Rule::on("ListObjectsV2"), Fault::StatusBefore(301));
    let keys: Vec<_> = (0..6).map(|n| world.bucket(&format!("bucket-{n}"), json!({}))).collect();
    let user = world.user("web", json!({}));
    let _process = world.healthy();
    for key in &keys {
        let refused = |world: &World| world.server.condition(key, "Ready") == "False Refused";
        world.until("refused", 5 * MINUTE, refused).await;
        let says = world.server.message(key, "Ready");
        assert!(says.ends_with("create a Bucket with that one as spec.region instead"), "{says}");
    }
    world.until_ready(&user).await;
    sleep(10 * MINUTE).await;
    assert!(world.is_synced(&provider) && world.is_synced(&user), "{}", world.dump());
    assert_eq!(world.store.count("CreateBucket"), 0);
}
