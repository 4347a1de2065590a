//! IAM policies: made, kept in versions, attached to users, and let go.

use concierge_reconciler::engine::{ObjectKey, seams::CrashPoint};
use concierge_tests::{
    faults::{Fault, Hidden},
    s3::fake::iam::Policy,
    simulation::MINUTE,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    making::Making,
    users::{reads, shop},
    world::World,
};

const OTHER: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#;

/// A look into the one policy there is at the service.
fn look<T>(world: &World, look: impl FnOnce(&mut Policy) -> T) -> T {
    world.store.with(|state| {
        assert_eq!(state.iam.policies.len(), 1, "{:?}", state.iam.policies);
        look(state.iam.policies.values_mut().next().unwrap())
    })
}

fn count(world: &World) -> usize {
    world.store.with(|state| state.iam.policies.len())
}

fn is_write(operation: &str) -> bool {
    !["Get", "List", "Head"].iter().any(|word| operation.starts_with(word))
}

fn of_folder(folder: usize) -> Value {
    json!({ "statement": [{ "effect": "Allow", "action": "s3:GetObject", "resource": format!("arn:aws:s3:::photos/{folder}/*") }] })
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_not_shown_yet_goes_with_its_object() {
    let world = shop();
    world.store.faults().once("CreatePolicy", Fault::Hide(Hidden::For(5 * MINUTE)));
    let policy = world.iam_policy("one", reads());
    let _process = world.healthy();
    world.until("made", MINUTE, |world| world.server.status(&policy)["policyArn"].is_string()).await;
    world.server.user_deletes(&policy);
    world.until_gone(&policy).await;
    assert_eq!(count(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_made_by_few_calls_and_then_left_alone() {
    let world = shop();
    let at = world.server.now();
    world.store.with(|state| {
        (0..7).for_each(|n| drop(state.iam.make_policy(&format!("theirs-{n}"), "/", OTHER, at).arn.clone()));
    });
    let policy = world.put(
        "IAMPolicy",
        "one",
        json!({ "providerRef": { "name": "p" }, "policy": reads(), "tags": { "team": "shop" } }),
    );
    let _process = world.healthy();
    world.until_ready(&policy).await;
    world
        .until("tagged", MINUTE, |world| {
            world
                .store
                .with(|state| state.iam.policies.values().any(|policy| policy.tags.contains_key("team")))
        })
        .await;
    let made = world.calls_of_objects(0);
    assert!(made.len() <= 25, "{}: {made:?}", made.len());
    let status = world.server.status(&policy);
    let arn = status["policyArn"].as_str().unwrap();
    assert!(arn.contains(":policy/k8s/") && arn.ends_with("/default/one"), "{arn}");
    assert_eq!(status["applied"], true);
    let id = world.store.with(|state| state.iam.policies[arn].id.clone());
    assert_eq!(status["policyId"], id);

    sleep(MINUTE).await;
    let (calls, writes) = (world.store.calls(), world.server.writes());
    sleep(15 * MINUTE).await;
    let later = world.calls_of_objects(calls);
    let looks = later.iter().filter(|one| **one == "GetPolicy").count();
    assert!(looks >= 1 && later.len() <= 9 * looks, "{looks} looks: {later:?}");
    assert!(!later.iter().any(|one| is_write(one)), "{later:?}");
    assert_eq!(world.server.writes(), writes, "nothing is written while nothing changes");
}

#[tokio::test(start_paused = true)]
async fn a_policy_changes_by_versions_of_which_the_oldest_go() {
    let world = shop();
    let policy = world.iam_policy("one", reads());
    let _process = world.healthy();
    world.until_ready(&policy).await;
    for folder in 0..8 {
        world.iam_policy("one", of_folder(folder));
        let text = format!("photos/{folder}/");
        world
            .until("changed", 5 * MINUTE, |world| look(world, |policy| policy.document().contains(&text)))
            .await;
        look(&world, |policy| assert!(policy.versions.len() <= 5, "{:?}", policy.versions));
    }
    look(&world, |policy| {
        let ids: Vec<_> = policy.versions.iter().map(|version| version.id.as_str()).collect();
        assert_eq!(ids, ["v5", "v6", "v7", "v8", "v9"], "the oldest went");
        assert_eq!(policy.default, "v9");
    });
    // Somebody makes another version count: ours is put back, and it is told.
    world.until_ready(&policy).await;
    look(&world, |policy| policy.default = "v6".to_owned());
    world
        .until("mended", 20 * MINUTE, |world| look(world, |policy| policy.document().contains("photos/7/")))
        .await;
    world.until("told", MINUTE, |world| world.server.condition(&policy, "Drifted") == "False InSync").await;
    world.server.user_deletes(&policy);
    world.until_gone(&policy).await;
    assert_eq!(count(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn another_version_whose_answer_is_lost_is_made_once() {
    for fault in [Fault::DropAfter, Fault::DropBefore, Fault::StatusAfter(500)] {
        let world = shop();
        let policy = world.iam_policy("one", reads());
        let _process = world.healthy();
        world.until_ready(&policy).await;
        world.store.faults().once("CreatePolicyVersion", fault);
        world.iam_policy("one", of_folder(1));
        world
            .until("changed", 20 * MINUTE, |world| {
                world.is_synced(&policy) && look(world, |policy| policy.document().contains("photos/1/"))
            })
            .await;
        look(&world, |policy| assert_eq!(policy.versions.len(), 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_somebody_else_is_left_alone_until_it_is_adopted() {
    let world = shop();
    let at = world.server.now();
    world.store.with(|state| drop(state.iam.make_policy("one", "/theirs/", OTHER, at).arn.clone()));
    let policy = world.iam_policy("one", reads());
    let _process = world.healthy();
    world
        .until("refused", 5 * MINUTE, |world| {
            world.server.condition(&policy, "Ready") == "False OwnedByOther"
        })
        .await;
    sleep(30 * MINUTE).await;
    assert!(!world.calls_of_objects(0).iter().any(|one| is_write(one)), "{:?}", world.calls_of_objects(0));
    world.server.user_annotates(&policy, json!({ "concierge.dev/adopt": "true" }));
    world.until_ready(&policy).await;
    look(&world, |policy| assert!(policy.document().contains("photos") && policy.path == "/theirs/"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_the_predecessor_made_is_ours() {
    let world = shop();
    let at = world.server.now();
    let arn = world.store.with(|state| state.iam.make_policy("one", "/", OTHER, at).arn.clone());
    let policy = world.iam_policy("one", reads());
    let mut object = world.server.read(&policy).unwrap();
    object["status"] = json!({ "policyArn": arn, "applied": true, "attachedUsers": [], "conditions": [] });
    object["metadata"]["finalizers"] = json!(["s3.cloud37.dev/finalizer"]);
    world.server.user_deletes(&policy);
    world.server.user_puts_whole(object);
    let _process = world.healthy();
    world.until_ready(&policy).await;
    look(&world, |policy| assert!(policy.document().contains("photos")));
    world.server.user_deletes(&policy);
    world.until_gone(&policy).await;
    assert_eq!(count(&world), 0);
}

const MAKING: Making = Making {
    kind: "IAMPolicy",
    operation: "CreatePolicy",
    field: "policyArn",
    put: |world| world.iam_policy("one", reads()),
    id: |world| (count(world) > 0).then(|| look(world, |policy| policy.arn.clone())),
};

#[tokio::test(start_paused = true)]
async fn whatever_interrupts_the_making_of_a_policy_there_is_one_and_it_is_ours() {
    let every_other = CrashPoint::ALL.iter().step_by(2);
    println!("every other point; those between are a User's, and make soak has all");
    MAKING.is_interrupted(every_other, Some(&Fault::DropAfter)).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "soak"]
async fn whatever_else_interrupts_the_making_of_a_policy_there_is_one_and_it_is_ours() {
    MAKING.is_interrupted_everywhere().await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_tells_who_has_it() {
    let world = shop();
    let policy = world.iam_policy("one", reads());
    let users: Vec<_> =
        ["web", "api", "job"].map(|name| world.user(name, json!({ "policyRef": { "name": "one" } }))).into();
    let _process = world.healthy();
    for user in &users {
        world.until_ready(user).await;
    }
    world
        .until("told", 20 * MINUTE, |world| {
            world.server.status(&policy)["attachedUsers"] == json!(["api", "job", "web"])
        })
        .await;
    assert_eq!(count(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_somebody_elses_user_has_stays_and_names_it() {
    let world = shop();
    let policy = world.iam_policy("one", reads());
    let ours = world.user("web", json!({ "policy": reads() }));
    let _process = world.healthy();
    world.until_ready(&policy).await;
    world.until_ready(&ours).await;
    let at = world.server.now();
    let arn = look(&world, |policy| policy.arn.clone());
    world.store.with(|state| {
        for name in ["zoe", "yan", "xia"] {
            state.iam.make_user(name, "/", Default::default(), at).attached.insert(arn.clone());
        }
        // By hand, to a user of ours: it goes with the policy.
        state.iam.users.get_mut("web").unwrap().attached.insert(arn.clone());
    });
    world.server.user_deletes(&policy);
    let says = |world: &World| world.server.message(&policy, "Deleting");
    world
        .until("held", 5 * MINUTE, |world| says(world).contains("attached to what Concierge did not make"))
        .await;
    for name in ["user zoe", "user yan", "user xia"] {
        assert!(says(&world).contains(name), "{}", says(&world));
    }
    sleep(30 * MINUTE).await;
    assert_eq!(count(&world), 1);
    let attached = |world: &World| {
        world.store.with(|state| state.iam.users.values().filter(|user| user.attached.contains(&arn)).count())
    };
    assert_eq!(attached(&world), 4, "nothing is done by halves");
    world.store.with(|state| {
        ["zoe", "yan", "xia"]
            .iter()
            .for_each(|name| state.iam.users.get_mut(*name).unwrap().attached.clear());
    });
    world.until_gone(&policy).await;
    assert_eq!((count(&world), attached(&world)), (0, 0));
    assert!(world.server.is_ready(&ours));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_was_attached_by_hand_to_a_user_of_another_namespace_stays_there() {
    let world = shop();
    let provider = ObjectKey::new("Provider", "default", "p");
    world.server.user_annotates(&provider, json!({ "concierge.dev/allow-references-from": "elsewhere" }));
    let policy = world.iam_policy("one", reads());
    world.server.user_puts(json!({
        "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "User",
        "metadata": { "name": "web", "namespace": "elsewhere" },
        "spec": { "name": "web", "providerRef": { "name": "p", "namespace": "default" } },
    }));
    let user = ObjectKey::new("User", "elsewhere", "web");
    let _process = world.healthy();
    world.until_ready(&policy).await;
    world.until_ready(&user).await;
    let arn = look(&world, |policy| policy.arn.clone());
    world.store.with(|state| state.iam.users.get_mut("web").unwrap().attached.insert(arn.clone()));
    world.server.user_deletes(&policy);
    let says = |world: &World| world.server.message(&policy, "Deleting");
    world.until("held", 5 * MINUTE, |world| says(world).contains("user web")).await;
    sleep(15 * MINUTE).await;
    assert!(world.store.with(|state| state.iam.users["web"].attached.contains(&arn)));
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_such_policies_says_so() {
    let declared = json!({ "type": "versitygw" });
    for (spec, lacking) in [(declared, false), (json!({}), true)] {
        let world = shop();
        world.provider(spec);
        if lacking {
            world.store.with(|state| state.lacking.extend(["ListPolicies", "CreatePolicy"]));
        }
        let policy = world.iam_policy("one", reads());
        let _process = world.healthy();
        world
            .until("told", 5 * MINUTE, |world| {
                world.server.condition(&policy, "Unsupported") == "True Unsupported"
                    && world.server.condition(&policy, "Ready") == "False Unsupported"
            })
            .await;
        world.server.user_deletes(&policy);
        world.until_gone(&policy).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_gone_is_made_again() {
    let world = shop();
    let policy: ObjectKey = world.iam_policy("one", reads());
    let _process = world.healthy();
    world.until_ready(&policy).await;
    let before = world.server.status(&policy)["policyId"].clone();
    world.store.with(|state| state.iam.policies.clear());
    world.until("made again", 30 * MINUTE, |world| count(world) == 1 && world.is_synced(&policy)).await;
    world.until_ready(&policy).await;
    let id = look(&world, |policy| policy.id.clone());
    assert_eq!(world.server.status(&policy)["policyId"], id);
    assert_ne!(before, id);
}

#[tokio::test(start_paused = true)]
async fn a_policy_whose_name_was_freed_and_taken_again_is_another() {
    let world = shop();
    let policy = world.iam_policy("one", reads());
    let process = world.healthy();
    world.until_ready(&policy).await;
    drop(process);
    // At the same path, and so with the same ARN: somebody who makes policies like ours.
    let (at, path) = (world.server.now(), look(&world, |policy| policy.path.clone()));
    world.store.with(|state| drop(state.iam.make_policy("one", &path, OTHER, at).arn.clone()));
    let calls = world.store.calls();
    let _process = world.healthy();
    world
        .until("refused", 15 * MINUTE, |world| {
            world.server.condition(&policy, "Ready") == "False OwnedByOther"
        })
        .await;
    let told = world.server.message(&policy, "Ready");
    assert!(told.contains("another one has its name"), "{told}");
    world.server.user_deletes(&policy);
    world.until_gone(&policy).await;
    assert_eq!(count(&world), 1, "it is not ours to delete");
    assert!(!world.calls_of_objects(calls).iter().any(|one| is_write(one)));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_was_made_by_others_under_a_recorded_arn_is_taken_over_when_that_is_said() {
    let world = shop();
    let policy = world.iam_policy("one", reads());
    let _process = world.healthy();
    world.until_ready(&policy).await;
    let (at, path) = (world.server.now(), look(&world, |policy| policy.path.clone()));
    world.store.with(|state| drop(state.iam.make_policy("one", &path, OTHER, at).arn.clone()));
    world
        .until("refused", 15 * MINUTE, |world| {
            world.server.condition(&policy, "Ready") == "False OwnedByOther"
        })
        .await;
    world.server.user_annotates(&policy, json!({ "concierge.dev/adopt": "true" }));
    world.until_ready(&policy).await;
    let id = look(&world, |policy| {
        assert!(policy.document().contains("photos"));
        policy.id.clone()
    });
    assert_eq!(world.server.status(&policy)["policyId"], id);
}
