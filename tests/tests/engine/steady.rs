//! When nothing happens nothing is written; and what is written says the truth.

use std::time::Duration;

use concierge_reconciler::engine::{Failure, ObjectKey, metrics::DriftLabels};
use concierge_shared::admission::claim::claim_name;
use concierge_tests::simulation::{MINUTE, ProcessOptions, Simulated};
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

fn since(world: &World, key: &ObjectKey, kind: &str) -> String {
    let object = world.server.read(key).unwrap();
    let all = object["status"]["conditions"].as_array().unwrap();
    let one = all.iter().find(|one| one["type"] == kind).unwrap();
    one["lastTransitionTime"].as_str().unwrap().to_owned()
}

fn calls(world: &World) -> (usize, usize) {
    let state = world.service.state.lock();
    (state.reads, state.writes)
}

#[tokio::test(start_paused = true)]
async fn in_the_steady_state_nothing_is_written_and_only_the_resync_reads() {
    let world = World::new();
    world.toy("shelf", json!({ "colour": "white" }));
    for name in ["bear", "lion", "frog"] {
        world.toy(name, json!({ "colour": "brown", "inside": "shelf" }));
    }
    world.ticket("opera", "opera");
    let _process = world.healthy().await;
    sleep(MINUTE).await;
    let (writes, (reads, changes), told) =
        (world.server.writes(), calls(&world), world.server.events().len());
    sleep(12 * 10 * MINUTE).await;
    assert_eq!(world.server.writes(), writes);
    assert_eq!(world.server.events().len(), told);
    let (read_since, changed_since) = (calls(&world).0 - reads, calls(&world).1 - changes);
    assert_eq!(changed_since, 0);
    // Five objects, every ten minutes give or take one, for two hours.
    assert!((50..=70).contains(&read_since), "{read_since}");
}

#[tokio::test(start_paused = true)]
async fn a_new_process_writes_nothing_either() {
    let world = World::new();
    world.toy("bear", json!({ "colour": "brown" }));
    world.ticket("opera", "opera");
    drop(world.healthy().await);
    let writes = world.server.writes();
    let _second = world.start("second", ProcessOptions::default());
    sleep(30 * MINUTE).await;
    assert_eq!(world.server.writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn our_own_status_wakes_nobody() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    let (reads, _) = calls(&world);
    world.put("Toy", "bear", json!({}), json!({ "colour": "red" }));
    sleep(5 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Synced"), "True Reconciled");
    assert_eq!(calls(&world).0 - reads, 2, "one look before the step, one after it");
}

#[tokio::test(start_paused = true)]
async fn transition_times_move_only_when_something_flips() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    let before = since(&world, &key, "Ready");
    sleep(MINUTE).await;
    world.put("Toy", "bear", json!({}), json!({ "colour": "red" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.read(&key).unwrap()["status"]["observedGeneration"], 2);
    assert_eq!(since(&world, &key, "Ready"), before, "red or brown, it was ready all the time");
    world.put("Toy", "bear", json!({}), json!({ "colour": "plaid" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "Ready"), "False Invalid");
    assert_ne!(since(&world, &key, "Ready"), before);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_for_a_while_makes_nothing_unready() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    world.service.state.lock().failures.extend((0..3).map(|_| Failure::Transient("503".into())));
    world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "now" }));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(world.server.condition(&key, "Synced"), "False Transient");
    assert_eq!(world.server.condition(&key, "Ready"), "True Reconciled");
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "Synced"), "True Reconciled");
    assert_eq!(world.server.read(&key).unwrap()["status"]["reconciledAt"], "now");
}

