//! Documents that go from where they were put, though not everything is there or permitted any more.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{
    s3::fake::{Bucket, KEY},
    simulation::MINUTE,
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::{
    documents::{delivered, document, hidden, key_of, keys, now_of},
    world::{SECRET, World},
};

const ALLOW: &str = "concierge.dev/allow-references-from";

#[tokio::test(start_paused = true)]
async fn a_storage_stays_until_what_is_in_it_has_moved() {
    let (world, key) = delivered().await;
    let lake = ObjectKey::new("Storage", "default", "lake");
    let _process = world.healthy();
    world.storage("other", json!({ "bucket": "later" }));
    document(&world, "hello", json!({ "storageRef": { "name": "other" } }));
    let told = |world: &World| world.server.condition(&key, "Ready").starts_with("False");
    world.until("told", 5 * MINUTE, told).await;
    world.server.user_deletes(&lake);
    let kept = |world: &World| world.server.message(&lake, "Deleting").contains("Document default/hello");
    world.until("kept", 5 * MINUTE, kept).await;
    assert_eq!(keys(&world), [key_of("hello")]);

    world.store.with(|state| state.buckets.insert("later".to_owned(), Bucket::default()));
    world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "now" }));
    world.until("moved", 5 * MINUTE, |world| keys(world).is_empty() && world.is_done(&key)).await;
    world.until("gone", MINUTE, |world| world.server.read(&lake).is_none()).await;
}

/// A Storage of the namespace `shared`, which permits others what it says.
fn shared(world: &World, annotations: Value) -> ObjectKey {
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "login", "namespace": "shared" },
        "data": { "id": bytes(KEY), "secret": bytes(SECRET) },
    }));
    let of_default = world.storage("model", json!({}));
    let spec = world.server.read(&of_default).unwrap()["spec"].clone();
    world.server.user_removes(&of_default);
    world.server.user_puts(json!({
        "apiVersion": "orasi.io/v1alpha1", "kind": "Storage", "spec": spec,
        "metadata": { "name": "lake", "namespace": "shared", "annotations": annotations },
    }));
    ObjectKey::new("Storage", "shared", "lake")
}

#[tokio::test(start_paused = true)]
async fn what_was_put_is_hidden_and_removed_though_its_storage_permits_it_no_more() {
    let world = World::new();
    let storage = shared(&world, json!({ ALLOW: "default" }));
    let there = json!({ "storageRef": { "name": "lake", "namespace": "shared" } });
    let mut away = there.clone();
    away["hidden"] = json!(true);
    let [hello, bye] = ["hello", "bye"].map(|name| document(&world, name, there.clone()));
    let _process = world.healthy();
    for key in [&hello, &bye] {
        world.until_done(key).await;
    }
    world.server.user_annotates(&storage, json!({ ALLOW: null }));
    let lost = |world: &World| {
        let resolved = |key| world.server.condition(key, "ReferencesResolved");
        [&hello, &bye].into_iter().all(|key| resolved(key) == "False ReferencesMissing")
    };
    world.until("lost", 30 * MINUTE, lost).await;
    assert_eq!(keys(&world), [key_of("bye"), key_of("hello")], "what is there stays");

    document(&world, "hello", away);
    world.until("hidden", 5 * MINUTE, |world| world.server.status(&hello)["isHidden"] == true).await;
    assert_eq!(keys(&world), [key_of("bye")]);
    assert_eq!(world.server.condition(&hello, "ReferencesResolved"), "False ReferencesMissing");
    world.server.user_deletes(&bye);
    world.until("gone", 5 * MINUTE, |world| world.server.read(&bye).is_none()).await;
    assert!(keys(&world).is_empty());

    document(&world, "hello", there);
    let waits = |world: &World| world.server.condition(&hello, "Ready") == "False ReferencesMissing";
    world.until("refused", 5 * MINUTE, waits).await;
    assert!(keys(&world).is_empty(), "nothing is put without permission");
}

#[tokio::test(start_paused = true)]
async fn a_hidden_document_tells_what_an_earlier_one_of_its_name_has_left() {
    let (world, key) = delivered().await;
    now_of(&world, |mark| format!("{}/before", mark.rsplit_once('/').unwrap().0));
    document(&world, "hello", hidden());
    let mut lost = world.server.read(&key).unwrap();
    lost.as_object_mut().unwrap().remove("status");
    world.server.user_puts_whole(lost);
    let _process = world.healthy();
    let told = |world: &World| world.server.condition(&key, "Delivered") == "False OwnedByOther";
    world.until("told", 5 * MINUTE, told).await;
    let message = world.server.message(&key, "Ready");
    assert!(message.contains(&key_of("hello")) && message.contains("concierge.dev/adopt"), "{message}");
    assert_ne!(world.server.status(&key)["isHidden"], true);
    assert_eq!(keys(&world), [key_of("hello")], "it may be somebody's");

    world.server.user_annotates(&key, json!({ "concierge.dev/adopt": "true" }));
    world.until("hidden", 5 * MINUTE, |world| world.server.status(&key)["isHidden"] == true).await;
    assert!(keys(&world).is_empty() && world.is_done(&key), "{}", world.dump());
}
