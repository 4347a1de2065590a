//! Users: made, known by their paths and ids, given what they may do, and let go.

use std::time::Duration;

use concierge_reconciler::engine::{ObjectKey, seams::CrashPoint};
use concierge_tests::{
    faults::{Fault, Gate, Pause},
    s3::fake::iam::User,
    simulation::MINUTE,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{making::Making, world::World};

/// A world in whose namespace there is a bucket `photos`.
pub(crate) fn shop() -> World {
    let world = World::new();
    has_photos(&world);
    world
}

/// There is a bucket `photos`, which was made before and nobody looks at: policies may name it.
pub(crate) fn has_photos(world: &World) {
    let bucket = world.bucket("photos", json!({}));
    world.server.user_annotates(&bucket, json!({ "concierge.dev/paused": "true" }));
    let mut bucket = world.server.read(&bucket).unwrap();
    bucket["status"] = json!({ "bucketName": "photos", "exists": true });
    world.server.user_puts_whole(bucket);
}

/// What reads objects of the bucket `photos`.
pub(crate) fn reads() -> Value {
    json!({ "statement": [{ "effect": "Allow", "action": "s3:GetObject", "resource": "arn:aws:s3:::photos/*" }] })
}

/// The same and more, as text.
const WRITES: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::photos/*"}]}"#;
/// A policy that somebody else made.
const OTHER: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#;

fn everything() -> Value {
    json!({ "policy": reads(), "tags": { "team": "shop" } })
}

/// A look into the user at the service; fails when there is none.
fn look<T>(world: &World, name: &str, look: impl FnOnce(&mut User) -> T) -> T {
    world.store.with(|state| {
        let user = state.iam.users.get_mut(name);
        look(user.unwrap_or_else(|| panic!("there is no user {name}")))
    })
}

fn exists(world: &World, name: &str) -> bool {
    world.store.with(|state| state.iam.user(name).is_some())
}

async fn until_refused(world: &World, key: &ObjectKey) -> String {
    world
        .until("refused", 5 * MINUTE, |world| world.server.condition(key, "Ready") == "False OwnedByOther")
        .await;
    world.server.message(key, "Ready")
}

fn is_write(operation: &str) -> bool {
    !["Get", "List", "Head"].iter().any(|word| operation.starts_with(word))
}

#[tokio::test(start_paused = true)]
async fn a_user_is_made_with_what_it_may_do_by_few_calls_and_then_left_alone() {
    let world = shop();
    let user = world.user("web", everything());
    let _process = world.healthy();
    world.until_ready(&user).await;
    let made = world.calls_of_objects(0);
    assert!(made.len() <= 25, "{}: {made:?}", made.len());
    let status = world.server.status(&user);
    look(&world, "web", |user| {
        assert!(user.path.starts_with("/k8s/") && user.path.ends_with("/default/"), "{}", user.path);
        assert!(user.inline["web-policy"].contains("s3:GetObject"), "{:?}", user.inline);
        assert_eq!(user.tags["team"], "shop");
        assert_eq!(status["userId"], user.id.as_str());
    });
    assert_eq!(status["created"], true);

    let (calls, writes) = (world.store.calls(), world.server.writes());
    sleep(15 * MINUTE).await;
    let later = world.calls_of_objects(calls);
    let looks = later.iter().filter(|one| **one == "GetUser").count();
    assert!(looks >= 1 && later.len() <= 9 * looks, "{looks} looks: {later:?}");
    assert!(!later.iter().any(|one| is_write(one)), "{later:?}");
    assert_eq!(world.server.writes(), writes, "nothing is written while nothing changes");
}

#[tokio::test(start_paused = true)]
async fn what_a_user_may_not_ask_for_is_its_own_mistake_and_no_conflict() {
    let world = shop();
    let escalates = json!({ "effect": "Allow", "action": "iam:CreateAccessKey", "resource": "arn:aws:iam::123456789012:user/admin" });
    let user = world.user("web", json!({ "policy": { "statement": [escalates] } }));
    let _process = world.healthy();
    world.until("refused", MINUTE, |world| world.server.condition(&user, "Valid") == "False Invalid").await;
    assert!(world.server.message(&user, "Valid").contains("s3.policy.ten-02"), "{}", world.dump());
    assert!(!exists(&world, "web"));
}

#[tokio::test(start_paused = true)]
async fn a_user_that_does_not_bear_our_path_is_left_alone_until_it_is_adopted() {
    let world = shop();
    let at = world.server.now();
    world.store.with(|state| drop(state.iam.make_user("web", "/", Default::default(), at).id.clone()));
    let user = world.user("web", everything());
    let _process = world.healthy();
    let told = until_refused(&world, &user).await;
    assert!(told.contains("its path is \"/\"") && told.contains("concierge.dev/adopt"), "{told}");
    sleep(30 * MINUTE).await;
    assert!(!world.calls_of_objects(0).iter().any(|one| is_write(one)), "{:?}", world.calls_of_objects(0));
    assert!(world.server.status(&user)["userId"].is_null());

    world.server.user_annotates(&user, json!({ "concierge.dev/adopt": "true" }));
    world.until_ready(&user).await;
    let id = look(&world, "web", |user| user.id.clone());
    assert_eq!(world.server.status(&user)["userId"], id);
    // What was recorded is ours, whoever takes the annotation away.
    world.server.user_annotates(&user, json!({ "concierge.dev/adopt": null }));
    world.user("web", json!({ "policyDocument": WRITES }));
    world
        .until("changed", 5 * MINUTE, |world| {
            look(world, "web", |user| user.inline["web-policy"].contains("PutObject"))
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_user_whose_name_was_freed_and_taken_again_is_another() {
    let world = shop();
    let user = world.user("web", everything());
    let process = world.healthy();
    world.until_ready(&user).await;
    let before = world.server.status(&user)["userId"].clone();
    drop(process);
    // Even with the same path: somebody who makes users like ours.
    let (at, path) = (world.server.now(), look(&world, "web", |user| user.path.clone()));
    world.store.with(|state| drop(state.iam.make_user("web", &path, Default::default(), at).id.clone()));
    let calls = world.store.calls();
    let _process = world.healthy();
    let told = until_refused(&world, &user).await;
    assert!(told.contains("another one has its name"), "{told}");
    world.server.user_deletes(&user);
    world.until_gone(&user).await;
    assert!(exists(&world, "web"), "it is not ours to delete");
    assert_eq!(before.as_str().map(|id| id.starts_with("AIDA")), Some(true));
    assert!(!world.calls_of_objects(calls).iter().any(|one| is_write(one)));
}

#[tokio::test(start_paused = true)]
async fn a_user_that_the_predecessor_made_is_ours() {
    let world = shop();
    let at = world.server.now();
    let id = world.store.with(|state| {
        let user = state.iam.make_user("web", "/", Default::default(), at);
        user.inline.insert("web-policy".to_owned(), OTHER.to_owned());
        user.id.clone()
    });
    let user = world.user("web", everything());
    let mut object = world.server.read(&user).unwrap();
    // As the predecessor left it: its own words in the status, its finalizer.
    object["status"] = json!({ "userId": id, "created": true, "conditions": [] });
    object["metadata"]["finalizers"] = json!(["s3.cloud37.dev/finalizer"]);
    world.server.user_deletes(&user);
    world.server.user_puts_whole(object);
    let _process = world.healthy();
    world.until_ready(&user).await;
    look(&world, "web", |user| assert!(user.inline["web-policy"].contains("photos"), "{:?}", user.inline));
    world.server.user_deletes(&user);
    world.until_gone(&user).await;
    assert!(!exists(&world, "web"));
}

const MAKING: Making = Making {
    kind: "User",
    operation: "CreateUser",
    field: "userId",
    put: |world| world.user("web", everything()),
    id: |world| exists(world, "web").then(|| look(world, "web", |user| user.id.clone())),
};

#[tokio::test(start_paused = true)]
async fn whatever_interrupts_the_making_of_a_user_there_is_one_and_it_is_ours() {
    let every_other = CrashPoint::ALL.iter().skip(1).step_by(2);
    println!("every other point; those between are an IAMPolicy's, and make soak has all");
    MAKING.is_interrupted(every_other, Some(&Fault::DropAfter)).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "soak"]
async fn whatever_else_interrupts_the_making_of_a_user_there_is_one_and_it_is_ours() {
    MAKING.is_interrupted_everywhere().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_that_somebody_else_makes_at_the_same_instant_is_not_taken_for_ours() {
    let world = shop();
    let gate = Gate::new();
    world.store.faults().once("CreateUser", Fault::SlowBefore(Pause::Until(gate.clone())));
    let user = world.user("web", everything());
    let _process = world.healthy();
    gate.reached(1).await;
    let at = world.server.now();
    world.store.with(|state| drop(state.iam.make_user("web", "/", Default::default(), at).id.clone()));
    gate.open();
    until_refused(&world, &user).await;
    look(&world, "web", |user| assert!(user.inline.is_empty() && user.tags.is_empty(), "{user:?}"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_held_where_nothing_tells_our_user_from_anothers() {
    let world = shop();
    world.provider(json!({ "capabilities": { "iamPaths": false } }));
    world.store.faults().once("CreateUser", Fault::DropAfter);
    let user = world.user("web", everything());
    let _process = world.healthy();
    world.until("held", 20 * MINUTE, |world| world.server.condition(&user, "Ready") == "False Held").await;
    let id = look(&world, "web", |user| {
        assert!(user.path == "/" && user.inline.is_empty(), "{user:?}");
        user.id.clone()
    });
    let told = world.server.message(&user, "Ready");
    assert!(told.contains(&id) && told.contains("concierge.dev/resolve-unknown"), "{told}");
    world.server.user_annotates(&user, json!({ "concierge.dev/resolve-unknown": format!("adopt={id}") }));
    world.until_ready(&user).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_user_may_do_is_compared_by_what_it_says_and_put_back() {
    let world = shop();
    let user = world.user("web", everything());
    let _process = world.healthy();
    world.until_ready(&user).await;
    let calls = world.store.calls();
    // The same in other words, as services rewrite what they are given.
    let same = r#"{"Statement": {"Resource": ["arn:aws:s3:::photos/*"], "Action": ["s3:getobject"], "Effect": "Allow"}, "Version": "2012-10-17"}"#;
    look(&world, "web", |user| user.inline.insert("web-policy".to_owned(), same.to_owned()));
    sleep(15 * MINUTE).await;
    assert!(!world.calls_of_objects(calls).iter().any(|one| is_write(one)));

    look(&world, "web", |user| {
        user.inline.insert("web-policy".to_owned(), OTHER.to_owned());
        user.tags.insert("team".to_owned(), "other".to_owned());
        user.inline.insert("theirs".to_owned(), OTHER.to_owned());
    });
    world
        .until("mended", 20 * MINUTE, |world| {
            look(world, "web", |user| {
                user.inline["web-policy"].contains("photos") && user.tags["team"] == "shop"
            })
        })
        .await;
    world.until("told", MINUTE, |world| world.server.condition(&user, "Drifted") == "False InSync").await;
    let told = world.told().join("\n");
    assert!(told.contains("Updated: replaced the policy of user web"), "{told}");
    assert!(told.contains("Updated: set tags of user web: team=other -> team=shop"), "{told}");
    look(&world, "web", |user| assert_eq!(user.inline["theirs"], OTHER));
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_gone_is_made_again_with_what_it_had() {
    let world = shop();
    let user = world.user("web", everything());
    let _process = world.healthy();
    world.until_ready(&user).await;
    let before = world.server.status(&user)["userId"].clone();
    world.store.with(|state| state.iam.users.clear());
    world.store.faults().once("CreateUser", Fault::DropAfter);
    world
        .until("made again", 30 * MINUTE, |world| {
            exists(world, "web") && world.is_synced(&user) && world.server.status(&user)["userId"] != before
        })
        .await;
    look(&world, "web", |user| {
        assert!(user.inline["web-policy"].contains("photos") && user.tags.contains_key("team"))
    });
}

#[tokio::test(start_paused = true)]
async fn a_policy_ref_that_changes_detaches_what_it_attached_and_nothing_else() {
    let world = shop();
    let at = world.server.now();
    let theirs = world.store.with(|state| {
        let names = (0..5).map(|n| format!("theirs-{n}"));
        names.map(|name| state.iam.make_policy(&name, "/", OTHER, at).arn.clone()).collect::<Vec<_>>()
    });
    let (one, two) = (world.iam_policy("one", reads()), world.iam_policy("two", reads()));
    let user = world.user("web", json!({ "policyRef": { "name": "one" } }));
    let _process = world.healthy();
    world.until_ready(&user).await;
    let arn =
        |world: &World, key: &ObjectKey| world.server.status(key)["policyArn"].as_str().unwrap().to_owned();
    let (first, second) = (arn(&world, &one), arn(&world, &two));
    look(&world, "web", |user| {
        assert!(user.attached.contains(&first) && user.attached.len() == 1, "{:?}", user.attached);
        user.attached.extend(theirs.iter().cloned());
    });
    world.user("web", json!({ "policyRef": { "name": "two" } }));
    world
        .until("changed", 5 * MINUTE, |world| look(world, "web", |user| !user.attached.contains(&first)))
        .await;
    look(&world, "web", |user| {
        assert!(user.attached.contains(&second) && user.attached.len() == 6, "{:?}", user.attached);
    });
    // Detached by somebody: attached again.
    look(&world, "web", |user| user.attached.remove(&second));
    world
        .until("attached", 20 * MINUTE, |world| look(world, "web", |user| user.attached.contains(&second)))
        .await;
    // The spec gives it a policy of its own instead.
    world.user("web", everything());
    world
        .until("its own", 5 * MINUTE, |world| {
            look(world, "web", |user| {
                !user.attached.contains(&second) && user.inline.contains_key("web-policy")
            })
        })
        .await;
    world.user("web", json!({ "policyRef": { "name": "one" } }));
    world
        .until("as at first", 5 * MINUTE, |world| {
            look(world, "web", |user| {
                user.attached.contains(&first) && user.inline.is_empty() && user.attached.len() == 6
            })
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn tags_that_the_spec_says_no_more_go_and_those_of_others_stay() {
    let world = shop();
    let many = || (0..6).map(|n| (format!("tag-{n}"), json!("x"))).collect::<serde_json::Map<_, _>>();
    let user = world.user("web", json!({ "policy": reads(), "tags": many() }));
    let _process = world.healthy();
    world.until_ready(&user).await;
    look(&world, "web", |user| user.tags.insert("cost".to_owned(), "1".to_owned()));
    world.user("web", json!({ "policy": reads(), "tags": { "tag-1": "y" } }));
    world.until("fewer", 5 * MINUTE, |world| look(world, "web", |user| user.tags.len() == 2)).await;
    look(&world, "web", |user| {
        assert_eq!((user.tags["cost"].as_str(), user.tags["tag-1"].as_str()), ("1", "y"))
    });
    world.user("web", json!({ "policy": reads() }));
    world.until("none", 5 * MINUTE, |world| look(world, "web", |user| user.tags.len() == 1)).await;
    let calls = world.store.calls();
    sleep(15 * MINUTE).await;
    assert!(!world.calls_of_objects(calls).contains(&"ListUserTags"), "nobody asks for what was never ours");
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_has_not_or_does_not_allow_is_told_of_its_field_and_the_rest_is_done() {
    let world = shop();
    world.provider(json!({ "type": "wasabi" }));
    let user = world.user("web", everything());
    world.store.with(|state| state.denied.insert("PutUserPolicy"));
    let _process = world.healthy();
    world.until_ready(&user).await;
    let unsupported = world.server.message(&user, "Unsupported");
    assert!(unsupported.contains("spec.tags: the provider has no tags of users"), "{unsupported}");
    let denied = world.server.message(&user, "AccessDenied");
    assert!(denied.contains("spec.policy: PutUserPolicy was answered AccessDenied"), "{denied}");
    let calls = world.store.calls();
    sleep(30 * MINUTE).await;
    assert!(
        !world.calls_of_objects(calls).iter().any(|one| is_write(one)),
        "it is not tried again and again"
    );

    world.store.with(|state| state.denied.clear());
    world.server.user_annotates(&user, json!({ "concierge.dev/reconcile-at": "now" }));
    world
        .until("allowed", 5 * MINUTE, |world| world.server.condition(&user, "AccessDenied").is_empty())
        .await;
    look(&world, "web", |user| assert!(user.inline.contains_key("web-policy") && user.tags.is_empty()));
    assert!(!world.calls_of_objects(0).iter().any(|one| one.contains("Tag")), "Wasabi is not asked for tags");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_service_is_told_with_what_it_is_about() {
    let world = shop();
    let at = world.server.now();
    let long = OTHER.replace("s3:*", &"s3:GetObject*".repeat(140));
    world.store.with(|state| {
        let user = state.iam.make_user("web", "/", Default::default(), at);
        user.inline.insert("theirs".to_owned(), long);
    });
    let many: Vec<_> = (0..20).map(|n| format!("arn:aws:s3:::photos/folder-{n}/*")).collect();
    let policy = json!({ "statement": [{ "effect": "Allow", "action": "s3:GetObject", "resource": many }] });
    let user = world.user("web", json!({ "policy": policy }));
    world.server.user_annotates(&user, json!({ "concierge.dev/adopt": "true" }));
    let _process = world.healthy();
    world
        .until("told", 5 * MINUTE, |world| world.server.message(&user, "Synced").contains("LimitExceeded"))
        .await;
    let told = world.server.message(&user, "Synced");
    assert!(told.contains("2048 characters together; use an IAMPolicy"), "{told}");
    assert!(!world.server.is_ready(&user), "it may do nothing yet");
}

#[tokio::test(start_paused = true)]
async fn what_others_made_keeps_a_user_that_is_to_go_and_is_named() {
    let world = shop();
    let user = world.user("web", everything());
    let _process = world.healthy();
    world.until_ready(&user).await;
    let at = world.server.now();
    let (key, arn) = world.store.with(|state| {
        let arn = state.iam.make_policy("theirs", "/", OTHER, at).arn.clone();
        let user = state.iam.users.get_mut("web").unwrap();
        user.attached.insert(arn.clone());
        user.inline.extend((0..3).map(|n| (format!("theirs-{n}"), OTHER.to_owned())));
        (state.iam.give_key("web", at).unwrap(), arn)
    });
    world.server.user_deletes(&user);
    let says = |world: &World| world.server.message(&user, "Deleting");
    world.until("held", 5 * MINUTE, |world| says(world).contains("did not make")).await;
    for name in
        [format!("access key {}", key.id), "inline policy theirs-2".to_owned(), format!("policy {arn}")]
    {
        assert!(says(&world).contains(&name), "{name}: {}", says(&world));
    }
    assert!(!says(&world).contains(&key.secret));
    sleep(30 * MINUTE).await;
    look(&world, "web", |user| assert!(user.keys.len() == 1 && user.inline.contains_key("web-policy")));
    look(&world, "web", |user| {
        user.keys.clear();
        user.attached.clear();
        user.inline.retain(|name, _| !name.starts_with("theirs"));
    });
    world.until_gone(&user).await;
    assert!(!exists(&world, "web"));
}

#[tokio::test(start_paused = true)]
async fn a_user_goes_although_every_answer_of_its_deletion_is_lost_once() {
    for (operation, fault) in ["DeleteUserPolicy", "DeleteUser", "DetachUserPolicy", "ListAccessKeys"]
        .into_iter()
        .flat_map(|operation| [(operation, Fault::DropAfter), (operation, Fault::StatusBefore(503))])
    {
        let world = shop();
        let policy = world.iam_policy("one", reads());
        let more = if operation == "DetachUserPolicy" {
            json!({ "policyRef": { "name": "one" } })
        } else {
            everything()
        };
        let user = world.user("web", more);
        let _process = world.healthy();
        world.until_ready(&user).await;
        world.store.faults().once(operation, fault);
        world.server.user_deletes(&user);
        world.until_gone(&user).await;
        assert!(!exists(&world, "web"), "{operation}");
        world.server.user_deletes(&policy);
        world.until_gone(&policy).await;
        assert!(world.store.with(|state| state.iam.policies.is_empty()), "{operation}");
    }
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
const PAUSES: [Duration; 2] = [Duration::ZERO, MINUTE];

/// In whatever order they are deleted, at once and one after the other in turns: the user and its policy go, and the Provider stays until
/// they are gone.
#[tokio::test(start_paused = true)]
async fn a_provider_a_user_and_its_policy_go_in_any_order_and_leave_nothing() {
    all_go(ORDERS.into_iter().zip(PAUSES.into_iter().cycle())).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "soak"]
async fn a_provider_a_user_and_its_policy_go_in_any_order_at_any_pace_and_leave_nothing() {
    all_go(ORDERS.into_iter().flat_map(|order| PAUSES.map(|pause| (order, pause)))).await;
}

async fn all_go(orders: impl Iterator<Item = ([usize; 3], Duration)>) {
    for (order, pause) in orders {
        let world = shop();
        let provider = world.provider(json!({}));
        let policy = world.iam_policy("one", reads());
        let user = world.user("web", json!({ "policyRef": { "name": "one" } }));
        let _process = world.healthy();
        world.until_ready(&user).await;
        let login = ObjectKey::new("Secret", "default", "login");
        // Deleted together and first: as when the namespace goes.
        if pause.is_zero() {
            world.server.user_deletes(&login);
        }
        world.server.user_deletes(&ObjectKey::new("Bucket", "default", "photos"));
        let all = [&provider, &policy, &user];
        for index in order {
            world.server.user_deletes(all[index]);
            sleep(pause).await;
        }
        for key in all {
            world
                .until(&format!("gone, {order:?}"), 60 * MINUTE, |world| world.server.read(key).is_none())
                .await;
        }
        assert!(!exists(&world, "web"), "{order:?}");
        assert!(world.store.with(|state| state.iam.policies.is_empty()), "{order:?}");
    }
}
