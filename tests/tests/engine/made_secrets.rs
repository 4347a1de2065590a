//! Secrets that are made for an object: labelled, filled, deleted with a change of name, and never merged into somebody else's.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

const RED: &str = "cmVk";

fn secret(world: &World, name: &str) -> Option<Value> {
    world.server.read(&ObjectKey::new("Secret", "default", name))
}

fn chest(world: &World, key: &str) -> ObjectKey {
    world.chest("oak", json!({ "colour": "red", "key": key }))
}

fn foreign(world: &World, name: &str, metadata: Value) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": "default" },
        "data": { "theirs": "eA==" },
    });
    object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    world.server.user_puts(object)
}

#[tokio::test(start_paused = true)]
async fn a_secret_has_labels_annotations_a_type_and_an_owner() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = chest(&world, "login");
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&key), "{:#}", world.server.status(&key));
    let made = secret(&world, "login").unwrap();
    assert_eq!(
        made["metadata"]["labels"],
        json!({ "app.kubernetes.io/managed-by": "concierge", "colour": "red" })
    );
    assert_eq!(made["metadata"]["annotations"], json!({ "note": "a key" }));
    assert_eq!(made["metadata"]["ownerReferences"][0]["name"], "oak");
    assert_eq!((&made["type"], &made["data"]), (&json!("toys.example.com/key"), &json!({ "colour": RED })));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_no_longer_wanted_is_deleted_and_no_other() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = chest(&world, "login");
    let theirs = foreign(&world, "theirs", json!({}));
    sleep(MINUTE).await;
    chest(&world, "login2");
    sleep(MINUTE).await;
    assert!(secret(&world, "login").is_none() && secret(&world, "login2").is_some());
    assert_eq!(world.server.status(&key)["key"], "login2");
    // Replaced by somebody's own of the same name before it is to be deleted.
    world.server.user_deletes(&ObjectKey::new("Secret", "default", "login2"));
    let replaced = foreign(&world, "login2", json!({}));
    chest(&world, "login3");
    sleep(MINUTE).await;
    assert_eq!(secret(&world, "login2").as_ref(), Some(&replaced));
    assert_eq!(secret(&world, "theirs").as_ref(), Some(&theirs));
    assert!(secret(&world, "login3").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_secret_named_like_somebody_elses_is_never_merged_into() {
    let strangers = [
        json!({}),
        json!({ "labels": { "app.kubernetes.io/managed-by": "concierge" } }),
        json!({ "ownerReferences": [{ "apiVersion": "toys.example.com/v1", "kind": "Chest", "name": "oak", "uid": "of an earlier oak" }] }),
    ];
    for stranger in strangers {
        let world = World::new();
        let before = foreign(&world, "login", stranger);
        let _process = world.healthy().await;
        let key = chest(&world, "login");
        sleep(MINUTE).await;
        assert_eq!(secret(&world, "login"), Some(before), "untouched");
        let told = world.server.message(&key, "Synced");
        assert!(told.contains("Secret login exists and does not belong to this object"), "{told}");
        world.server.user_deletes(&key);
        sleep(MINUTE).await;
        assert!(world.server.read(&key).is_none() && secret(&world, "login").is_some());
    }
}
