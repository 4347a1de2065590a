//! The parts of a bucket at services that do not know them all: some delete the *bucket* when a part that they do not know is deleted.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{s3::fake::ACCOUNT, simulation::MINUTE};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::buckets::everything;
use crate::world::World;

/// A part: its word, and its operations.
const PARTS: [(&str, &str, &str); 6] = [
    ("tagging", "GetBucketTagging", "DeleteBucketTagging"),
    ("encryption", "GetBucketEncryption", "DeleteBucketEncryption"),
    ("publicAccessBlock", "GetPublicAccessBlock", "DeletePublicAccessBlock"),
    ("lifecycle", "GetBucketLifecycleConfiguration", "DeleteBucketLifecycle"),
    ("cors", "GetBucketCors", "DeleteBucketCors"),
    ("policy", "GetBucketPolicy", "DeleteBucketPolicy"),
];

/// Fails when a part was deleted that had not been asked for since the part was last changed.
fn assert_each_is_looked_at_before_it_goes(calls: &[&str]) {
    for (at, call) in calls.iter().enumerate() {
        let Some((_, get, delete)) = PARTS.iter().find(|(_, _, delete)| delete == call) else { continue };
        let before = &calls[..at];
        let since = before.iter().rposition(|one| one == delete).map_or(0, |last| last + 1);
        assert!(before[since..].contains(get), "{delete} without {get} before it: {calls:?}");
    }
}

fn nothing() -> Value {
    json!({ "encryption": { "enabled": false }, "lifecycle": {}, "cors": {}, "deletionPolicy": "Delete" })
}

fn readers() -> Value {
    let statement = json!({
        "effect": "Allow", "principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/jane") }, "action": "s3:GetObject",
        "resource": "arn:aws:s3:::photos/*",
    });
    json!({ "bucketRef": { "name": "photos" }, "policy": { "version": "2012-10-17", "statement": [statement] } })
}

/// A bucket with everything and a policy.
async fn made(world: &World) -> (ObjectKey, ObjectKey) {
    let bucket = world.bucket("photos", everything());
    let policy = world.put("BucketPolicy", "readers", readers());
    world.until_ready(&bucket).await;
    world.until_ready(&policy).await;
    (bucket, policy)
}

/// Everything is wished away while the service takes a part for the bucket, or shows it without a document.
async fn survives(word: &'static str, mistaken: bool) {
    let world = World::new();
    let _process = world.healthy();
    let (_, policy) = made(&world).await;
    world.store.with(|state| {
        let unknown = if mistaken { &mut state.mistaken } else { &mut state.empty };
        unknown.insert(word);
    });
    let calls = world.store.calls();
    world.server.user_deletes(&policy);
    world.bucket("photos", nothing());
    sleep(25 * MINUTE).await;
    assert!(world.store.has("photos"), "{word}: {:?}", world.told());
    let sent = world.store.asked_from(calls);
    let delete = PARTS.iter().find(|part| part.0 == word).unwrap().2;
    assert!(!sent.contains(&delete), "{word}: {sent:?}");
    assert_each_is_looked_at_before_it_goes(&sent);
    for other in ["lifecycle", "cors", "encryption", "policy"].into_iter().filter(|other| *other != word) {
        assert_eq!(world.store.part("photos", other), "", "{other} goes, whatever {word} is answered with");
    }
}

#[tokio::test(start_paused = true)]
async fn no_part_is_deleted_that_the_same_run_was_not_shown_by_its_own_document() {
    for (word, ..) in PARTS {
        survives(word, true).await;
    }
    // The SDK takes no document at all for these.
    for word in ["encryption", "publicAccessBlock"] {
        survives(word, false).await;
    }
}

/// The bucket was looked at a moment ago, and what was seen there is believed for everything but this.
#[tokio::test(start_paused = true)]
async fn a_part_that_does_not_go_is_looked_at_again_before_it_is_deleted_again() {
    let world = World::new();
    let _process = world.healthy();
    made(&world).await;
    world.store.with(|state| state.staying.insert("lifecycle"));
    let calls = world.store.calls();
    world.bucket("photos", nothing());
    sleep(30 * MINUTE).await;
    let sent = world.store.asked_from(calls);
    let deletions = sent.iter().filter(|call| **call == "DeleteBucketLifecycle").count();
    assert!(deletions >= 2, "{sent:?}");
    assert_each_is_looked_at_before_it_goes(&sent);
}

/// As radosgw 16 has encryption: shown as a list of the bucket, and refused when it is set.
#[tokio::test(start_paused = true)]
async fn a_new_bucket_is_told_which_part_the_service_does_not_know_and_gets_all_others() {
    for mistaken in [true, false] {
        let world = World::new();
        let _process = world.healthy();
        world.store.with(|state| {
            let unknown = if mistaken { &mut state.mistaken } else { &mut state.empty };
            unknown.insert("encryption");
        });
        let bucket = world.bucket("photos", everything());
        let done = |world: &World| world.server.is_ready(&bucket) && world.is_synced(&bucket);
        world.until("ready", Duration::from_secs(60), done).await;
        let says = world.server.message(&bucket, "Unsupported");
        assert_eq!(says, "spec.encryption: the provider has no encryption");
        let sent = world.store.asked_from(0);
        assert!(!sent.contains(&"PutBucketEncryption"), "{sent:?}");
        for part in ["publicAccessBlock", "versioning", "lifecycle", "cors"] {
            assert_ne!(world.store.part("photos", part), "", "{part}");
        }
    }
}
