//! Secrets bear our finalizer as long as an object needs them, and no longer: in every order, after every loss of memory, and without rights.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::{LEASE, MINUTE, ProcessOptions, Simulated, server::finalizers};
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);

fn secret(world: &World, name: &str) -> ObjectKey {
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": "default" },
        "data": { "token": "aHVudGVyMg==" },
    }));
    ObjectKey::new("Secret", "default", name)
}

fn toy_with(world: &World, name: &str, secret: &str) -> ObjectKey {
    world.toy(name, json!({ "colour": "brown", "secret": secret }))
}

fn is_held(world: &World, key: &ObjectKey) -> bool {
    world.server.read(key).is_some_and(|object| !finalizers(&object).is_empty())
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_no_longer_named_is_released() {
    let world = World::new();
    let (first, second) = (secret(&world, "login"), secret(&world, "login2"));
    let bear = toy_with(&world, "bear", "login");
    let process = world.healthy().await;
    assert!(is_held(&world, &first));
    // The process that knew of the first Secret is gone when the other is named.
    process.stop().await;
    toy_with(&world, "bear", "login2");
    let _process = world.start("b", ProcessOptions::default());
    sleep(LEASE * 3).await;
    assert!(!is_held(&world, &first), "{:?}", world.server.read(&bear));
    assert!(is_held(&world, &second));
    world.server.user_deletes(&bear);
    sleep(MINUTE).await;
    assert!(world.server.read(&bear).is_none());
    assert!(!is_held(&world, &second));
}

#[tokio::test(start_paused = true)]
async fn of_two_that_go_together_the_last_releases_what_they_share() {
    for lag in [0, 50, 500] {
        let world = World::new();
        let login = secret(&world, "login");
        let toys = ["bear", "lion"].map(|name| toy_with(&world, name, "login"));
        let _process =
            world.start("a", ProcessOptions { lag: Duration::from_millis(lag), ..ProcessOptions::default() });
        sleep(LEASE * 3).await;
        assert!(is_held(&world, &login));
        world.server.user_deletes(&login);
        toys.iter().for_each(|toy| world.server.user_deletes(toy));
        sleep(MINUTE).await;
        assert!(toys.iter().all(|toy| world.server.read(toy).is_none()), "cache {lag} ms behind");
        assert!(world.server.read(&login).is_none(), "cache {lag} ms behind");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_needs_stays() {
    let world = World::new();
    let login = secret(&world, "login");
    let [bear, lion] = ["bear", "lion"].map(|name| toy_with(&world, name, "login"));
    let _process = world.healthy().await;
    world.server.user_deletes(&bear);
    sleep(MINUTE).await;
    assert!(world.server.read(&bear).is_none());
    assert!(is_held(&world, &login));
    world.server.user_deletes(&lion);
    sleep(MINUTE).await;
    assert!(!is_held(&world, &login));
}

#[tokio::test(start_paused = true)]
async fn a_replaced_secret_is_held_again() {
    let world = World::new();
    let login = secret(&world, "login");
    let bear = toy_with(&world, "bear", "login");
    let _process = world.healthy().await;
    let mut object = world.server.read(&login).unwrap();
    object["metadata"]["finalizers"] = json!([]);
    world.server.user_puts(object);
    sleep(30 * MINUTE).await;
    assert!(is_held(&world, &login));
    world.server.user_deletes(&login);
    world.server.user_deletes(&bear);
    sleep(MINUTE).await;
    assert!(world.server.read(&login).is_none());
    assert!(world.server.read(&bear).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_secret_may_not_be_read_is_not_held() {
    let world = World::new();
    world.server.trouble(|trouble| trouble.forbidden = ["Secret".to_owned()].into());
    let bear = toy_with(&world, "bear", "login");
    let _process = world.healthy().await;
    assert!(!is_held(&world, &bear));
    let told = world.server.message(&bear, "Synced");
    assert!(told.contains("may not be read"), "{told}");
    // It is tried again in minutes, not in hours.
    world.server.trouble(|trouble| trouble.forbidden.clear());
    secret(&world, "login");
    sleep(6 * MINUTE).await;
    assert!(world.server.is_ready(&bear));
}

#[tokio::test(start_paused = true)]
async fn abandoning_works_without_the_right_to_secrets() {
    let world = World::new();
    secret(&world, "login");
    let bear = toy_with(&world, "bear", "login");
    let _process = world.healthy().await;
    assert!(is_held(&world, &bear));
    world.server.trouble(|trouble| trouble.forbidden = ["Secret".to_owned()].into());
    world.server.user_deletes(&bear);
    sleep(10 * MINUTE).await;
    assert!(world.server.read(&bear).is_some(), "its thing can't be deleted");
    world.server.user_annotates(&bear, json!({ "concierge.dev/abandon": "true" }));
    sleep(MINUTE).await;
    assert!(world.server.read(&bear).is_none());
    let told = world.server.events().into_iter().any(|event| event.message.contains("stays on Secret"));
    assert!(told, "people are told what is left for them to do");
}

#[tokio::test(start_paused = true)]
async fn only_the_objects_own_absence_ends_it() {
    let world = World::new();
    secret(&world, "login");
    world.server.trouble(|trouble| trouble.vanished = ["Secret".to_owned()].into());
    let bear = toy_with(&world, "bear", "login");
    let _process = world.healthy().await;
    world.server.trouble(|trouble| trouble.vanished.clear());
    sleep(HOUR).await;
    assert!(world.server.is_ready(&bear), "{:?}", world.server.status(&bear));
}

#[tokio::test(start_paused = true)]
async fn what_a_predecessor_left_goes_even_from_a_broken_object() {
    let world = World::new();
    let metadata = json!({
        "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"],
        "annotations": { "kopf.zalando.org/last-handled-configuration": "a copy with a password" },
    });
    let specs = [json!({ "colour": "plaid" }), json!({ "colour": "red", "inside": "nowhere" })];
    let toys: Vec<_> = specs
        .into_iter()
        .enumerate()
        .map(|(n, spec)| world.put("Toy", &format!("toy-{n}"), metadata.clone(), spec))
        .collect();
    let _process = world.healthy().await;
    for toy in toys {
        let object = world.server.read(&toy).unwrap();
        assert_eq!(finalizers(&object), ["concierge.dev/finalizer"], "deletion waits for us instead");
        assert_eq!(object["metadata"]["annotations"], json!({}), "{toy}");
    }
}
