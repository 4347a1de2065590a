//! Buckets: made, marked, kept as the spec says.

use concierge_reconciler::engine::{ObjectKey, seams::CrashPoint};
use concierge_tests::{
    faults::Fault,
    s3::fake::{self, ACCOUNT, Store},
    simulation::{MINUTE, ProcessOptions, Simulated},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

/// Something of everything.
pub(crate) fn everything() -> Value {
    json!({
        "publicAccess": {},
        "encryption": { "enabled": true, "algorithm": "AES256" },
        "versioning": { "enabled": true },
        "lifecycle": { "rules": [
            { "id": "old", "noncurrentDays": 30, "abortIncompleteMultipartDays": 7 },
            { "id": "logs", "prefix": "logs/", "expiration": { "days": 90 } },
        ] },
        "cors": { "rules": [{
            "allowedOrigins": ["https://shop.example", "https://a.example"], "allowedMethods": ["GET", "PUT"],
            "exposedHeaders": ["ETag"], "maxAgeSeconds": 60,
        }] },
        "tagging": { "tags": { "team": "shop" } },
    })
}

/// The document of a GET whose writes are sorted by nothing: as some services give it back.
fn put_bucket(store: &Store, name: &str) {
    store.with(|state| state.buckets.insert(name.to_owned(), fake::Bucket::default()));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_made_marked_and_set_up_with_few_calls_and_then_left_alone() {
    let world = World::new();
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    let made = world.store.asked_from(0);
    let of_bucket = made.iter().filter(|one| !["ListBuckets", "GetCallerIdentity"].contains(one)).count();
    assert!(of_bucket <= 25, "{of_bucket}: {made:?}");
    let tags = world.store.part("photos", "tagging");
    let meta = world.server.read(&bucket).unwrap()["metadata"].clone();
    let mark = format!("/default/photos/{}", meta["uid"].as_str().unwrap());
    assert!(tags.contains("concierge.dev/owner") && tags.contains(&mark) && tags.contains("team"), "{tags}");
    for part in ["publicAccessBlock", "encryption", "versioning", "lifecycle", "cors"] {
        assert_ne!(world.store.part("photos", part), "", "{part}");
    }
    let status = world.server.status(&bucket);
    assert_eq!(status["arn"], "arn:aws:s3:::photos");
    assert_eq!(status["exists"], true);

    let (calls, writes) = (world.store.calls(), world.server.writes());
    sleep(15 * MINUTE).await;
    let later = world.store.asked_from(calls);
    assert!(later.contains(&"HeadBucket"), "it is looked at again: {later:?}");
    assert!(!later.iter().any(|one| one.starts_with("Put") || one.starts_with("Delete")), "{later:?}");
    let looks = later.iter().filter(|one| **one == "HeadBucket").count();
    let of_bucket = later.iter().filter(|one| !["ListBuckets", "GetCallerIdentity"].contains(one)).count();
    assert!(of_bucket <= 9 * looks, "{of_bucket} calls in {looks} looks");
    assert_eq!(world.server.writes(), writes, "nothing is written while nothing changes");
}

#[tokio::test(start_paused = true)]
async fn a_provider_says_whose_the_key_is() {
    let world = World::new();
    let _process = world.healthy();
    let provider = world.provider(json!({}));
    world.until_ready(&provider).await;
    let status = world.server.status(&provider);
    assert_eq!(status["accountId"], ACCOUNT);
    assert_eq!(status["callerArn"], format!("arn:aws:iam::{ACCOUNT}:user/concierge"));
    assert_eq!(status["connected"], true);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_without_our_mark_is_left_alone_until_it_is_adopted() {
    let world = World::new();
    put_bucket(&world.store, "photos");
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    world
        .until("refused", 5 * MINUTE, |world| {
            world.server.condition(&bucket, "Ready") == "False OwnedByOther"
        })
        .await;
    sleep(30 * MINUTE).await;
    assert_eq!(world.store.part("photos", "tagging"), "");
    assert!(!world.store.asked_from(0).iter().any(|one| one.starts_with("Put")));
    assert_ne!(world.server.status(&bucket)["exists"], true);

    world.server.user_annotates(&bucket, json!({ "concierge.dev/adopt": "true" }));
    world.until_ready(&bucket).await;
    assert!(world.store.part("photos", "tagging").contains("concierge.dev/owner"));
    assert!(world.told().iter().any(|told| told == "Adopted: took over bucket photos"), "{:?}", world.told());
}

#[tokio::test(start_paused = true)]
async fn what_the_predecessor_made_is_ours() {
    let world = World::new();
    put_bucket(&world.store, "photos");
    let bucket = world.bucket("photos", json!({}));
    let mut object = world.server.read(&bucket).unwrap();
    // As the predecessor left it: its own words in the status, its finalizer.
    object["status"] = json!({ "bucketName": "photos", "exists": true, "conditions": [] });
    object["metadata"]["finalizers"] = json!(["s3.cloud37.dev/finalizer"]);
    world.server.user_deletes(&bucket);
    world.server.user_puts_whole(object);
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    assert!(world.store.part("photos", "tagging").contains("concierge.dev/owner"));
    let finalizers = concierge_tests::simulation::server::finalizers(&world.server.read(&bucket).unwrap());
    assert_eq!(finalizers, ["concierge.dev/finalizer"]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_bears_anothers_mark_by_now_is_not_recorded_any_more() {
    let world = World::new();
    let bucket = world.bucket("photos", json!({}));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    assert_eq!(world.server.status(&bucket)["exists"], true);
    assert!(world.server.status(&bucket)["service"].is_string(), "by it namesakes are found");
    let theirs = "<Tagging><TagSet><Tag><Key>concierge.dev/owner</Key><Value>cluster/shop/other/uid</Value></Tag></TagSet></Tagging>";
    world
        .store
        .with(|state| state.buckets.get_mut("photos").unwrap().parts.insert("tagging", theirs.to_owned()));
    let lost = |world: &World| world.server.condition(&bucket, "Ready") == "False OwnedByOther";
    world.until("lost", 15 * MINUTE, lost).await;
    assert!(world.server.status(&bucket)["exists"].is_null(), "{}", world.dump());
}

/// The process dies at each point of making a bucket, and the answer is lost or not: another one ends with one bucket that is ours.
#[tokio::test(start_paused = true)]
async fn a_bucket_that_was_made_and_not_marked_is_not_foreign_to_the_next_run() {
    let points = [
        CrashPoint::IntentWritten,
        CrashPoint::AboutToSend,
        CrashPoint::Answered,
        CrashPoint::OutcomeLogged,
        CrashPoint::OutcomeRecorded,
        CrashPoint::Acted,
        CrashPoint::StatusWritten,
    ];
    for point in points {
        for lost in [false, true] {
            let world = World::new();
            if lost {
                world.store.faults().once("CreateBucket", Fault::DropAfter);
            }
            let bucket = world.bucket("photos", everything());
            let options = ProcessOptions {
                crash_at: Some((point, 1)),
                with: Some("Bucket"),
                ..ProcessOptions::default()
            };
            let first = world.start("first", options);
            let mut interrupted = first.interrupted.clone();
            let _ = tokio::time::timeout(10 * MINUTE, interrupted.wait_for(|interrupted| *interrupted)).await;
            drop(first);
            let _second = world.start("second", ProcessOptions::default());
            world
                .until(&format!("ready, {point:?}, lost: {lost}"), 60 * MINUTE, |world| {
                    world.server.is_ready(&bucket)
                })
                .await;
            assert!(world.store.part("photos", "tagging").contains("concierge.dev/owner"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn drift_is_shown_as_a_difference_and_mended() {
    let world = World::new();
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    let lifecycle = world.store.part("photos", "lifecycle");
    world.store.with(|state| {
        let parts = &mut state.buckets.get_mut("photos").unwrap().parts;
        parts.remove("versioning");
        *parts.get_mut("lifecycle").unwrap() = lifecycle.replace("<Days>90</Days>", "<Days>1</Days>");
    });
    world.until("mended", 20 * MINUTE, |world| world.store.part("photos", "lifecycle") == lifecycle).await;
    world.until("told", MINUTE, |world| world.server.condition(&bucket, "Drifted") == "False InSync").await;
    assert!(world.store.part("photos", "versioning").contains("Enabled"));
    let told = world.told().join("\n");
    assert!(told.contains("Updated: set versioning of bucket photos: none -> Enabled"), "{told}");
    assert!(told.contains("expire after 1 d") && told.contains("expire after 90 d"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn what_the_spec_says_no_more_is_taken_away_and_what_others_made_stays() {
    let world = World::new();
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    let tags = world
        .store
        .part("photos", "tagging")
        .replace("</TagSet>", "<Tag><Key>cost</Key><Value>1</Value></Tag></TagSet>");
    world.store.with(|state| state.buckets.get_mut("photos").unwrap().parts.insert("tagging", tags));
    world.bucket("photos", json!({ "tagging": { "tags": { "app": "web" } } }));
    world.until_ready(&bucket).await;
    let tags = world.store.part("photos", "tagging");
    assert!(tags.contains("app") && tags.contains("cost") && tags.contains("concierge.dev/owner"), "{tags}");
    assert!(!tags.contains("team"), "{tags}");
    for part in ["lifecycle", "cors"] {
        assert_eq!(world.store.part("photos", part), "", "{part}");
    }
    world.bucket("photos", json!({ "tagging": { "tags": { "app": "web" }, "policy": "Exact" } }));
    world.until("exact", 5 * MINUTE, |world| !world.store.part("photos", "tagging").contains("cost")).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_service_can_not_do_or_does_not_allow_concerns_one_field_and_the_others_are_set() {
    let world = World::new();
    world.store.with(|state| {
        state.lacking.insert("encryption");
        state.denied.insert("PutBucketCors");
        state.denied.insert("GetPublicAccessBlock");
    });
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    assert_eq!(world.server.condition(&bucket, "Unsupported"), "True Unsupported");
    assert_eq!(
        world.server.message(&bucket, "Unsupported"),
        "spec.encryption: the provider has no encryption"
    );
    assert_eq!(world.server.condition(&bucket, "AccessDenied"), "True Denied");
    let denied = world.server.message(&bucket, "AccessDenied");
    assert!(denied.contains("spec.cors: PutBucketCors was answered AccessDenied"), "{denied}");
    assert!(denied.contains("spec.publicAccess: GetPublicAccessBlock was answered AccessDenied"), "{denied}");
    assert!(world.store.part("photos", "lifecycle").contains("logs/"), "the others are set");
    let calls = world.store.calls();
    sleep(25 * MINUTE).await;
    let later = world.store.asked_from(calls);
    assert!(!later.contains(&"PutBucketCors") && !later.contains(&"GetBucketEncryption"), "{later:?}");

    world.store.with(|state| state.denied.clear());
    world.server.user_annotates(&bucket, json!({ "concierge.dev/reconcile-at": "now" }));
    world
        .until("allowed", 5 * MINUTE, |world| world.store.part("photos", "cors").contains("shop.example"))
        .await;
    world.until("said", 5 * MINUTE, |world| world.server.condition(&bucket, "AccessDenied").is_empty()).await;
}

/// The conditions of a bucket at a Provider that says this of its service.
async fn at_a_service_with(capabilities: Value, more: Value) -> (World, Vec<&'static str>) {
    let world = World::new();
    let mut spec = json!({ "capabilities": capabilities });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.provider(spec);
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    let asked = world.store.asked_from(0);
    (world, asked)
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_says_of_its_service_is_believed_either_way() {
    let lacks = json!({ "encryption": false, "cors": false });
    let (world, asked) = at_a_service_with(lacks, json!({})).await;
    let bucket = ObjectKey::new("Bucket", "default", "photos");
    let says = world.server.message(&bucket, "Unsupported");
    assert_eq!(says, "spec.encryption: the provider has no encryption; spec.cors: the provider has no cors");
    let about = |call: &&str| call.contains("Encryption") || call.contains("Cors");
    assert!(!asked.iter().any(about), "nobody is asked: {asked:?}");
    assert_ne!(world.store.part("photos", "lifecycle"), "");

    // A service of this type has neither, unless its Provider says so.
    let (world, _) = at_a_service_with(json!({}), json!({ "type": "versitygw" })).await;
    assert!(world.server.message(&bucket, "Unsupported").contains("spec.encryption"));
    assert_eq!(world.store.part("photos", "encryption"), "");
    let has = json!({ "encryption": true, "lifecycle": true, "publicAccessBlock": true });
    let (world, _) = at_a_service_with(has, json!({ "type": "versitygw" })).await;
    assert_eq!(world.server.condition(&bucket, "Unsupported"), "");
    for part in ["encryption", "lifecycle", "publicAccessBlock"] {
        assert_ne!(world.store.part("photos", part), "", "{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_tags_there_is_no_mark_until_the_provider_says_that_it_has_them() {
    let (world, asked) = at_a_service_with(json!({ "tagging": false }), json!({})).await;
    assert!(!asked.iter().any(|call| call.contains("Tagging")), "{asked:?}");
    let bucket = ObjectKey::new("Bucket", "default", "photos");
    assert!(world.server.message(&bucket, "Unsupported").contains("spec.tagging"));
    let _process = world.healthy();
    world.provider(json!({}));
    let marked = |world: &World| world.store.part("photos", "tagging").contains("concierge.dev/owner");
    world.until("marked", 15 * MINUTE, marked).await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_another_region_is_reached_when_the_spec_names_that() {
    let world = World::new();
    let mut spec = everything();
    spec["region"] = json!("eu-west-1");
    let bucket = world.bucket("photos", spec);
    let statement = json!({
        "effect": "Allow", "principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/jane") }, "action": "s3:GetObject",
        "resource": "arn:aws:s3:::photos/*",
    });
    let readers = json!({ "bucketRef": { "name": "photos" }, "policy": { "version": "2012-10-17", "statement": [statement] } });
    let policy = world.put("BucketPolicy", "readers", readers);
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.until_ready(&policy).await;
    assert_eq!(
        world.store.with(|state| state.buckets["photos"].region.clone()).as_deref(),
        Some("eu-west-1")
    );
    assert!(world.store.part("photos", "tagging").contains("concierge.dev/owner"));
}

/// A bucket of the account in this region, that nobody has marked.
fn put_bucket_in(world: &World, region: &str) {
    put_bucket(&world.store, "photos");
    world.store.with(|state| state.buckets.get_mut("photos").unwrap().region = Some(region.to_owned()));
}

/// As the predecessor left it, whose client followed where it was sent.
#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_found_in_another_region_is_looked_after_there() {
    let world = World::new();
    put_bucket_in(&world, "eu-west-1");
    let bucket = world.bucket("photos", everything());
    let mut object = world.server.read(&bucket).unwrap();
    object["status"] = json!({ "bucketName": "photos", "exists": true, "conditions": [] });
    world.server.user_puts_whole(object);
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    assert_eq!(world.server.status(&bucket)["region"], "eu-west-1");
    assert!(world.store.part("photos", "tagging").contains("concierge.dev/owner"));
    assert!(world.store.part("photos", "lifecycle").contains("logs/"), "{}", world.dump());
    world.server.user_deletes(&bucket);
    world.until_gone(&bucket).await;
    assert!(!world.store.part("photos", "tagging").contains("concierge.dev/owner"), "{}", world.dump());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_somebody_else_is_left_alone_in_any_region() {
    let world = World::new();
    put_bucket_in(&world, "eu-west-1");
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    let refused = |world: &World| world.server.condition(&bucket, "Ready") == "False OwnedByOther";
    world.until("refused", 5 * MINUTE, refused).await;
    world.server.user_deletes(&bucket);
    world.until_gone(&bucket).await;
    assert!(!world.store.asked_from(0).iter().any(|one| one.starts_with("Put")), "{}", world.dump());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_not_in_the_region_of_its_spec_is_told_of_with_the_field_and_the_remedy() {
    let world = World::new();
    put_bucket_in(&world, "eu-west-1");
    let bucket = world.bucket("photos", json!({ "region": "eu-central-1" }));
    let _process = world.healthy();
    world
        .until("told", 5 * MINUTE, |world| world.server.condition(&bucket, "Ready") == "False Refused")
        .await;
    let says = world.server.message(&bucket, "Ready");
    let wanted = "bucket photos: it is in the region eu-west-1, and spec.region is eu-central-1; create a Bucket with spec.region: \
                  eu-west-1 instead";
    assert_eq!(says, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_another_account_is_told_of_and_nothing_is_made() {
    let world = World::new();
    world.store.with(|state| state.denied.insert("HeadBucket"));
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    let refused = |world: &World| world.server.condition(&bucket, "Ready") == "False Refused";
    world.until("refused", 5 * MINUTE, refused).await;
    let says = world.server.message(&bucket, "Ready");
    assert!(says.contains("it is another account's, or s3:ListBucket is not allowed"), "{says}");
    sleep(30 * MINUTE).await;
    assert!(!world.store.asked_from(0).iter().any(|one| one.starts_with("Put") || one.starts_with("Create")));
}

/// Names of buckets are all of AWS's, and whoever has one may let us in.
#[tokio::test(start_paused = true)]
async fn a_bucket_that_was_made_again_by_another_account_which_lets_us_in_is_left_alone() {
    let world = World::new();
    world.provider(json!({ "type": "aws" }));
    let bucket = world.bucket("photos", everything());
    let process = world.healthy();
    world.until_ready(&bucket).await;
    drop(process);
    let theirs = fake::Bucket { owner: Some("000000000001"), ..fake::Bucket::default() };
    world.store.with(|state| state.buckets.insert("photos".to_owned(), theirs));
    let from = world.store.calls();
    let _process = world.healthy();
    let refused = |world: &World| world.server.condition(&bucket, "Ready") == "False Refused";
    world.until("refused", 5 * MINUTE, refused).await;
    sleep(30 * MINUTE).await;
    let sent = world.store.asked_from(from);
    assert!(!sent.iter().any(|one| one.starts_with("Put") || one.starts_with("Create")), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_has_at_the_provider_is_told_of_and_the_bucket_is_not_ready() {
    let world = World::new();
    world.store.with(|state| state.taken.insert("photos"));
    let bucket = world.bucket("photos", everything());
    let _process = world.healthy();
    let told = |world: &World| world.server.message(&bucket, "Synced").contains("taken by somebody else");
    world.until("told", 5 * MINUTE, told).await;
    assert!(!world.server.is_ready(&bucket), "{}", world.dump());
    assert_ne!(world.server.status(&bucket)["exists"], true);
}
