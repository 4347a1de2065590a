//! Buckets that go, and buckets that stay.

use concierge_tests::{
    faults::{Fault, Hidden, Rule},
    s3::fake::Bucket,
    simulation::MINUTE,
};
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

fn objects(count: usize) -> Vec<(String, String)> {
    (0..count).map(|n| (format!("key-{n}"), "null".to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_not_shown_yet_goes_with_its_object() {
    let world = World::new();
    world.store.faults().once("CreateUser", Fault::Hide(Hidden::For(5 * MINUTE)));
    let user = world.user("web", json!({}));
    let _process = world.healthy();
    world.until("made", MINUTE, |world| world.server.status(&user)["userId"].is_string()).await;
    world.server.user_deletes(&user);
    world.until_gone(&user).await;
    assert!(world.store.with(|state| state.iam.users.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_retained_stays_without_our_mark() {
    let world = World::new();
    let bucket = world.bucket("photos", json!({ "tagging": { "tags": { "team": "shop" } } }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.server.user_deletes(&bucket);
    world.until_gone(&bucket).await;
    let tags = world.store.part("photos", "tagging");
    assert!(
        world.store.has("photos") && tags.contains("team") && !tags.contains("concierge.dev/owner"),
        "{tags}"
    );
    let stays = "Abandoned: bucket photos stays, without our mark: deletionPolicy is Retain";
    assert!(world.told().iter().any(|told| told == stays), "{:?}", world.told());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_retained_is_told_of_also_where_it_bears_no_mark() {
    let without_tags = World::new();
    without_tags.store.with(|state| state.lacking.insert("tagging"));
    let denied = World::new();
    for (world, denies, says) in
        [(without_tags, None, "has no tags"), (denied, Some("GetBucketTagging"), "remove that yourself")]
    {
        let bucket = world.bucket("photos", json!({}));
        let _process = world.healthy();
        world.until("ready", 5 * MINUTE, |world| world.server.is_ready(&bucket)).await;
        world.store.with(|state| state.denied.extend(denies));
        world.server.user_deletes(&bucket);
        world.until_gone(&bucket).await;
        let told = world.told();
        let stays =
            |one: &&String| one.starts_with("Abandoned: bucket photos stays: deletionPolicy is Retain");
        let stays: Vec<_> = told.iter().filter(stays).collect();
        assert!(world.store.has("photos") && stays.len() == 1, "{told:?}");
        assert!(stays[0].contains(says), "{stays:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_deleted_when_it_is_empty_and_the_policy_says_so() {
    let world = World::new();
    world.provider(json!({ "defaultDeletionPolicy": "Delete" }));
    let bucket = world.bucket("photos", json!({}));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.server.user_deletes(&bucket);
    world.until_gone(&bucket).await;
    assert!(!world.store.has("photos"));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_a_bucket_goes_only_when_its_number_was_confirmed() {
    let world = World::new();
    let bucket = world.bucket("photos", json!({ "deletionPolicy": "Delete", "forceDelete": true }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.store.with(|state| state.buckets.get_mut("photos").unwrap().objects = objects(12_500));
    world.server.user_deletes(&bucket);
    let says = |world: &World| world.server.message(&bucket, "Deleting");
    world.until("held", 5 * MINUTE, |world| says(world).contains("1000+")).await;
    assert!(
        says(&world).ends_with("set the annotation concierge.dev/empty: \"photos/1000+\""),
        "{}",
        says(&world)
    );
    world.server.user_annotates(&bucket, json!({ "concierge.dev/empty": "photos/17" }));
    sleep(30 * MINUTE).await;
    assert_eq!(world.store.with(|state| state.buckets["photos"].objects.len()), 12_500);
    world.server.user_annotates(&bucket, json!({ "concierge.dev/empty": "photos/1000+" }));
    world.until_gone(&bucket).await;
    assert!(!world.store.has("photos"));
}

#[tokio::test(start_paused = true)]
async fn uploads_that_nobody_finished_are_counted_confirmed_and_aborted() {
    let world = World::new();
    let bucket = world.bucket("photos", json!({ "deletionPolicy": "Delete", "forceDelete": true }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.store.with(|state| {
        let uploads = (0..250).map(|n| (format!("big-{n}"), format!("upload-{n}")));
        state.buckets.get_mut("photos").unwrap().uploads = uploads.collect();
    });
    world.server.user_deletes(&bucket);
    let says = |world: &World| world.server.message(&bucket, "Deleting");
    world
        .until("held", 5 * MINUTE, |world| {
            says(world).contains("250 objects, versions and unfinished uploads")
        })
        .await;
    sleep(30 * MINUTE).await;
    assert_eq!(world.store.with(|state| state.buckets["photos"].uploads.len()), 250);
    world.server.user_annotates(&bucket, json!({ "concierge.dev/empty": "photos/250" }));
    world.until_gone(&bucket).await;
    let aborts = world.store.asked_from(0).into_iter().filter(|one| *one == "AbortMultipartUpload").count();
    assert!(!world.store.has("photos") && aborts == 250, "{aborts}");
}

#[tokio::test(start_paused = true)]
async fn what_is_locked_stays_and_keeps_the_bucket() {
    let world = World::new();
    let bucket = world.bucket("photos", json!({ "deletionPolicy": "Delete", "forceDelete": true }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.store.with(|state| {
        let bucket = state.buckets.get_mut("photos").unwrap();
        bucket.objects = objects(3);
        bucket.locked.insert("key-1".to_owned());
    });
    world.server.user_annotates(&bucket, json!({ "concierge.dev/empty": "photos/3" }));
    world.server.user_deletes(&bucket);
    let says = |world: &World| world.server.message(&bucket, "Deleting");
    world.until("told", 20 * MINUTE, |world| says(world).contains("retention")).await;
    assert_eq!(world.store.with(|state| state.buckets["photos"].objects.len()), 1);
    world.store.with(|state| state.buckets.get_mut("photos").unwrap().locked.clear());
    world.server.user_annotates(&bucket, json!({ "concierge.dev/reconcile-at": "now" }));
    world.until_gone(&bucket).await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_another_objects_stays_when_the_object_goes() {
    let world = World::new();
    world.store.with(|state| state.buckets.insert("photos".to_owned(), Bucket::default()));
    let bucket = world.bucket("photos", json!({ "deletionPolicy": "Delete", "forceDelete": true }));
    let _process = world.healthy();
    world
        .until("refused", 5 * MINUTE, |world| {
            world.server.condition(&bucket, "Ready") == "False OwnedByOther"
        })
        .await;
    world.server.user_annotates(&bucket, json!({ "concierge.dev/empty": "photos/0" }));
    world.server.user_deletes(&bucket);
    world.until_gone(&bucket).await;
    assert!(world.store.has("photos"));
}

#[tokio::test(start_paused = true)]
async fn a_provider_and_its_secret_are_held_until_nobody_needs_them() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let bucket = world.bucket("photos", json!({ "deletionPolicy": "Delete" }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    let login = concierge_reconciler::engine::ObjectKey::new("Secret", "default", "login");
    for key in [&login, &provider] {
        world.server.user_deletes(key);
    }
    sleep(30 * MINUTE).await;
    assert!(world.server.read(&provider).is_some() && world.server.read(&login).is_some());
    let says = world.server.message(&provider, "Deleting");
    assert!(says.contains("in use by Bucket default/photos"), "{says}");
    world.server.user_deletes(&bucket);
    world.until_gone(&bucket).await;
    assert!(!world.store.has("photos"), "its credentials were there to the end");
    world.until_gone(&provider).await;
    world.until_gone(&login).await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_whose_service_does_not_answer_is_not_taken_for_gone() {
    for fault in [Fault::Refuse, Fault::DropBefore, Fault::StatusBefore(503)] {
        let world = World::new();
        let bucket = world.bucket("photos", json!({ "deletionPolicy": "Delete" }));
        let _process = world.healthy();
        world.until_ready(&bucket).await;
        world.store.faults().inject(Rule::any(), fault);
        world.server.user_deletes(&bucket);
        sleep(20 * MINUTE).await;
        assert!(world.server.read(&bucket).is_some() && world.store.has("photos"));
        world.store.faults().clear();
        world.until_gone(&bucket).await;
        assert!(!world.store.has("photos"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_may_not_be_looked_at_is_not_taken_for_gone() {
    let world = World::new();
    let bucket = world.bucket("photos", json!({ "deletionPolicy": "Delete" }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    world.store.with(|state| state.denied.insert("HeadBucket"));
    world.server.user_deletes(&bucket);
    sleep(20 * MINUTE).await;
    let says = world.server.message(&bucket, "Deleting");
    assert!(says.contains("bucket photos: it may not be looked at"), "{says}");
    world.store.with(|state| state.denied.clear());
    world.until_gone(&bucket).await;
    assert!(!world.store.has("photos"));
}
