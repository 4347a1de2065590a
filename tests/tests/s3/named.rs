//! Buckets that policies of users name: no rights without the bucket, and no bucket gone, or made, while others have rights on it.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{
    faults::{Fault, Rule},
    s3::fake::Bucket,
    simulation::MINUTE,
};
use serde_json::json;
use tokio::time::sleep;

use crate::{users::reads, world::World};

/// A user and a policy that may read the bucket `photos`.
fn readers(world: &World) -> [ObjectKey; 2] {
    [world.user("web", json!({ "policy": reads() })), world.iam_policy("one", reads())]
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_rights_on_a_bucket_of_which_only_an_object_speaks() {
    let world = World::new();
    world.store.with(|state| state.buckets.insert("photos".to_owned(), Bucket::default()));
    let bucket = world.bucket("photos", json!({}));
    world.server.user_annotates(&bucket, json!({ "concierge.dev/paused": "true" }));
    let readers = readers(&world);
    let _process = world.healthy();
    for key in &readers {
        let says = "waits for Bucket photos to make, or take over, what the policy names";
        world.until("told", MINUTE, |world| world.server.message(key, "Ready") == says).await;
    }
    world.server.user_annotates(&bucket, json!({ "concierge.dev/paused": null }));
    sleep(30 * MINUTE).await;
    assert_eq!(world.server.condition(&bucket, "Ready"), "False OwnedByOther");
    let rights = |world: &World| {
        world.store.with(|state| (state.iam.users["web"].inline.len(), state.iam.policies.len()))
    };
    assert_eq!(rights(&world), (0, 0));
    assert!(readers.iter().all(|key| !world.server.is_ready(key)), "{}", world.dump());
    world.server.user_annotates(&bucket, json!({ "concierge.dev/adopt": "true" }));
    world.until("rights", MINUTE, |world| rights(world) == (1, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_says_for_which_bucket_and_what_stays_meanwhile() {
    let world = World::new();
    let albums = world.bucket("albums", json!({}));
    let may_read = |bucket: &str| {
        json!({
            "version": "2012-10-17",
            "statement": [{ "effect": "Allow", "action": "s3:GetObject", "resource": format!("arn:aws:s3:::{bucket}/*") }],
        })
    };
    let readers = |world: &World, bucket: &str| {
        [world.user("web", json!({ "policy": may_read(bucket) })), world.iam_policy("one", may_read(bucket))]
    };
    let before = readers(&world, "albums");
    let _process = world.healthy();
    for key in [&albums, &before[0], &before[1]] {
        world.until_ready(key).await;
    }
    let spec = json!({ "name": "photos", "providerRef": { "name": "p" } });
    let pictures = world.put("Bucket", "pictures", spec);
    world.server.user_annotates(&pictures, json!({ "concierge.dev/paused": "true" }));
    let says = "waits for Bucket pictures (photos) to make, or take over, what the policy names; until then the rights on albums stay, and so \
                do these buckets";
    for key in &readers(&world, "photos") {
        world.until("told", MINUTE, |world| world.server.message(key, "Ready") == says).await;
    }
    world.server.user_annotates(&pictures, json!({ "concierge.dev/paused": null }));
    for key in &before {
        world.until_ready(key).await;
        assert_eq!(world.server.status(key)["buckets"], json!(["photos"]));
    }
}

/// Rights that were found at the service do not say that the bucket is ours.
#[tokio::test(start_paused = true)]
async fn who_finds_its_rights_before_the_bucket_is_ours_is_woken_by_the_bucket() {
    let world = World::new();
    let says = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]}"#;
    let at = world.server.now();
    world.store.with(|state| {
        state.buckets.insert("photos".to_owned(), Bucket::default());
        state.iam.make_policy("one", "/theirs/", says, at);
    });
    let bucket = world.bucket("photos", json!({}));
    world.server.user_annotates(&bucket, json!({ "concierge.dev/paused": "true" }));
    let policy = world.iam_policy("one", reads());
    world.server.user_annotates(&policy, json!({ "concierge.dev/adopt": "true" }));
    let _process = world.healthy();
    let waits = |world: &World| {
        let waits = world.server.message(&policy, "Ready").starts_with("waits for Bucket photos to make");
        waits && world.server.status(&policy)["buckets"] == json!(["photos"])
    };
    world.until("told", MINUTE, waits).await;
    let adopt = json!({ "concierge.dev/paused": null, "concierge.dev/adopt": "true" });
    world.server.user_annotates(&bucket, adopt);
    world.until("woken", MINUTE, |world| world.server.is_ready(&policy)).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_make_anothers_bucket_one_that_policies_may_name() {
    let world = World::new();
    world.store.with(|state| state.buckets.insert("photos".to_owned(), Bucket::default()));
    let bucket = world.bucket("photos", json!({}));
    let _process = world.healthy();
    let said = |world: &World, reason: &str| world.server.condition(&bucket, "Ready") == reason;
    world.until("another's", MINUTE, |world| said(world, "False OwnedByOther")).await;
    world.store.faults().inject(Rule::any(), Fault::Refuse);
    world.server.user_annotates(&bucket, json!({ "concierge.dev/reconcile-at": "now" }));
    world.until("an outage", MINUTE, |world| said(world, "False Transient")).await;
    assert_eq!(world.server.status(&bucket)["ownedByOther"], true);
    let [user, _] = readers(&world);
    let refused = |world: &World| world.server.message(&user, "Valid").contains("s3.policy.ten-01");
    world.until("refused", MINUTE, refused).await;
    world.store.faults().clear();
    world.server.user_annotates(&bucket, json!({ "concierge.dev/adopt": "true" }));
    world.until_ready(&bucket).await;
    assert_eq!(world.server.status(&bucket)["ownedByOther"], json!(null));
    world.until_ready(&user).await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_kept_until_nobody_has_rights_on_it() {
    for policy in ["Retain", "Delete"] {
        let world = World::new();
        let bucket = world.bucket("photos", json!({ "deletionPolicy": policy }));
        let [user, shared] = readers(&world);
        let _process = world.healthy();
        world.until_ready(&user).await;
        world.until_ready(&shared).await;
        world.server.user_deletes(&bucket);
        sleep(MINUTE).await;
        let says = world.server.message(&bucket, "Deleting");
        assert!(says.starts_with("in use by IAMPolicy default/one, User default/web;"), "{says}");
        world.server.user_deletes(&shared);
        // What it names no more it may still have.
        world.server.user_annotates(&user, json!({ "concierge.dev/paused": "true" }));
        world.user("web", json!({}));
        sleep(30 * MINUTE).await;
        assert_eq!(world.server.status(&user)["buckets"], json!(["photos"]));
        assert!(world.server.read(&bucket).is_some() && world.store.has("photos"));
        world.server.user_annotates(&user, json!({ "concierge.dev/paused": null }));
        world.until("gone", MINUTE, |world| world.server.read(&bucket).is_none()).await;
        assert_eq!(world.store.with(|state| state.iam.users["web"].inline.len()), 0);
        assert_eq!(world.store.has("photos"), policy == "Retain");
    }
}

#[tokio::test(start_paused = true)]
async fn no_bucket_is_made_of_a_name_on_which_others_have_rights() {
    let world = World::new();
    let provider = ObjectKey::new("Provider", "default", "p");
    world.server.user_annotates(&provider, json!({ "concierge.dev/allow-references-from": "elsewhere" }));
    world.server.user_puts_whole(json!({
        "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "User",
        "metadata": { "name": "web", "namespace": "elsewhere", "uid": "u", "generation": 1 },
        "spec": { "name": "web", "providerRef": { "name": "p", "namespace": "default" }, "policy": reads() },
        "status": { "userId": "AIDA", "created": true, "buckets": ["photos"] },
    }));
    let bucket = world.bucket("photos", json!({}));
    let _process = world.healthy();
    world.until("told", MINUTE, |world| world.server.condition(&bucket, "Valid") == "False Conflict").await;
    let says = world.server.message(&bucket, "Valid");
    assert!(says.contains("s3.bucket.rights") && !says.contains("elsewhere"), "{says}");
    sleep(30 * MINUTE).await;
    assert!(!world.store.has("photos"));
    world.server.user_removes(&ObjectKey::new("User", "elsewhere", "web"));
    world.until("made", MINUTE, |world| world.server.is_ready(&bucket)).await;
}
