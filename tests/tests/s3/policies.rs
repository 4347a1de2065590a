//! Policies of buckets.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{
    faults::{Fault, Pause, Rule},
    s3::fake::ACCOUNT,
    simulation::{MINUTE, Process},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

/// How long a service takes that is slow: less than the engine's time-out.
const SLOW: Duration = Duration::from_secs(3);

/// A bucket whose object has another name than the bucket has.
async fn with_bucket(world: &World) -> (Process, ObjectKey) {
    let spec = json!({ "name": "photos-of-shop", "providerRef": { "name": "p" } });
    let bucket = world.put("Bucket", "photos", spec);
    let process = world.healthy();
    world.until_ready(&bucket).await;
    (process, bucket)
}

fn statement(more: Value) -> Value {
    let mut statement = json!({
        "effect": "Allow", "principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/jane") }, "action": "s3:GetObject",
        "resource": "arn:aws:s3:::photos-of-shop/*",
    });
    statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "bucketRef": { "name": "photos" }, "policy": { "version": "2012-10-17", "statement": [statement] } })
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_set_on_the_buckets_real_name_and_compared_by_what_it_says() {
    let world = World::new();
    let (_process, _bucket) = with_bucket(&world).await;
    let policy = world.put("BucketPolicy", "readers", statement(json!({})));
    world.until_ready(&policy).await;
    let text = world.store.part("photos-of-shop", "policy");
    assert!(text.contains("s3:GetObject"), "{text}");
    assert_eq!(world.server.status(&policy)["applied"], true);
    // As services give it back: lists of one, another order.
    let rewritten = json!({
        "Statement": [{
            "Resource": ["arn:aws:s3:::photos-of-shop/*"], "Action": ["S3:GetObject"], "Effect": "Allow",
            "Principal": { "AWS": [format!("arn:aws:iam::{ACCOUNT}:user/jane")] },
        }],
        "Version": "2012-10-17",
    });
    world.store.with(|state| {
        state.buckets.get_mut("photos-of-shop").unwrap().parts.insert("policy", rewritten.to_string())
    });
    let calls = world.store.calls();
    sleep(25 * MINUTE).await;
    assert!(!world.store.asked_from(calls).contains(&"PutBucketPolicy"));

    world.store.with(|state| state.buckets.get_mut("photos-of-shop").unwrap().parts.remove("policy"));
    world.until("mended", 25 * MINUTE, |world| world.store.part("photos-of-shop", "policy") == text).await;
    world.server.user_deletes(&policy);
    world.until_gone(&policy).await;
    assert_eq!(world.store.part("photos-of-shop", "policy"), "");
    assert!(world.store.has("photos-of-shop"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_somebody_else_made_is_left_alone_until_it_is_adopted() {
    let world = World::new();
    let (_process, _bucket) = with_bucket(&world).await;
    let theirs = r#"{"Version":"2012-10-17","Statement":[]}"#;
    world.store.with(|state| {
        state.buckets.get_mut("photos-of-shop").unwrap().parts.insert("policy", theirs.to_owned())
    });
    let policy = world.put("BucketPolicy", "readers", statement(json!({})));
    world
        .until("refused", 5 * MINUTE, |world| {
            world.server.condition(&policy, "Ready") == "False OwnedByOther"
        })
        .await;
    sleep(25 * MINUTE).await;
    assert_eq!(world.store.part("photos-of-shop", "policy"), theirs);
    world.server.user_annotates(&policy, json!({ "concierge.dev/adopt": "true" }));
    world.until_ready(&policy).await;
    assert!(world.store.part("photos-of-shop", "policy").contains("jane"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_shuts_us_out_is_not_set_unless_that_is_meant() {
    let world = World::new();
    let (_process, _bucket) = with_bucket(&world).await;
    let denies = json!({ "effect": "Deny", "principal": "*", "action": "s3:*", "resource": ["arn:aws:s3:::photos-of-shop", "arn:aws:s3:::photos-of-shop/*"] });
    let policy = world.put("BucketPolicy", "nobody", statement(denies.clone()));
    world
        .until("refused", 5 * MINUTE, |world| world.server.condition(&policy, "Ready") == "False Invalid")
        .await;
    let says = world.server.message(&policy, "Ready");
    assert!(says.contains("denies s3:GetBucketPolicy to Concierge"), "{says}");
    sleep(25 * MINUTE).await;
    assert!(!world.store.asked_from(0).contains(&"PutBucketPolicy"));
    let mut meant = statement(denies);
    meant["allowLockout"] = true.into();
    world.put("BucketPolicy", "nobody", meant);
    world.until_ready(&policy).await;
}

/// The policy may be tried before its Bucket has opened the bucket.
#[tokio::test(start_paused = true)]
async fn a_public_policy_is_set_as_soon_as_the_bucket_does_not_block_it_any_more() {
    let world = World::new();
    let bucket = |more: Value| {
        let mut spec =
            json!({ "name": "photos-of-shop", "providerRef": { "name": "p" }, "publicAccess": {} });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.put("Bucket", "photos", spec)
    };
    let key = bucket(json!({ "allowPublic": true }));
    let _process = world.healthy();
    world.until_ready(&key).await;
    let policy = world.put("BucketPolicy", "readers", statement(json!({})));
    world.until_ready(&policy).await;
    world.store.faults().inject(Rule::on("PutPublicAccessBlock"), Fault::SlowBefore(Pause::For(SLOW)));
    bucket(
        json!({ "allowPublic": true, "publicAccess": { "blockPublicPolicy": false, "restrictPublicBuckets": false } }),
    );
    world.put("BucketPolicy", "readers", statement(json!({ "principal": "*" })));
    let is_refused = |world: &World| world.server.condition(&policy, "Synced") == "False Refused";
    world.until("refused", MINUTE, is_refused).await;
    world.until_ready(&policy).await;
    assert_eq!(world.store.count("PutBucketPolicy"), 3, "{}", world.dump());
}

/// The Bucket is in another namespace, which may take back at any time that it is named.
#[tokio::test(start_paused = true)]
async fn a_policy_that_its_bucket_permits_no_longer_is_taken_away_when_it_goes() {
    let (world, _process, policy) = permitted_no_longer().await;
    assert_ne!(world.store.part("photos-of-shop", "policy"), "", "it stays while the object is there");
    world.server.user_deletes(&policy);
    world.until_gone(&policy).await;
    assert_eq!(world.store.part("photos-of-shop", "policy"), "");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_others_set_since_the_bucket_permits_ours_no_longer_stays() {
    let (world, _process, policy) = permitted_no_longer().await;
    let theirs = r#"{"Version":"2012-10-17","Statement":[]}"#;
    world.store.with(|state| {
        state.buckets.get_mut("photos-of-shop").unwrap().parts.insert("policy", theirs.to_owned())
    });
    world.server.user_deletes(&policy);
    world.until_gone(&policy).await;
    assert_eq!(world.store.part("photos-of-shop", "policy"), theirs);
}

async fn permitted_no_longer() -> (World, Process, ObjectKey) {
    let world = World::new();
    let (process, bucket) = with_bucket(&world).await;
    let allow = |names: Value| {
        world.server.user_annotates(&bucket, json!({ "concierge.dev/allow-references-from": names }));
    };
    allow(json!("elsewhere"));
    let mut spec = statement(json!({}));
    spec["bucketRef"]["namespace"] = json!("default");
    world.server.user_puts(json!({
        "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "BucketPolicy", "spec": spec,
        "metadata": { "name": "readers", "namespace": "elsewhere" },
    }));
    let policy = ObjectKey::new("BucketPolicy", "elsewhere", "readers");
    world.until_ready(&policy).await;
    allow(json!(null));
    sleep(MINUTE).await;
    (world, process, policy)
}

/// What somebody else set is not taken away by an object that may not even name the bucket.
#[tokio::test(start_paused = true)]
async fn a_policy_that_its_bucket_never_permitted_takes_nothing_away() {
    let world = World::new();
    let (_process, _bucket) = with_bucket(&world).await;
    let mine = world.put("BucketPolicy", "readers", statement(json!({})));
    world.until_ready(&mine).await;
    let mut spec = statement(json!({}));
    spec["bucketRef"]["namespace"] = json!("default");
    world.server.user_puts(json!({
        "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "BucketPolicy", "spec": spec,
        "metadata": { "name": "readers", "namespace": "elsewhere", "finalizers": ["concierge.dev/finalizer"] },
    }));
    let theirs = ObjectKey::new("BucketPolicy", "elsewhere", "readers");
    sleep(MINUTE).await;
    world.server.user_deletes(&theirs);
    world.until_gone(&theirs).await;
    assert_ne!(world.store.part("photos-of-shop", "policy"), "");
}

#[tokio::test(start_paused = true)]
async fn no_policy_is_set_on_a_bucket_that_is_anothers_by_now() {
    const MARK: &str = "<Tagging><TagSet><Tag><Key>concierge.dev/owner</Key><Value>cluster/shop/other/uid</Value></Tag></TagSet></Tagging>";
    for (theirs, adopts) in [(None, false), (Some(r#"{"Version":"2012-10-17","Statement":[]}"#), true)] {
        let world = World::new();
        let (_process, _bucket) = with_bucket(&world).await;
        world.store.with(|state| {
            let parts = &mut state.buckets.get_mut("photos-of-shop").unwrap().parts;
            parts.insert("tagging", MARK.to_owned());
            if let Some(theirs) = theirs {
                parts.insert("policy", theirs.to_owned());
            }
        });
        let policy = world.put("BucketPolicy", "readers", statement(json!({})));
        world.server.user_annotates(&policy, json!({ "concierge.dev/adopt": adopts.to_string() }));
        world
            .until("refused", MINUTE, |world| {
                world.server.condition(&policy, "Ready") == "False OwnedByOther"
            })
            .await;
        let says = world.server.message(&policy, "Ready");
        assert!(says.contains("is not the one of its Bucket"), "{says}");
        assert!(!world.store.asked_from(0).contains(&"PutBucketPolicy"));
    }
}

/// The Provider's endpoint is http.
#[tokio::test(start_paused = true)]
async fn a_policy_that_demands_tls_of_who_calls_without_it_is_not_set() {
    let world = World::new();
    let (_process, _bucket) = with_bucket(&world).await;
    let denies = json!({
        "effect": "Deny", "principal": "*", "action": "s3:*", "resource": ["arn:aws:s3:::photos-of-shop", "arn:aws:s3:::photos-of-shop/*"],
        "condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    let policy = world.put("BucketPolicy", "encrypted", statement(denies));
    world
        .until("refused", 5 * MINUTE, |world| world.server.condition(&policy, "Ready") == "False Invalid")
        .await;
    let says = world.server.message(&policy, "Ready");
    assert!(says.contains("denies s3:GetBucketPolicy to Concierge"), "{says}");
    assert!(!world.store.asked_from(0).contains(&"PutBucketPolicy"));
}

/// A service that does not know policies would delete the bucket.
#[tokio::test(start_paused = true)]
async fn a_policy_that_was_answered_with_another_document_is_never_deleted() {
    let world = World::new();
    let (_process, _bucket) = with_bucket(&world).await;
    let policy = world.put("BucketPolicy", "readers", statement(json!({})));
    world.until_ready(&policy).await;
    world.store.with(|state| state.mistaken.insert("policy"));
    world.server.user_deletes(&policy);
    sleep(20 * MINUTE).await;
    let says = world.server.message(&policy, "Deleting");
    assert!(says.contains("bucket photos-of-shop still has the policy"), "{says}");
    assert!(world.store.has("photos-of-shop"));
    world.store.with(|state| state.mistaken.clear());
    world.until_gone(&policy).await;
    assert!(world.store.has("photos-of-shop") && world.store.part("photos-of-shop", "policy").is_empty());
}
