//! What people do to objects that are in use: another service, lost credentials, a backup, a name that is taken again.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::s3::fake::{self, ACCOUNT};
use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::buckets::everything;
use crate::world::World;

const READS: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]}"#;

/// A bucket, a user and a policy that are in order.
async fn in_order(world: &World) -> [ObjectKey; 3] {
    let bucket = world
        .bucket("photos", json!({ "versioning": { "enabled": true }, "autoManage": { "enabled": false } }));
    let user = world.user("web", json!({ "policyDocument": READS }));
    let spec = json!({ "providerRef": { "name": "p" }, "policyDocument": READS });
    let all = [bucket, user, world.put("IAMPolicy", "readers", spec)];
    for key in &all {
        world.until_ready(key).await;
    }
    all
}

/// What was asked for from the `from`th call on, that changes something.
fn changes(world: &World, from: usize) -> Vec<&'static str> {
    let reads = |name: &&str| !["Get", "Head", "List"].iter().any(|word| name.starts_with(word));
    world.store.asked_from(from).into_iter().filter(reads).collect()
}

/// A policy of the bucket.
fn readers(world: &World) -> ObjectKey {
    let statement = json!({
        "effect": "Allow", "principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/jane") }, "action": "s3:GetObject",
        "resource": "arn:aws:s3:::photos/*",
    });
    let policy = json!({ "version": "2012-10-17", "statement": [statement] });
    world.put("BucketPolicy", "readers", json!({ "bucketRef": { "name": "photos" }, "policy": policy }))
}

/// One object of each kind that belongs to a Provider, in order.
async fn one_of_each(world: &World) -> Vec<ObjectKey> {
    let mut all = in_order(world).await.to_vec();
    let spec = json!({ "providerRef": { "name": "p" }, "userRef": { "name": "web" }, "rotate": {} });
    all.push(world.put("AccessKey", "laptop", spec));
    all.push(readers(world));
    for key in &all {
        world.until_ready(key).await;
    }
    all
}

const OTHER: &str = "http://other.default.svc";