#[tokio::test(start_paused = true)]
async fn drift_is_shown_mended_and_counted() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let process = world.healthy().await;
    assert_eq!(world.server.condition(&key, "Drifted"), "", "making it was not drift");
    world.service.state.lock().things.get_mut("bear").unwrap().colour = "green".into();
    sleep(11 * MINUTE).await;
    assert_eq!(world.service.state.lock().things["bear"].colour, "brown");
    let labels = DriftLabels { kind: "Toy", field: "spec.colour" };
    assert_eq!(process.metrics.drift.get_or_create(&labels).get(), 1);
    assert_eq!(world.server.condition(&key, "Ready"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn only_looking_publishes_the_plan_and_changes_nothing() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let observer =
        world.start("observer", ProcessOptions { observe_only: true, ..ProcessOptions::default() });
    sleep(5 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Synced"), "False ObserveOnly");
    assert_eq!(world.server.message(&key, "Synced"), "only observed; would paint it brown");
    assert_eq!(calls(&world).1, 0);
    assert!(world.server.read(&key).unwrap()["metadata"]["finalizers"].is_null());
    observer.stop().await;
    let other = json!({ "annotations": { "concierge.dev/observe-only": "true" } });
    world.put("Toy", "bear", other, json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    assert_eq!((world.server.condition(&key, "Synced").as_str(), calls(&world).1), ("False ObserveOnly", 0));
    world.server.user_annotates(&key, json!({ "concierge.dev/observe-only": null }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "Synced"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn paused_means_paused_and_is_said() {
    let world = World::new();
    let paused = json!({ "annotations": { "concierge.dev/paused": "true" } });
    let key = world.put("Toy", "bear", paused, json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    assert_eq!(world.server.condition(&key, "Paused"), "True Paused");
    assert_eq!(calls(&world), (0, 0));
    world.server.user_annotates(&key, json!({ "concierge.dev/paused": null }));
    sleep(MINUTE).await;
    assert_eq!((world.server.condition(&key, "Paused"), calls(&world).1), (String::new(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_broken_rule_is_told_and_not_retried_hot() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "plaid" }));
    let _process = world.healthy().await;
    assert_eq!(world.server.condition(&key, "Valid"), "False Invalid");
    assert_eq!(
        world.server.message(&key, "Valid"),
        "spec.colour: is plaid; choose another [toys.toy.colour]"
    );
    let writes = world.server.writes();
    sleep(60 * MINUTE).await;
    assert_eq!((world.server.writes(), calls(&world)), (writes, (0, 0)));
    world.put("Toy", "bear", json!({}), json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    assert_eq!((world.server.condition(&key, "Valid").as_str(), calls(&world).1), ("True Valid", 1));
}

#[tokio::test(start_paused = true)]
async fn of_two_that_claim_the_same_the_older_keeps_it() {
    let world = World::new();
    let old = world.toy("old", json!({ "colour": "brown", "key": 7 }));
    sleep(MINUTE).await;
    let new = world.toy("new", json!({ "colour": "brown", "key": 7 }));
    let _process = world.patient().await;
    assert_eq!(world.server.condition(&old, "Ready"), "True Reconciled");
    assert_eq!(world.server.condition(&new, "Valid"), "False Conflict");
    assert_eq!(world.server.condition(&new, "Ready"), "False Conflict");
    let claims = world.server.of_kind("Claim");
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0]["spec"]["holder"]["name"], "old");
    world.server.user_deletes(&old);
    sleep(15 * MINUTE).await;
    let claims = world.server.of_kind("Claim");
    assert_eq!(claims[0]["spec"]["holder"]["name"], "new", "released and made anew");
    sleep(4 * 60 * MINUTE).await;
    assert_eq!(world.server.condition(&new, "Ready"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_nobody_is_released_but_not_while_it_may_be_of_a_request() {
    let world = World::new();
    let _process = world.healthy().await;
    world.server.user_puts(json!({
        "apiVersion": "concierge.dev/v1",
        "kind": "Claim",
        "metadata": { "name": "abc" },
        "spec": { "rule": "toys.toy.key", "key": "9", "holder": { "kind": "Toy", "namespace": "default", "name": "x", "uid": "u" } },
    }));
    sleep(MINUTE).await;
    assert_eq!(world.server.of_kind("Claim").len(), 1);
    sleep(15 * MINUTE).await;
    assert_eq!(world.server.of_kind("Claim").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_names_another_attempt_to_create_its_holder_stays() {
    let world = World::new();
    world.toy("bear", json!({ "colour": "brown", "key": 9 }));
    world.server.user_puts(json!({
        "apiVersion": "concierge.dev/v1",
        "kind": "Claim",
        "metadata": { "name": claim_name("toys.toy.key", "9") },
        "spec": { "rule": "toys.toy.key", "key": "9", "holder": { "kind": "Toy", "namespace": "default", "name": "bear", "uid": "another" } },
    }));
    let before = world.server.of_kind("Claim");
    let _process = world.healthy().await;
    sleep(30 * MINUTE).await;
    assert_eq!(world.server.of_kind("Claim"), before);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_holder_gave_its_value_up_goes_to_who_has_it() {
    let world = World::new();
    let bear = world.toy("bear", json!({ "colour": "brown", "key": 9 }));
    let _process = world.healthy().await;
    sleep(7 * MINUTE).await;
    assert_eq!(world.server.of_kind("Claim")[0]["spec"]["holder"]["name"], "bear");
    world.put("Toy", "bear", json!({}), json!({ "colour": "brown", "key": 8 }));
    world.toy("cat", json!({ "colour": "brown", "key": 9 }));
    sleep(7 * MINUTE).await;
    let mut held: Vec<_> = world
        .server
        .of_kind("Claim")
        .iter()
        .map(|claim| format!("{} {}", claim["spec"]["key"], claim["spec"]["holder"]["name"]))
        .collect();
    held.sort();
    assert_eq!(held, [r#""8" "bear""#, r#""9" "cat""#]);
    assert_eq!(world.server.condition(&bear, "Ready"), "True Reconciled");
}
