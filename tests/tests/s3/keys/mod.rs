//! Access keys: made once, kept in a Secret, replaced, and let go.

mod crashes;
mod lost;
mod rotation;
mod secrecy;
mod services;
mod strangers;

use std::collections::BTreeSet;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{
    faults::{Fault, Rule},
    s3::fake::iam::Key,
    simulation::MINUTE,
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

/// The user's name at the service.
const ALICE: &str = "alice";

fn user(world: &World) -> ObjectKey {
    world.put("User", "alice", json!({ "name": ALICE, "providerRef": { "name": "p" } }))
}

/// The AccessKey `name` of alice.
fn key_of(world: &World, name: &'static str, rotate: Value) -> ObjectKey {
    let spec = json!({ "providerRef": { "name": "p" }, "userRef": { "name": "alice" }, "rotate": rotate });
    world.put("AccessKey", name, spec)
}

/// Alice, and her AccessKey `web`.
fn key(world: &World, rotate: Value) -> ObjectKey {
    user(world);
    key_of(world, "web", rotate)
}

fn rotate(world: &World, key: &ObjectKey, text: &str) {
    world.server.user_annotates(key, json!({ "s3.cloud37.dev/rotate": text }));
}

fn secret_key(name: &str) -> ObjectKey {
    ObjectKey::new("Secret", "default", format!("{name}-credentials"))
}

/// The pair in the Secret of an AccessKey.
fn pair(world: &World, name: &str) -> Option<(String, String)> {
    let secret = world.server.read(&secret_key(name))?;
    let text = |entry: &str| {
        let bytes = secret["data"][entry].as_str().map(Value::from)?;
        let bytes: ByteString = serde_json::from_value(bytes).ok()?;
        String::from_utf8(bytes.0).ok()
    };
    Some((text("access-key-id")?, text("secret-access-key")?))
}

/// The ids that the status has recorded.
fn recorded(world: &World, key: &ObjectKey) -> BTreeSet<String> {
    let status = world.server.status(key);
    let ids = [&status["accessKeyId"], &status["previousAccessKeyId"]];
    ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

fn ids(keys: &[Key]) -> BTreeSet<String> {
    keys.iter().map(|key| key.id.clone()).collect()
}

/// The pair in the Secret is that of a key of the service.
fn is_live(world: &World, name: &str) -> bool {
    let keys = world.store.keys(ALICE);
    pair(world, name).is_some_and(|(id, secret)| {
        keys.iter().any(|key| key.active && (&key.id, &key.secret) == (&id, &secret))
    })
}

/// Nothing is in doubt; every key of the service is recorded; the Secret holds the one in use; and a third was never asked for.
fn is_in_order(world: &World, key: &ObjectKey) -> bool {
    let status = world.server.status(key);
    let in_use = pair(world, &key.name).map(|(id, _)| id);
    world.server.is_ready(key)
        && status["intent"].is_null()
        && recorded(world, key) == ids(&world.store.keys(ALICE))
        && status["accessKeyId"].as_str() == in_use.as_deref()
        && is_live(world, &key.name)
}

fn assert_in_order(world: &World, key: &ObjectKey, context: &str) {
    assert!(is_in_order(world, key), "{context}: {:?}\n{}", world.store.keys(ALICE), world.dump());
    let refused = world.store.log().into_iter().filter(|one| one.operation == "CreateAccessKey");
    let refused: Vec<_> = refused.filter(|one| one.handled == Some(409)).collect();
    assert!(refused.is_empty(), "{context}: {refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_made_into_a_secret_that_was_there_before() {
    let world = World::new();
    world.store.with(|state| state.denied.insert("CreateAccessKey"));
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until("refused", MINUTE, |world| world.server.condition(&web, "Synced") == "False Refused").await;
    let secret = world.server.read(&secret_key("web")).unwrap();
    assert!(secret["data"].is_null() && world.store.keys(ALICE).is_empty(), "{secret:#}");
    assert_eq!(secret["metadata"]["ownerReferences"][0]["name"], "web");
    let says = world.server.message(&web, "Synced");
    assert!(says.contains("CreateAccessKey was answered AccessDenied"), "{says}");

    world.store.with(|state| state.denied.clear());
    world.server.user_annotates(&web, json!({ "concierge.dev/reconcile-at": "now" }));
    world.until_ready(&web).await;
    assert_in_order(&world, &web, "made");
    assert_eq!((world.store.count("CreateAccessKey"), world.store.keys(ALICE).len()), (2, 1));
    let id = pair(&world, "web").unwrap().0;
    let told = format!("Created: made access key {id} of user alice into Secret web-credentials (id {id})");
    assert!(world.told().contains(&told), "{:?}", world.told());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_in_order_costs_one_call_a_look_and_no_write() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    sleep(MINUTE).await;
    let (written, listed) = (*world.server.grown().borrow(), world.store.count("ListAccessKeys"));
    sleep(60 * MINUTE).await;
    let listed = world.store.count("ListAccessKeys") - listed;
    assert!((5..=8).contains(&listed), "{listed}");
    let written: Vec<_> = world.server.log_from(written).into_iter().map(|entry| entry.name).collect();
    assert!(!written.iter().any(|(kind, ..)| kind == "AccessKey" || kind == "Secret"), "{written:?}");
    assert_eq!(world.store.count("CreateAccessKey"), 1);
}

#[tokio::test(start_paused = true)]
async fn lists_with_pages_of_one_hide_no_key() {
    let world = World::new();
    world.store.with(|state| state.iam.page = 1);
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    for text in ["one", "two", "three"] {
        rotate(&world, &web, text);
        world.until(text, MINUTE, |world| world.server.status(&web)["lastRotateRequest"] == text).await;
    }
    sleep(MINUTE).await;
    assert_in_order(&world, &web, "pages");
    assert_eq!(world.store.keys(ALICE).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn both_keys_go_with_their_object_and_then_the_user() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    rotate(&world, &web, "now");
    world.until("rotated", MINUTE, |world| world.store.keys(ALICE).len() == 2).await;
    sleep(MINUTE).await;
    let alice = ObjectKey::new("User", "default", "alice");
    world.server.user_deletes(&alice);
    sleep(MINUTE).await;
    assert!(world.server.read(&alice).is_some(), "its AccessKey is there");
    world.server.user_deletes(&web);
    world.until_gone(&web).await;
    world.until_gone(&alice).await;
    assert!(world.store.with(|state| state.iam.users.is_empty()));
    assert_eq!(world.store.count("DeleteAccessKey"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_outage_leaves_a_key_as_it_was() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    let before = pair(&world, "web");
    world.store.faults().inject(Rule::any(), Fault::DropBefore);
    rotate(&world, &web, "now");
    sleep(20 * MINUTE).await;
    assert!(world.server.is_ready(&web) || !world.is_synced(&web), "{}", world.dump());
    assert_eq!(pair(&world, "web"), before);
    world.store.faults().clear();
    world
        .until("rotated", 30 * MINUTE, |world| {
            world.server.status(&web)["lastRotateRequest"] == "now" && is_in_order(world, &web)
        })
        .await;
}
