//! An object with a child that refers to it: neither waits for the other for ever, whichever goes first and whoever deletes it.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::{LEASE, MINUTE, ProcessOptions, Simulated, server::finalizers};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

const FOREGROUND: &str = "foregroundDeletion";

fn lid_of(chest: &ObjectKey) -> ObjectKey {
    ObjectKey::new("Chest", "default", format!("{}-lid", chest.name))
}

fn chests(world: &World) -> Vec<String> {
    world.service.state.lock().chests.keys().cloned().collect()
}

async fn chest_with_lid(world: &World) -> (ObjectKey, ObjectKey) {
    let chest = world.chest("oak", json!({ "colour": "brown", "size": 3, "lid": true }));
    sleep(MINUTE).await;
    let lid = lid_of(&chest);
    assert!(world.server.is_ready(&chest) && world.server.is_ready(&lid), "{:?}", world.server.status(&lid));
    assert_eq!(chests(world), ["oak", "oak-lid"]);
    (chest, lid)
}

fn owner(object: &Value) -> &Value {
    &object["metadata"]["ownerReferences"][0]
}

#[tokio::test(start_paused = true)]
async fn an_object_is_deleted_after_its_own_child_which_refers_to_it() {
    let world = World::new();
    let _process = world.healthy().await;
    let (chest, lid) = chest_with_lid(&world).await;
    assert_eq!(owner(&world.server.read(&lid).unwrap())["name"], "oak");
    // In the background: the garbage collector touches the child only when the owner is gone.
    world.server.user_deletes(&chest);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&chest), world.server.read(&lid)), (None, None));
    assert!(chests(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_deleted_in_the_foreground_goes_after_its_child() {
    let world = World::new();
    let _process = world.healthy().await;
    let (chest, lid) = chest_with_lid(&world).await;
    let mut object = world.server.read(&chest).unwrap();
    object["metadata"]["finalizers"].as_array_mut().unwrap().push(FOREGROUND.into());
    world.server.user_puts(object);
    world.server.user_deletes(&chest);
    // The garbage collector.
    world.server.user_deletes(&lid);
    sleep(MINUTE).await;
    assert!(world.server.read(&lid).is_none() && chests(&world).is_empty());
    let mut object = world.server.read(&chest).unwrap();
    assert_eq!(finalizers(&object), [FOREGROUND]);
    object["metadata"]["finalizers"] = json!([]);
    world.server.user_puts(object);
    sleep(MINUTE).await;
    assert!(chests(&world).is_empty(), "it is not made again");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_somebody_deletes_is_made_again_while_its_owner_stays() {
    let world = World::new();
    let _process = world.healthy().await;
    let (chest, lid) = chest_with_lid(&world).await;
    let uid = |object: Value| object["metadata"]["uid"].clone();
    let before = uid(world.server.read(&lid).unwrap());
    world.server.user_deletes(&lid);
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&lid), "its owner is woken when it is gone");
    assert_ne!(uid(world.server.read(&lid).unwrap()), before);
    world.server.user_deletes(&lid);
    world.server.user_deletes(&chest);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&chest), world.server.read(&lid)), (None, None));
    assert!(chests(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_made_still_keeps_an_object() {
    let world = World::new();
    let _process = world.healthy().await;
    let (chest, lid) = chest_with_lid(&world).await;
    let lamp = world.chest("lamp", json!({ "colour": "green", "on": "oak" }));
    sleep(MINUTE).await;
    world.server.user_deletes(&chest);
    sleep(MINUTE).await;
    let told = world.server.message(&chest, "Deleting");
    assert_eq!(told, "in use by Chest default/lamp; delete or change them first");
    assert!(world.server.read(&lid).is_some());
    world.server.user_deletes(&lamp);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&chest), world.server.read(&lid)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_child_is_no_failure_and_ends_when_the_child_is_gone() {
    let world = World::new();
    let _process = world.healthy().await;
    let (chest, lid) = chest_with_lid(&world).await;
    let mut object = world.server.read(&lid).unwrap();
    object["metadata"]["finalizers"].as_array_mut().unwrap().push("somebody.else/finalizer".into());
    world.server.user_puts(object);
    world.server.user_deletes(&chest);
    sleep(10 * MINUTE).await;
    assert_eq!(world.server.condition(&chest, "Deleting"), "True Deleting");
    assert_eq!(world.server.message(&chest, "Deleting"), "waits until its lid is gone");
    let gets = || world.service.state.lock().calls.get("GET /chest").copied().unwrap_or_default();
    let before = gets();
    sleep(60 * MINUTE).await;
    assert!((9..=15).contains(&(gets() - before)), "every five minutes or so: {}", gets() - before);
    let mut object = world.server.read(&lid).unwrap();
    object["metadata"]["finalizers"] = json!([]);
    // Nobody else holds it, so it is gone with its last finalizer.
    world.server.user_puts(object);
    world.server.user_removes(&lid);
    sleep(LEASE / 15).await;
    assert!(world.server.read(&chest).is_none(), "within a second");
}

#[tokio::test(start_paused = true)]
async fn a_stale_cache_makes_no_second_child_and_loses_none() {
    let world = World::new();
    let behind = ProcessOptions { lag: MINUTE / 12, ..ProcessOptions::default() };
    let _process = world.start("behind", behind);
    sleep(LEASE * 3).await;
    let (chest, lid) = chest_with_lid(&world).await;
    assert!(!world.server.message(&chest, "Synced").contains("shows no change"));
    world.server.user_deletes(&chest);
    sleep(3 * MINUTE).await;
    assert_eq!((world.server.read(&chest), world.server.read(&lid)), (None, None));
    assert!(chests(&world).is_empty());
}
