//! Keys, Secrets and statuses that this object did not make.

use concierge_tests::{
    faults::{Fault, Pause},
    simulation::MINUTE,
};
use jiff::SignedDuration;
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{ALICE, assert_in_order, ids, key, key_of, pair, rotate, secret_key, user};
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn keys_that_somebody_else_made_are_in_the_way_are_named_and_stay() {
    let world = World::new();
    let alice = user(&world);
    let _process = world.healthy();
    world.until_ready(&alice).await;
    let theirs: Vec<_> = (0..2)
        .map(|_| world.store.with(|state| state.iam.give_key(ALICE, world.server.now()).unwrap().id))
        .collect();
    let web = key(&world, json!({}));
    world.until("refused", MINUTE, |world| world.server.condition(&web, "Ready") == "False Refused").await;
    assert_eq!(
        world.server.message(&web, "Ready"),
        format!(
            "user alice has as many access keys as a user can have beside this object's: {}, which Concierge did not make, {}, which \
             Concierge did not make; delete one of them, or give this AccessKey a User of its own",
            theirs[0], theirs[1]
        )
    );
    sleep(60 * MINUTE).await;
    assert_eq!((world.store.count("CreateAccessKey"), world.store.count("DeleteAccessKey")), (0, 0));

    world.store.with(|state| state.iam.users.get_mut(ALICE).unwrap().keys.remove(0));
    world.until_ready(&web).await;
    rotate(&world, &web, "now");
    world.until("blocked", MINUTE, |world| world.server.condition(&web, "Rotation") == "False NoRoom").await;
    assert!(world.server.is_ready(&web));
    world.server.user_deletes(&web);
    world.until_gone(&web).await;
    assert_eq!(ids(&world.store.keys(ALICE)), [theirs[1].clone()].into());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_person_makes_and_uses_while_an_answer_is_lost_is_left_and_people_decide() {
    let world = World::new();
    let alice = user(&world);
    let _process = world.healthy();
    world.until_ready(&alice).await;
    world.store.faults().once("CreateAccessKey", Fault::DropBefore);
    let web = key(&world, json!({}));
    world
        .until("in doubt", MINUTE, |world| world.server.condition(&web, "Unknown").starts_with("True"))
        .await;
    let theirs = world.store.with(|state| {
        let made = state.iam.give_key(ALICE, world.server.now()).unwrap();
        state.iam.users.get_mut(ALICE).unwrap().keys[0].used = Some(world.server.now());
        made.id
    });
    world.until("held", 20 * MINUTE, |world| world.server.condition(&web, "Unknown") == "True Held").await;
    let says = world.server.message(&web, "Unknown");
    assert!(says.contains(&theirs) && says.contains("concierge.dev/resolve-unknown"), "{says}");
    world.server.user_annotates(&web, json!({ "concierge.dev/resolve-unknown": "retry" }));
    world.until_ready(&web).await;
    assert_eq!(ids(&world.store.keys(ALICE)), [theirs, pair(&world, "web").unwrap().0].into());
    assert_eq!(world.store.count("DeleteAccessKey"), 0);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_secret_is_never_written_into() {
    let world = World::new();
    let theirs = world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "web-credentials", "namespace": "default" },
        "data": { "theirs": "eA==" },
    }));
    let web = key(&world, json!({}));
    let _process = world.healthy();
    let refused = |world: &World| world.server.condition(&web, "Ready") == "False OwnedByOther";
    world.until("refused", MINUTE, refused).await;
    sleep(30 * MINUTE).await;
    let told = world.server.message(&web, "Ready");
    assert_eq!(told, "Secret web-credentials exists and does not belong to this object; delete or rename it");
    assert_eq!(world.server.read(&secret_key("web")), Some(theirs));
    assert_eq!(world.store.count("CreateAccessKey"), 0);
}

/// An AccessKey as the predecessor left it, and its Secret.
fn inherited(world: &World, id: &str, secret: &str) -> concierge_reconciler::engine::ObjectKey {
    let web = key(world, json!({}));
    let mut object = world.server.read(&web).unwrap();
    object["status"] = json!({ "accessKeyId": id, "created": true });
    object["metadata"]["finalizers"] = json!(["s3.cloud37.dev/finalizer"]);
    let uid = object["metadata"]["uid"].clone();
    world.server.user_puts_whole(object);
    let bytes = |text: &str| -> Value { json!(ByteString(text.as_bytes().to_vec())) };
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "web-credentials", "namespace": "default",
            "ownerReferences": [{ "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "AccessKey", "name": "web", "uid": uid }],
        },
        "data": { "access-key-id": bytes(id), "secret-access-key": bytes(secret) },
    }));
    web
}

