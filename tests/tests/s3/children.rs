//! What is made for a bucket: a user, its access key, and the policy that lets it in.

use concierge_reconciler::{
    aws::{Clients, Keys},
    engine::ObjectKey,
};
use concierge_tests::{
    s3::{endpoint, fake::ACCOUNT},
    simulation::{MINUTE, Process},
};
use jiff::SignedDuration;
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

fn user() -> ObjectKey {
    ObjectKey::new("User", "default", "photos-user")
}

fn access_key() -> ObjectKey {
    ObjectKey::new("AccessKey", "default", "photos-accesskey")
}

fn policy() -> ObjectKey {
    ObjectKey::new("BucketPolicy", "default", "photos-policy")
}

fn arn(world: &World) -> String {
    world.server.status(&user())["arn"].as_str().unwrap().to_owned()
}

fn is_there(world: &World, key: &ObjectKey) -> bool {
    world.server.read(key).is_some()
}

fn children_ready(world: &World, bucket: &ObjectKey) -> String {
    world.server.condition(bucket, "ChildrenReady")
}

/// A bucket with all its children.
async fn with_children(world: &World, more: Value) -> (Process, ObjectKey) {
    let mut spec = json!({ "autoManage": {} });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let bucket = world.bucket("photos", spec);
    let process = world.healthy();
    world
        .until("user and key", MINUTE, |world| is_there(world, &user()) && is_there(world, &access_key()))
        .await;
    world.until("children", MINUTE, |world| children_ready(world, &bucket) == "True Ready").await;
    world.until_ready(&bucket).await;
    (process, bucket)
}

