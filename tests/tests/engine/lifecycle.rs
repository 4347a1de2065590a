//! From the finalizer to the way out.

use std::time::Duration;

use concierge_reconciler::engine::{Failure, ObjectKey};
use concierge_tests::simulation::{MINUTE, Process, ProcessOptions, Simulated, server::finalizers};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{remote::Thing, world::World};

const OURS: &str = "concierge.dev/finalizer";

fn metadata(world: &World, key: &ObjectKey) -> Value {
    world.server.read(key).map(|object| object["metadata"].clone()).unwrap_or_default()
}

fn thing(world: &World, name: &str) -> Option<Thing> {
    world.service.state.lock().things.get(name).cloned()
}

fn deletes(world: &World, key: &ObjectKey) {
    world.server.user_deletes(key);
}

#[tokio::test(start_paused = true)]
async fn a_toy_is_made_marked_and_thrown_away() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    assert_eq!(thing(&world, "bear").unwrap().mark.as_deref(), metadata(&world, &key)["uid"].as_str());
    assert_eq!(finalizers(&world.server.read(&key).unwrap()), [OURS]);
    assert_eq!(world.server.read(&key).unwrap()["status"]["phase"], "Fine");
    deletes(&world, &key);
    sleep(MINUTE).await;
    assert_eq!(thing(&world, "bear"), None);
    assert!(world.server.read(&key).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_predecessors_left_is_removed_in_one_write() {
    let world = World::new();
    let metadata = json!({
        "finalizers": ["kopf.zalando.org/KopfFinalizerMarker", "old.example.com/toys", "somebody.else/finalizer"],
        "annotations": {
            "kopf.zalando.org/last-handled-configuration": "{\"password\":\"hunter2\"}",
            "old.example.com/state": "x",
            "kept": "yes",
        },
    });
    let key = world.put("Toy", "bear", metadata, json!({ "colour": "brown" }));
    let process = world.healthy().await;
    let stored = world.server.read(&key).unwrap();
    assert_eq!(finalizers(&stored), ["somebody.else/finalizer", OURS]);
    assert_eq!(stored["metadata"]["annotations"], json!({ "kept": "yes" }));
    let label = |what| concierge_reconciler::engine::metrics::WriteLabels { kind: "Toy", what };
    assert_eq!(process.metrics.writes.get_or_create(&label("metadata")).get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_a_predecessor_held_when_it_was_deleted_goes_the_whole_way_out() {
    let world = World::new();
    let legacy = json!({ "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"] });
    let key = world.put("Toy", "bear", legacy, json!({ "colour": "brown" }));
    let uid = metadata(&world, &key)["uid"].as_str().map(str::to_owned);
    world.service.state.lock().things.insert("bear".into(), Thing { colour: "brown".into(), mark: uid });
    deletes(&world, &key);
    let _process = world.healthy().await;
    assert_eq!(thing(&world, "bear"), None, "not only the finalizer");
    assert!(world.server.read(&key).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_finalizer_stays_until_the_thing_is_seen_to_be_gone() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    let failures = [
        Failure::Transient("503".into()),
        Failure::Ambiguous("reset".into()),
        Failure::Transient("503".into()),
    ];
    world.service.state.lock().failures.extend(failures);
    deletes(&world, &key);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(finalizers(&world.server.read(&key).unwrap()), [OURS]);
    assert_eq!(world.server.condition(&key, "Deleting"), "True Transient");
    sleep(MINUTE).await;
    assert_eq!((thing(&world, "bear"), world.server.read(&key)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn deletion_comes_before_everything_that_could_be_missing() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    // Invalid by now, and referring to what never was.
    world.put("Toy", "bear", json!({}), json!({ "colour": "plaid", "inside": "nowhere" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "Valid"), "False Invalid");
    deletes(&world, &key);
    sleep(MINUTE).await;
    assert_eq!((thing(&world, "bear"), world.server.read(&key)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn retain_leaves_the_thing_and_says_so() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown", "retain": true }));
    let _process = world.healthy().await;
    deletes(&world, &key);
    sleep(MINUTE).await;
    assert!(world.server.read(&key).is_none());
    assert!(thing(&world, "bear").is_some());
    assert!(
        world
            .server
            .events()
            .iter()
            .any(|told| told.reason == "Abandoned" && told.message.contains("Retain"))
    );
}

#[tokio::test(start_paused = true)]
async fn abandon_lets_an_object_go_whose_service_is_out_of_reach() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    let lasting = (0..1000).map(|_| Failure::NeverSent("no route".into()));
    world.service.state.lock().failures.extend(lasting);
    deletes(&world, &key);
    sleep(30 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Deleting"), "True NeverSent");
    world.server.user_annotates(&key, json!({ "concierge.dev/abandon": "true" }));
    sleep(MINUTE).await;
    assert!(world.server.read(&key).is_none());
    assert!(world.server.events().iter().any(|told| told.reason == "Abandoned"));
}

/// However it stands by then, and however long it would wait otherwise: a pause, a resync, or hours after a failure.
#[tokio::test(start_paused = true)]
async fn what_ends_by_itself_ends_in_time_whatever_it_waits_for() {
    let hour = Some(60 * MINUTE);
    let plain = json!({ "colour": "brown", "minutes": 70 });
    for (failure, metadata, spec) in [
        (None, json!({}), plain.clone()),
        (None, json!({ "annotations": { "concierge.dev/paused": "true" } }), plain.clone()),
        (None, json!({}), json!({ "colour": "plaid", "minutes": 70 })),
        (Some(Failure::Transient("503".into())), json!({}), plain.clone()),
        (Some(Failure::Invalid("422".into())), json!({}), plain.clone()),
        (Some(Failure::NotKnownYet("404".into())), json!({}), plain.clone()),
        (Some(Failure::Throttled { message: "429".into(), retry_after: hour }), json!({}), plain.clone()),
    ] {
        let world = World::new();
        let _process = world.patient().await;
        world.service.state.lock().failures.extend(failure.iter().cycle().take(1000).cloned());
        let key = world.put("Toy", "bear", metadata, spec);
        sleep(69 * MINUTE).await;
        let stays =
            || world.server.read(&key).is_some_and(|one| one["metadata"]["deletionTimestamp"].is_null());
        assert!(stays(), "{failure:?} {}", world.server.status(&key));
        sleep(2 * MINUTE).await;
        assert!(!stays(), "{failure:?} {}", world.server.status(&key));
    }
}

#[tokio::test(start_paused = true)]
async fn abandon_means_nothing_on_an_object_that_is_not_deleted() {
    let world = World::new();
    let annotated = json!({ "annotations": { "concierge.dev/abandon": "true" } });
    let key = world.put("Toy", "bear", annotated, json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    assert_eq!(world.server.condition(&key, "Ready"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn a_target_stays_while_it_is_in_use() {
    let world = World::new();
    let shelf = world.toy("shelf", json!({ "colour": "white" }));
    let bear = world.toy("bear", json!({ "colour": "brown", "inside": "shelf" }));
    let _process = world.healthy().await;
    deletes(&world, &shelf);
    sleep(MINUTE).await;
    assert!(world.server.message(&shelf, "Deleting").contains("in use by Toy default/bear"));
    assert!(thing(&world, "shelf").is_some());
    assert_eq!(world.server.condition(&bear, "ReferencesResolved"), "False ReferencesMissing");
    deletes(&world, &bear);
    sleep(Duration::from_secs(5)).await;
    assert_eq!((world.server.read(&bear), world.server.read(&shelf)), (None, None), "woken at once");
}

#[tokio::test(start_paused = true)]
async fn a_target_can_be_deleted_although_in_use_if_somebody_insists() {
    let world = World::new();
    let shelf = world.toy("shelf", json!({ "colour": "white" }));
    world.toy("bear", json!({ "colour": "brown", "inside": "shelf" }));
    let _process = world.healthy().await;
    world.server.user_annotates(&shelf, json!({ "concierge.dev/delete-in-use": "true" }));
    deletes(&world, &shelf);
    sleep(MINUTE).await;
    assert_eq!((thing(&world, "shelf"), world.server.read(&shelf)), (None, None));
}

fn secret(world: &World) -> ObjectKey {
    world.server.user_puts(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "login", "namespace": "default" },
        "data": { "token": "aHVudGVyMg==" },
    }));
    ObjectKey::new("Secret", "default", "login")
}

#[tokio::test(start_paused = true)]
async fn credentials_stay_until_the_last_object_that_needs_them_is_gone() {
    let world = World::new();
    let login = secret(&world);
    let bears = ["bear", "lion"].map(|name| world.toy(name, json!({ "colour": "brown", "secret": "login" })));
    let _process = world.healthy().await;
    assert_eq!(finalizers(&world.server.read(&login).unwrap()), [OURS]);
    // The namespace goes: everything at once, the Secret first.
    deletes(&world, &login);
    deletes(&world, &bears[0]);
    sleep(MINUTE).await;
    assert!(world.server.read(&bears[0]).is_none());
    assert!(world.server.read(&login).is_some(), "the lion needs it");
    deletes(&world, &bears[1]);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&bears[1]), world.server.read(&login)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn missing_credentials_are_named_with_what_to_do() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown", "secret": "login" }));
    let _process = world.healthy().await;
    assert_eq!(world.server.condition(&key, "Ready"), "False ReferencesMissing");
    assert_eq!(world.server.message(&key, "Synced"), "Secret default/login does not exist; create it");
    secret(&world);
    sleep(6 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Ready"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn what_is_anothers_is_left_alone_until_it_is_adopted() {
    let world = World::new();
    let foreign = Thing { colour: "blue".into(), mark: Some("somebody".into()) };
    world.service.state.lock().things.insert("bear".into(), foreign.clone());
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    assert_eq!(world.server.condition(&key, "Ready"), "False OwnedByOther");
    assert_eq!(thing(&world, "bear"), Some(foreign));
    world.server.user_annotates(&key, json!({ "concierge.dev/adopt": "true" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "Ready"), "True Reconciled");
    assert_eq!(thing(&world, "bear").unwrap().mark.as_deref(), metadata(&world, &key)["uid"].as_str());
}

#[tokio::test(start_paused = true)]
async fn what_is_anothers_is_not_deleted_with_the_object() {
    let world = World::new();
    let foreign = Thing { colour: "blue".into(), mark: Some("somebody".into()) };
    world.service.state.lock().things.insert("bear".into(), foreign.clone());
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    deletes(&world, &key);
    sleep(MINUTE).await;
    assert_eq!((thing(&world, "bear"), world.server.read(&key)), (Some(foreign), None));
}

#[tokio::test(start_paused = true)]
async fn a_toy_survives_the_death_of_its_maker_at_every_step() {
    use concierge_reconciler::engine::seams::CrashPoint::*;
    for point in [
        Begun,
        MetadataWritten,
        TargetsProtected,
        Observed,
        Planned,
        Acted,
        StatusWritten,
        Gone,
        FinalizerRemoved,
    ] {
        for nth in 1..=3 {
            let world = World::new();
            let shelf = world.toy("shelf", json!({ "colour": "white" }));
            let bear = world.toy("bear", json!({ "colour": "brown", "inside": "shelf" }));
            let crashing = ProcessOptions { crash_at: Some((point, nth)), ..ProcessOptions::default() };
            let mut processes = vec![world.start("a", crashing)];
            let bury = |world: &World, processes: &mut Vec<Process>| {
                if processes.len() == 1 && *processes[0].interrupted.borrow() {
                    processes.clear();
                    processes.push(world.start("b", ProcessOptions::default()));
                    processes.push(world.start("c", ProcessOptions::default()));
                }
            };
            for _ in 0..20 {
                sleep(Duration::from_secs(15)).await;
                bury(&world, &mut processes);
            }
            assert_eq!(world.server.condition(&bear, "Ready"), "True Reconciled", "{point:?} {nth}");
            deletes(&world, &shelf);
            deletes(&world, &bear);
            for _ in 0..20 {
                sleep(Duration::from_secs(15)).await;
                bury(&world, &mut processes);
            }
            assert_eq!(
                (world.server.read(&bear), world.server.read(&shelf)),
                (None, None),
                "{point:?} {nth}"
            );
            assert!(world.service.state.lock().things.is_empty(), "{point:?} {nth}");
        }
    }
}