#[tokio::test(start_paused = true)]
async fn what_the_predecessor_recorded_and_the_service_confirms_is_ours() {
    let world = World::new();
    let alice = user(&world);
    let _process = world.healthy();
    world.until_ready(&alice).await;
    let old = world.store.with(|state| state.iam.give_key(ALICE, world.server.now()).unwrap());
    let web = inherited(&world, &old.id, &old.secret);
    world.until_ready(&web).await;
    sleep(30 * MINUTE).await;
    assert_in_order(&world, &web, "inherited");
    assert_eq!(world.store.count("CreateAccessKey"), 0);
    rotate(&world, &web, "now");
    world.until("replaced", MINUTE, |world| world.store.keys(ALICE).len() == 2).await;
    sleep(MINUTE).await;
    assert_in_order(&world, &web, "replaced");
}

#[tokio::test(start_paused = true)]
async fn what_the_predecessor_recorded_and_the_service_does_not_have_is_made() {
    let world = World::new();
    let alice = user(&world);
    let _process = world.healthy();
    world.until_ready(&alice).await;
    let web = inherited(&world, "AKIALONGGONELONGGONE", "nothing");
    world.until("made", 5 * MINUTE, |world| world.store.keys(ALICE).len() == 1).await;
    sleep(15 * MINUTE).await;
    assert_in_order(&world, &web, "made");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_older_ones_leave_no_place_for_is_made_when_one_of_them_is_gone() {
    let rotated = || json!({ "enabled": true, "intervalDays": 90, "previousKeysRetentionDays": 7 });
    for (older, last) in [(vec![json!({}), json!({})], json!({})), (vec![rotated()], rotated())] {
        let world = World::new();
        user(&world);
        let _process = world.healthy();
        let mut keys = Vec::new();
        for (name, rotate) in ["web", "app"].into_iter().zip(older) {
            keys.push(key_of(&world, name, rotate));
            world.until_ready(keys.last().unwrap()).await;
            sleep(MINUTE).await;
        }
        let last = key_of(&world, "last", last);
        world
            .until("refused", MINUTE, |world| world.server.condition(&last, "Valid") == "False Conflict")
            .await;
        world.server.user_deletes(&keys[0]);
        world.until_gone(&keys[0]).await;
        world.until("made", 15 * MINUTE, |world| world.server.is_ready(&last)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_key_is_made_for_a_user_that_is_not_ours_any_more() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    sleep(15 * MINUTE).await;
    // Somebody deletes the user, and makes another of the same name.
    world.store.with(|state| {
        state.iam.users.clear();
        state.iam.make_user(ALICE, "/", Default::default(), world.server.now());
    });
    sleep(60 * MINUTE).await;
    assert!(!world.server.is_ready(&web), "{}", world.dump());
    assert!(world.store.keys(ALICE).is_empty() && world.store.count("CreateAccessKey") == 1);
}

/// A Provider may use a key that Concierge makes. That the service does not know it yet opens no breaker.
#[tokio::test(start_paused = true)]
async fn a_new_key_that_is_not_known_everywhere_yet_is_tried_again() {
    let world = World::new();
    let web = key(&world, json!({}));
    let provider = world.provider(json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    world.store.with(|state| state.iam.settling = SignedDuration::from_secs(30));
    rotate(&world, &web, "now");
    world.until("replaced", MINUTE, |world| world.store.keys(ALICE).len() == 2).await;
    world.until("in the Secret", MINUTE, |world| super::is_live(world, "web")).await;
    let (id, secret) = pair(&world, "web").unwrap();
    world.store.faults().once("ListBuckets", Fault::SlowBefore(Pause::For(std::time::Duration::ZERO)));
    world.credentials(&id, &secret);
    world.server.user_annotates(&provider, json!({ "concierge.dev/reconcile-at": "now" }));
    let refused = || world.server.condition(&provider, "AuthValid").starts_with("False");
    let in_use =
        |world: &World| world.store.log().iter().any(|one| one.caller == id && one.handled == Some(200));
    world.until("in use", 2 * MINUTE, |world| refused() || in_use(world)).await;
    assert!(!refused(), "{}", world.dump());
    let early = world.store.log().into_iter().filter(|one| one.caller == id && one.handled == Some(403));
    assert!(early.count() > 0, "it was used too early");
}