/// At AWS a user that was just made can't be named in policies of buckets yet.
#[tokio::test(start_paused = true)]
async fn a_user_that_policies_can_not_name_yet_is_let_in_when_they_can() {
    let world = World::new();
    world.store.with(|state| state.unnamed = SignedDuration::from_mins(2));
    let bucket = world.bucket("photos", json!({ "autoManage": {} }));
    let _process = world.healthy();
    world
        .until("refused", MINUTE, |world| {
            world.server.condition(&policy(), "Synced") == "False ReferencesMissing"
        })
        .await;
    let says = world.server.message(&policy(), "Synced");
    assert!(says.contains("Invalid principal in policy"), "{says}");
    world.until("let in", 10 * MINUTE, |world| children_ready(world, &bucket) == "True Ready").await;
    assert!(world.store.part("photos", "policy").contains(&arn(&world)));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_names_nobody_is_not_sent_every_few_minutes_for_ever() {
    let world = World::new();
    world.store.with(|state| state.unnamed = SignedDuration::from_hours(24));
    world.bucket("photos", json!({ "autoManage": {} }));
    let _process = world.healthy();
    let refused = |world: &World| world.server.condition(&policy(), "Synced") == "False ReferencesMissing";
    world.until("refused", MINUTE, refused).await;
    sleep(30 * MINUTE).await;
    let tries = |world: &World| world.store.count("PutBucketPolicy");
    let early = tries(&world);
    assert!(early >= 8, "{early}: it may be known minutes later");
    sleep(60 * MINUTE).await;
    assert!(tries(&world) <= early + 1 && refused(&world), "{early}, {}", tries(&world));
}

/// What the bucket has deleted, in order.
fn deletions(world: &World) -> Vec<String> {
    let told = world.server.events().into_iter().filter(|event| event.key.kind == "Bucket");
    told.filter_map(|event| event.message.strip_prefix("deleted ").map(str::to_owned)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_bucket_gets_a_user_a_key_and_a_policy_once_it_is_there() {
    let world = World::new();
    let rotation = json!({ "intervalDays": 30 });
    let more =
        json!({ "autoManage": { "accessLevel": "readonly", "userName": "ada", "rotation": rotation } });
    let bucket = world.bucket("photos", more);
    let _process = world.healthy();
    world
        .until("user and key", MINUTE, |world| is_there(world, &user()) && is_there(world, &access_key()))
        .await;
    assert!(world.server.is_ready(&bucket), "that its children are not ready is no matter of the bucket's");
    world.until("policy", MINUTE, |world| world.server.is_ready(&policy())).await;
    let calls = world.store.asked_from(0);
    let place = |call: &str| calls.iter().position(|one| *one == call);
    assert!(place("CreateUser") < place("PutBucketPolicy"), "it names a user that is there: {calls:?}");
    world.until("children", MINUTE, |world| children_ready(world, &bucket) == "True Ready").await;
    assert_eq!(world.server.status(&bucket)["credentialsSecret"], "photos-accesskey-credentials");

    let uid = world.server.read(&bucket).unwrap()["metadata"]["uid"].clone();
    for key in [user(), access_key(), policy()] {
        assert_eq!(world.server.read(&key).unwrap()["metadata"]["ownerReferences"][0]["uid"], uid);
    }
    let user = world.server.read(&user()).unwrap()["spec"].clone();
    assert_eq!((&user["name"], &user["providerRef"]["name"]), (&json!("ada"), &json!("p")));
    let actions = [["s3:ListBucket"], ["s3:GetObject"]];
    for (statement, action) in user["policy"]["statement"].as_array().unwrap().iter().zip(actions) {
        assert_eq!(statement["action"], json!(action));
        assert_eq!(statement.get("principal"), None);
    }
    let key = world.server.read(&access_key()).unwrap()["spec"].clone();
    assert_eq!(key["userRef"]["name"], "photos-user");
    let rotate = json!({ "enabled": true, "intervalDays": 30, "previousKeysRetentionDays": 7 });
    assert_eq!(key["rotate"], rotate);
    assert!(world.store.part("photos", "policy").contains(&arn(&world)));
}

#[tokio::test(start_paused = true)]
async fn what_is_made_for_a_bucket_costs_no_look_at_it_and_is_left_alone_afterwards() {
    let world = World::new();
    let (_process, _) =
        with_children(&world, json!({ "publicAccess": {}, "versioning": { "enabled": true } })).await;
    let of_bucket = |calls: &[&str]| {
        let others = ["ListBuckets", "GetCallerIdentity", "GetBucketPolicy", "PutBucketPolicy"];
        calls
            .iter()
            .filter(|one| !others.contains(one) && !one.contains("User") && !one.contains("AccessKey"))
            .count()
    };
    let made = world.store.asked_from(0);
    assert!(of_bucket(&made) <= 25, "{made:?}");
    // Until all have been woken by all.
    sleep(MINUTE).await;
    let (calls, log) = (world.store.calls(), world.server.log_from(0).len());
    sleep(15 * MINUTE).await;
    let later = world.store.asked_from(calls);
    let looks = later.iter().filter(|one| **one == "HeadBucket").count();
    assert!(looks > 0 && of_bucket(&later) <= 9 * looks, "{later:?}");
    // Claims are made up for, because nobody is at the door here.
    let written = world.server.log_from(log).into_iter().filter(|one| one.name.0 != "Claim");
    let written: Vec<_> = written.map(|one| (one.name, one.object)).collect();
    assert!(written.is_empty(), "{written:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_policies_that_are_made_break_no_rule_whatever_the_user_may_do() {
    for level in ["readonly", "readwrite", "full"] {
        let world = World::new();
        let (_process, _) = with_children(&world, json!({ "autoManage": { "accessLevel": level } })).await;
        assert_eq!(world.server.condition(&policy(), "Valid"), "True Valid", "{level}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_of_a_child_is_set_back_and_what_they_add_stays() {
    let world = World::new();
    let (_process, _) = with_children(&world, json!({})).await;
    let mut object = world.server.read(&user()).unwrap();
    object["spec"]["tags"] = json!({ "team": "shop" });
    world.server.user_puts(object.clone());
    sleep(15 * MINUTE).await;
    assert_eq!(world.server.read(&user()).unwrap()["spec"]["tags"]["team"], "shop");
    let wanted = object["spec"]["policy"].clone();
    object["spec"]["policy"]["statement"][1]["action"] = json!("s3:*");
    world.server.user_puts(object);
    world
        .until("set back", MINUTE, |world| world.server.read(&user()).unwrap()["spec"]["policy"] == wanted)
        .await;
    let set = "Updated: set User photos-user as the bucket says";
    world.until("told", MINUTE, |world| world.told().iter().any(|one| one == set)).await;
}

#[tokio::test(start_paused = true)]
async fn a_child_follows_the_spec_and_a_user_that_would_get_another_name_is_told_of() {
    let world = World::new();
    let (_process, bucket) = with_children(&world, json!({})).await;
    world.bucket("photos", json!({ "autoManage": { "rotation": { "enabled": false } } }));
    let rotates =
        |world: &World| world.server.read(&access_key()).unwrap()["spec"]["rotate"]["enabled"].clone();
    world.until("followed", MINUTE, |world| rotates(world) == json!(false)).await;
    world.bucket("photos", json!({ "autoManage": { "userName": "grace" } }));
    world.until("told", MINUTE, |world| children_ready(world, &bucket) == "False Conflict").await;
    let says = world.server.message(&bucket, "ChildrenReady");
    assert!(says.starts_with("User photos-user is user photos at the provider"), "{says}");
    assert!(world.server.is_ready(&bucket));
}

#[tokio::test(start_paused = true)]
async fn an_object_with_the_name_of_a_child_is_named_and_left_alone() {
    let world = World::new();
    let spec = json!({ "name": "jane", "providerRef": { "name": "p" } });
    world.put("User", "photos-user", spec.clone());
    let bucket = world.bucket("photos", json!({ "autoManage": {} }));
    let _process = world.healthy();
    world.until("told", 5 * MINUTE, |world| children_ready(world, &bucket) == "False Conflict").await;
    world.until_ready(&bucket).await;
    sleep(30 * MINUTE).await;
    let found = world.server.read(&user()).unwrap();
    assert_eq!(
        (&found["spec"]["name"], &found["metadata"]["ownerReferences"]),
        (&json!("jane"), &Value::Null)
    );
    let says = world.server.message(&bucket, "ChildrenReady");
    assert!(
        says.starts_with("User photos-user is there and was not made for this Bucket; delete it, or set"),
        "{says}"
    );
    world.server.user_deletes(&user());
    world.until("made", 15 * MINUTE, |world| is_there(world, &user())).await;
}

#[tokio::test(start_paused = true)]
async fn children_go_in_order_when_they_are_not_wanted_any_more() {
    let world = World::new();
    let (_process, bucket) = with_children(&world, json!({})).await;
    world.bucket("photos", json!({ "autoManage": { "enabled": false } }));
    let none = |world: &World| ![user(), access_key(), policy()].iter().any(|key| is_there(world, key));
    world.until("gone", 5 * MINUTE, none).await;
    world.until("said", MINUTE, |world| children_ready(world, &bucket).is_empty()).await;
    assert_eq!(deletions(&world).first().unwrap(), "AccessKey photos-accesskey");
    assert_eq!(deletions(&world).last().unwrap(), "User photos-user");
    assert_eq!(world.server.status(&bucket)["credentialsSecret"], Value::Null);
    assert_eq!(world.store.part("photos", "policy"), "");
    assert!(world.server.is_ready(&bucket));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_goes_after_its_children_whatever_becomes_of_it() {
    for deletion in ["Retain", "Delete"] {
        let world = World::new();
        let (_process, bucket) = with_children(&world, json!({ "deletionPolicy": deletion })).await;
        world.server.user_deletes(&bucket);
        world.until_gone(&bucket).await;
        assert!(![user(), access_key(), policy()].iter().any(|key| is_there(&world, key)), "{deletion}");
        let order = deletions(&world);
        let place = |what: &str| order.iter().position(|one| one == what);
        let (key, user) = (place("AccessKey photos-accesskey"), place("User photos-user"));
        assert!(key.is_some() && key < user, "{order:?}");
        assert_eq!(world.store.has("photos"), deletion == "Retain");
        assert_eq!(world.store.part("photos", "policy"), "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_somebody_else_made_for_the_user_keeps_both_and_is_named() {
    let world = World::new();
    let (_process, bucket) = with_children(&world, json!({})).await;
    let theirs = world.put(
        "AccessKey",
        "theirs",
        json!({ "providerRef": { "name": "p" }, "userRef": { "name": "photos-user" } }),
    );
    world.server.user_deletes(&bucket);
    let says = |world: &World| world.server.message(&bucket, "Deleting");
    let wanted = "User photos-user can't go while AccessKey theirs is there; delete that";
    world.until("told", MINUTE, |world| says(world) == wanted).await;
    assert!(is_there(&world, &user()) && !is_there(&world, &access_key()));
    world.server.user_deletes(&theirs);
    world.until_gone(&bucket).await;
    assert!(!is_there(&world, &user()));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_has_a_policy_gets_no_second_one() {
    let world = World::new();
    let statement = json!({
        "effect": "Allow", "principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/jane") }, "action": "s3:GetObject",
        "resource": "arn:aws:s3:::photos/*",
    });
    let readers = json!({ "bucketRef": { "name": "photos" }, "policy": { "version": "2012-10-17", "statement": [statement] } });
    world.put("BucketPolicy", "readers", readers);
    let (_process, bucket) = with_children(&world, json!({})).await;
    assert!(!is_there(&world, &policy()));
    let says = world.server.message(&bucket, "Unsupported");
    assert!(says.starts_with("spec.autoManage: makes no BucketPolicy beside BucketPolicy readers"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn without_iam_nothing_is_made() {
    let world = World::new();
    world.provider(json!({ "iamEndpoint": null }));
    let bucket = world.bucket("photos", json!({ "autoManage": {} }));
    let _process = world.healthy();
    world.until_ready(&bucket).await;
    sleep(MINUTE).await;
    assert!(!is_there(&world, &user()) && children_ready(&world, &bucket).is_empty());
    let says = world.server.message(&bucket, "Unsupported");
    assert!(says.contains("the Provider has no iamEndpoint"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn the_key_that_is_made_for_a_bucket_is_in_its_secret_and_is_the_users() {
    let world = World::new();
    let (_process, bucket) = with_children(&world, json!({})).await;
    let secret = world.server.status(&bucket)["credentialsSecret"].as_str().unwrap().to_owned();
    let data = world.server.read(&ObjectKey::new("Secret", "default", secret)).unwrap()["data"].clone();
    let text = |entry: &str| {
        let bytes: ByteString = serde_json::from_value(data[entry].clone()).unwrap();
        String::from_utf8(bytes.0).unwrap()
    };
    let keys = Keys { id: text("access-key-id"), secret: text("secret-access-key"), session: None };
    let url = "http://store.default.svc";
    let clients = Clients::over(world.store.transport(), &endpoint(url, url).unwrap(), &keys);
    clients.s3.head_bucket().bucket("photos").send().await.unwrap();
    let caller = clients.sts.unwrap().caller().await.unwrap().unwrap();
    assert_eq!(caller.arn, arn(&world));

    world.server.user_deletes(&bucket);
    world.until_gone(&bucket).await;
    let clients = Clients::over(world.store.transport(), &endpoint(url, url).unwrap(), &keys);
    assert!(clients.s3.head_bucket().bucket("photos").send().await.is_err(), "the key went with it");
}
