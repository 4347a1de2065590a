//! Pets and stores that a service keeps: over real sockets, so in real time.

use std::time::{Duration, Instant};

use concierge_reconciler::engine::{ObjectKey, seams::CrashPoint};
use concierge_tests::{
    faults::{Fault, Gate, Pause, Rule},
    petstore::Petstore,
    simulation::{ProcessOptions, Simulated, server::finalizers},
};
use k8s_openapi::ByteString;
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

const KEY: &str = "s3cret";

fn login(world: &World) -> ObjectKey {
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "login", "namespace": "default" },
        "data": { "key": ByteString(KEY.as_bytes().to_vec()) },
    }));
    ObjectKey::new("Secret", "default", "login")
}

fn store(world: &World, url: &str) -> ObjectKey {
    let spec = json!({
        "name": "Zoo", "endpoints": { "baseUrl": url },
        "security": { "apiKeySecretRef": { "name": "login", "key": "key" } },
    });
    world.put("PetStore", "zoo", spec)
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(90), "not {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_releases_its_secret() {
    let service = Petstore::start().await.unwrap();
    service.require_key(KEY);
    let world = World::new();
    let login = login(&world);
    let store = store(&world, &service.url());
    let _process = world.start("a", ProcessOptions::default());
    let held = || finalizers(&world.server.read(&login).unwrap()) == ["concierge.dev/finalizer"];
    until("held", || world.server.is_ready(&store) && held()).await;
    world.server.user_deletes(&login);
    world.server.user_deletes(&store);
    until("gone", || world.server.read(&store).is_none() && world.server.read(&login).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pets_follow_a_store_that_moves_with_its_key() {
    let (old, new) = (Petstore::start().await.unwrap(), Petstore::start().await.unwrap());
    [&old, &new].into_iter().for_each(|service| service.require_key(KEY));
    let world = World::new();
    login(&world);
    store(&world, &old.url());
    let pet = |id: i64| world.put("Pet", &format!("rex-{id}"), json!({ "id": id, "name": "Rex" }));
    let pets: Vec<_> = (1..=3).map(pet).collect();
    let _process = world.start("a", ProcessOptions::default());
    until("there", || old.pets().len() == 3).await;
    store(&world, &new.url());
    until("moved", || new.pets().len() == 3 && old.pets().is_empty()).await;
    world.server.user_deletes(&pets[0]);
    until("deleted", || world.server.read(&pets[0]).is_none() && new.pets().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pet_that_gets_another_store_while_it_is_put_into_one_is_left_in_neither() {
    let (first, second) = (Petstore::start().await.unwrap(), Petstore::start().await.unwrap());
    let world = World::new();
    let store = |name: &str, url: String| {
        world.put("PetStore", name, json!({ "name": name, "endpoints": { "baseUrl": url } }))
    };
    store("zoo", first.url());
    let gate = Gate::new();
    first.faults().once("POST /pet", Fault::SlowAfter(Pause::Until(gate.clone())));
    let pet = world.put("Pet", "rex", json!({ "id": 1, "name": "Rex" }));
    let _process = world.start("a", ProcessOptions::default());
    gate.reached(1).await;
    // Of several stores the first by name is meant.
    let other = store("aquarium", second.url());
    until("seen", || world.server.is_ready(&other)).await;
    gate.open();
    until("moved", || second.pets().len() == 1 && first.pets().is_empty()).await;
    world.server.user_deletes(&pet);
    until("deleted", || world.server.read(&pet).is_none() && second.pets().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_what_is_left_behind_keeps_no_pet_from_the_new_one() {
    let (old, new) = (Petstore::start().await.unwrap(), Petstore::start().await.unwrap());
    let world = World::new();
    login(&world);
    store(&world, &old.url());
    let pet = world.put("Pet", "rex", json!({ "id": 1, "name": "Rex" }));
    let _process = world.start("a", ProcessOptions::default());
    until("there", || old.pets().len() == 1).await;
    old.require_key("another");
    store(&world, &new.url());
    until("moved", || new.pets().len() == 1).await;
    until("told", || world.server.condition(&pet, "LeftBehind") == "True Unknown").await;
    // It is not let go as if nothing were left.
    world.server.user_deletes(&pet);
    until("blocked", || world.server.message(&pet, "Deleting").contains("abandon")).await;
    world.server.user_annotates(&pet, json!({ "concierge.dev/abandon": "true" }));
    until("gone", || world.server.read(&pet).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_took_before_it_refused_to_be_looked_at_is_not_forgotten() {
    let (old, new) = (Petstore::start().await.unwrap(), Petstore::start().await.unwrap());
    let world = World::new();
    login(&world);
    store(&world, &old.url());
    let gate = Gate::new();
    old.faults().once("POST /pet", Fault::SlowAfter(Pause::Until(gate.clone())));
    let pet = world.put("Pet", "rex", json!({ "id": 1, "name": "Rex" }));
    let _process = world.start("a", ProcessOptions::default());
    gate.reached(1).await;
    old.require_key("another");
    gate.open();
    until("refused", || world.server.condition(&pet, "Synced") == "False Unauthorised").await;
    store(&world, &new.url());
    until("moved", || new.pets().len() == 1).await;
    until("told", || world.server.condition(&pet, "LeftBehind") == "True Unknown").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_made_before_it_died_follows_a_store_that_moves_meanwhile() {
    let (old, new) = (Petstore::start().await.unwrap(), Petstore::start().await.unwrap());
    let world = World::new();
    login(&world);
    store(&world, &old.url());
    world.put("Pet", "rex", json!({ "id": 1, "name": "Rex" }));
    let dies = ProcessOptions {
        crash_at: Some((CrashPoint::Acted, 1)),
        with: Some("Pet"),
        ..ProcessOptions::default()
    };
    let mut process = world.start("a", dies);
    process.interrupted.wait_for(|interrupted| *interrupted).await.unwrap();
    assert_eq!(old.pets().len(), 1);
    drop(process);
    store(&world, &new.url());
    let _process = world.start("a", ProcessOptions::default());
    until("moved", || new.pets().len() == 1 && old.pets().is_empty()).await;
}

/// A store of another namespace at the same address, with a key that is refused.
fn store_with_a_wrong_key(world: &World, url: &str) -> ObjectKey {
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "login", "namespace": "other" },
        "data": { "key": ByteString(b"wrong".to_vec()) },
    }));
    world.server.user_puts(json!({
        "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
        "metadata": { "name": "zoo", "namespace": "other" },
        "spec": {
            "name": "Zoo", "endpoints": { "baseUrl": url },
            "security": { "apiKeySecretRef": { "name": "login", "key": "key" } },
            "rateLimit": { "requestsPerSecond": 1, "burst": 1, "concurrency": 1 },
        },
    }));
    ObjectKey::new("PetStore", "other", "zoo")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_low_limit_in_one_namespace_stop_nobody_in_another() {
    let service = Petstore::start().await.unwrap();
    service.require_key(KEY);
    let world = World::new();
    login(&world);
    let store = store(&world, &service.url());
    let wrong = store_with_a_wrong_key(&world, &service.url());
    let _process = world.start("a", ProcessOptions::default());
    until("refused", || world.server.condition(&wrong, "Synced") == "False Unauthorised").await;
    until("ready", || world.server.is_ready(&store)).await;
    let began = Instant::now();
    for id in 1..=10 {
        world.put("Pet", &format!("rex-{id}"), json!({ "id": id, "name": "Rex" }));
    }
    until("there", || service.pets().len() == 10).await;
    // Thirty calls: twenty at once, then ten a second.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(world.server.condition(&wrong, "Synced"), "False Unauthorised");
}

#[tokio::test(flavor = "multi_thread")]
async fn pets_that_wait_for_a_service_in_trouble_say_what_it_answered_and_since_when() {
    let service = Petstore::start().await.unwrap();
    service.faults().inject(Rule::on("GET /pet/{id}"), Fault::StatusBefore(503));
    let world = World::new();
    world.put("PetStore", "zoo", json!({ "name": "Zoo", "endpoints": { "baseUrl": service.url() } }));
    let put = |id: i64| world.put("Pet", &format!("rex-{id}"), json!({ "id": id, "name": "Rex" }));
    let pets: Vec<_> = (1..=8).map(put).collect();
    let _process = world.start("a", ProcessOptions::default());
    let told = |pet: &ObjectKey| world.server.message(pet, "Synced");
    until("told", || pets.iter().any(|pet| told(pet).contains("(it answered 503, since 2026-11-21T1"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_called_as_often_as_its_limit_says() {
    let service = Petstore::start().await.unwrap();
    let world = World::new();
    let spec = json!({
        "name": "Zoo", "endpoints": { "baseUrl": service.url() },
        "rateLimit": { "requestsPerSecond": 2, "burst": 1 },
    });
    let store = world.put("PetStore", "zoo", spec);
    let _process = world.start("a", ProcessOptions::default());
    until("ready", || world.server.is_ready(&store)).await;
    let began = Instant::now();
    for id in 1..=4 {
        world.put("Pet", &format!("rex-{id}"), json!({ "id": id, "name": "Rex" }));
    }
    until("there", || service.pets().len() == 4).await;
    // At least two calls for each pet but the last, which is made by its second.
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_numbers_tags_itself_is_written_to_once() {
    let service = Petstore::start().await.unwrap();
    service.number_tags();
    let world = World::new();
    world.put("PetStore", "zoo", json!({ "name": "Zoo", "endpoints": { "baseUrl": service.url() } }));
    let pet = world.put("Pet", "rex", json!({ "id": 1, "name": "Rex", "tag": "dog" }));
    let _process = world.start("a", ProcessOptions::default());
    until("ready", || world.server.condition(&pet, "Synced") == "True Reconciled").await;
    for n in 0..3 {
        let reads = service.count("GET /pet/{id}");
        world.server.user_annotates(&pet, json!({ "concierge.dev/reconcile-at": n.to_string() }));
        until("looked at", || service.count("GET /pet/{id}") > reads).await;
    }
    assert_eq!((service.count("POST /pet"), service.count("PUT /pet")), (1, 0));
    assert_eq!(world.server.condition(&pet, "Synced"), "True Reconciled");
}