/// While nobody looks, the Provider is turned to another service, where there is a bucket of the same name that nobody has marked. The rule
/// that forbids it may be off, or the object restored by who passes it.
async fn turned(to: Value, account: Option<&'static str>) -> World {
    let world = World::new();
    let provider = world.provider(json!({}));
    let process = world.healthy();
    let all = one_of_each(&world).await;
    drop(process);
    world.store.with(|state| {
        *state = fake::State { account, ..fake::State::default() };
        state.denied.extend(account.is_none().then_some("GetCallerIdentity"));
        state.buckets.insert("photos".to_owned(), fake::Bucket::default());
    });
    let from = world.store.calls();
    world.provider(to);
    let _process = world.healthy();
    let told = |world: &World| world.server.condition(&provider, "Ready") == "False OwnedByOther";
    world.until("told", 5 * MINUTE, told).await;
    sleep(30 * MINUTE).await;
    assert_eq!(changes(&world, from), [""; 0]);
    for key in &all {
        assert!(!world.is_synced(key), "{}", world.dump());
        let says = world.server.message(key, "Synced");
        let because = ["Provider default/p", "Bucket default/photos is not ready"];
        assert!(because.iter().any(|one| says.contains(one)), "{key:?} says {says:?}");
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_turned_to_another_accounts_service_changes_nothing_there() {
    turned(json!({ "endpoint": OTHER, "iamEndpoint": OTHER }), Some("000000000001")).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_turned_to_a_service_that_tells_no_account_changes_nothing_there() {
    let world = turned(json!({ "endpoint": OTHER, "iamEndpoint": OTHER }), None).await;
    let says = world.server.message(&ObjectKey::new("Provider", "default", "p"), "Ready");
    let wanted = "spec.endpoint leads to other.default.svc:80, but what was made through this object is at store.default.svc:80; put \
                  that back, create another Provider, or, if it is the same service under another name, set the annotation \
                  concierge.dev/adopt: \"true\"";
    assert_eq!(says, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_provider_whose_iam_is_another_service_of_the_same_account_id_changes_nothing_there() {
    turned(json!({ "iamEndpoint": OTHER }), Some(ACCOUNT)).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_got_another_name_is_used_under_it_once_somebody_says_that_it_is_the_same() {
    let world = World::new();
    let provider = world.provider(json!({}));
    let _process = world.healthy();
    let all = one_of_each(&world).await;
    let from = world.store.calls();
    world.provider(json!({ "endpoint": OTHER, "iamEndpoint": OTHER }));
    let told = |world: &World| world.server.condition(&provider, "Ready") == "False OwnedByOther";
    world.until("told", 5 * MINUTE, told).await;
    world.server.user_annotates(&provider, json!({ "concierge.dev/adopt": "true" }));
    world.until_ready(&provider).await;
    world.server.user_annotates(&provider, json!({ "concierge.dev/adopt": null }));
    sleep(30 * MINUTE).await;
    assert_eq!(changes(&world, from), [""; 0]);
    for key in all.iter().chain([&provider]) {
        assert!(world.server.is_ready(key) && world.is_synced(key), "{}", world.dump());
    }
}

/// What one service could not do is not believed of the next.
#[tokio::test(start_paused = true)]
async fn a_provider_that_nobody_uses_may_be_turned_to_another_service() {
    let world = World::new();
    world.store.with(|state| state.lacking.insert("encryption"));
    let provider = world.provider(json!({}));
    let _process = world.healthy();
    let first = world.bucket("first", everything());
    world.until_ready(&first).await;
    world.server.user_deletes(&first);
    world.until_gone(&first).await;
    world.store.with(|state| state.lacking.clear());
    world.provider(json!({ "endpoint": OTHER, "iamEndpoint": OTHER }));
    sleep(5 * MINUTE).await;
    assert!(world.server.is_ready(&provider), "{}", world.dump());
    let second = world.bucket("second", everything());
    world.until_ready(&second).await;
    assert_ne!(world.store.part("second", "encryption"), "", "{}", world.dump());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_deleted_under_living_objects_are_told_and_nothing_is_made_again_when_they_are_back()
 {
    let world = World::new();
    let provider = world.provider(json!({}));
    let _process = world.healthy();
    let all = in_order(&world).await;
    let from = world.store.calls();
    let secret = ObjectKey::new("Secret", "default", "login");
    let kept = world.server.read(&secret).unwrap();
    world.server.user_removes(&secret);
    let told = |world: &World| {
        world.server.message(&provider, "Ready").contains("Secret default/login does not exist; create it")
    };
    world.until("told", 5 * MINUTE, told).await;
    sleep(30 * MINUTE).await;
    assert_eq!(changes(&world, from), [""; 0]);

    world.server.user_puts_whole(kept);
    let back = |world: &World| all.iter().all(|key| world.server.is_ready(key) && world.is_synced(key));
    world.until("back", 5 * MINUTE, |world| world.server.is_ready(&provider)).await;
    world.until("back", 20 * MINUTE, back).await;
    sleep(30 * MINUTE).await;
    assert_eq!(changes(&world, from), [""; 0]);
}

/// Objects that were in order and are stored again as a backup tool does it: with another uid, and with their status or without.
async fn restored(with_status: bool) -> (World, [ObjectKey; 3]) {
    let world = World::new();
    let process = world.healthy();
    let all = in_order(&world).await;
    drop(process);
    for key in &all {
        let mut object = world.server.read(key).unwrap();
        world.server.user_removes(key);
        let status = object["status"].take();
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.retain(|name, _| ["name", "namespace", "annotations"].contains(&name.as_str()));
        let mut object = world.server.user_puts(object);
        if with_status {
            object["status"] = status;
            world.server.user_puts_whole(object);
        }
    }
    (world, all)
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_restored_with_its_status_goes_on_with_what_there_is() {
    let (world, all) = restored(true).await;
    let from = world.store.calls();
    let _process = world.healthy();
    let uid = world.server.read(&all[0]).unwrap()["metadata"]["uid"].clone();
    let marked = |world: &World| world.store.part("photos", "tagging").contains(uid.as_str().unwrap());
    world.until("marked with the new uid", 10 * MINUTE, marked).await;
    sleep(30 * MINUTE).await;
    assert_eq!(changes(&world, from), ["PutBucketTagging"]);
    for key in &all {
        assert!(world.server.is_ready(key) && world.is_synced(key), "{}", world.dump());
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_restored_without_status_is_held_and_makes_nothing_twice() {
    let (world, all) = restored(false).await;
    let from = world.store.calls();
    let _process = world.healthy();
    for key in &all {
        world.until("held", 10 * MINUTE, |world| world.server.condition(key, "Ready") == "False Held").await;
        let says = world.server.message(key, "Ready");
        assert!(says.contains("was restored") && says.contains("concierge.dev/resolve-unknown"), "{says}");
    }
    sleep(30 * MINUTE).await;
    assert_eq!(changes(&world, from), [""; 0]);
}

/// Deleted by hand at the service, and made there by another cluster's object.
#[tokio::test(start_paused = true)]
async fn a_bucket_whose_name_was_freed_and_taken_by_anothers_object_is_told_of_and_left_alone() {
    let world = World::new();
    let bucket = world.bucket("photos", everything());
    let process = world.healthy();
    world.until_ready(&bucket).await;
    let policy = readers(&world);
    world.until_ready(&policy).await;
    drop(process);
    let tagging = world.store.part("photos", "tagging").replace("/default/photos/", "/elsewhere/photos/0");
    world.store.with(|state| {
        let other = fake::Bucket { parts: [("tagging", tagging)].into(), ..fake::Bucket::default() };
        state.buckets.insert("photos".to_owned(), other);
    });
    let from = world.store.calls();
    let _process = world.healthy();
    let told = |world: &World| world.server.condition(&bucket, "Ready") == "False OwnedByOther";
    world.until("told", 5 * MINUTE, told).await;
    sleep(30 * MINUTE).await;
    assert!(!world.server.is_ready(&policy), "{}", world.dump());
    for key in [&policy, &bucket] {
        world.server.user_deletes(key);
        world.until_gone(key).await;
    }
    assert_eq!(changes(&world, from), [""; 0]);
    assert!(world.store.has("photos"));
}

/// Two that were created at the same instant: the door looks for the other one, and reserves nothing.
#[tokio::test(start_paused = true)]
async fn of_two_buckets_of_one_name_at_two_providers_of_one_service_the_older_keeps_it() {
    let world = World::new();
    let older = world.bucket("photos", json!({ "autoManage": { "enabled": false } }));
    let spec = world.server.read(&ObjectKey::new("Provider", "default", "p")).unwrap()["spec"].clone();
    world.put("Provider", "q", spec);
    sleep(MINUTE).await;
    let spec =
        json!({ "name": "photos", "providerRef": { "name": "q" }, "autoManage": { "enabled": false } });
    let younger = world.put("Bucket", "pictures", spec);
    let _process = world.healthy();
    world.until_ready(&older).await;
    let refused = |world: &World| world.server.condition(&younger, "Ready") == "False Conflict";
    world.until("refused", 5 * MINUTE, refused).await;
    let says = world.server.message(&younger, "Ready");
    assert!(
        says.starts_with("spec.name: is the name of a Bucket at another Provider with the same endpoint"),
        "{says}"
    );
    sleep(30 * MINUTE).await;
    assert!(world.server.is_ready(&older) && world.is_synced(&older), "{}", world.dump());
    assert_eq!(world.store.count("CreateBucket"), 1);
    world.server.user_deletes(&older);
    world.until_gone(&older).await;
    world.until("free", 20 * MINUTE, |world| world.server.condition(&younger, "Valid") == "True Valid").await;
}
