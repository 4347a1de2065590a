//! Work that is done in parts, and settings of which one may fail while the others go on.

use std::time::Duration;

use concierge_reconciler::engine::{ObjectKey, metrics::DriftLabels, seams::CrashPoint};
use concierge_tests::simulation::{LEASE, MINUTE, ProcessOptions, REQUEST, Simulated, server::finalizers};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    remote::{HANDFUL, RemoteChest},
    world::World,
};

fn chest(world: &World, name: &str) -> Option<RemoteChest> {
    world.service.state.lock().chests.get(name).cloned()
}

fn calls(world: &World, operation: &str) -> usize {
    world.service.state.lock().calls.get(operation).copied().unwrap_or_default()
}

fn fill(world: &World, name: &str, things: usize) {
    world.service.state.lock().chests.get_mut(name).unwrap().things = things;
}

async fn gone(world: &World, key: &ObjectKey) -> Duration {
    let began = Instant::now();
    while world.server.read(key).is_some() && began.elapsed() < 60 * MINUTE {
        sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_in_parts_goes_on_at_once() {
    let world = World::new();
    let _process = world.healthy().await;
    let oak = world.chest("oak", json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    fill(&world, "oak", 100 * HANDFUL);
    let told = world.server.events().len();
    world.server.user_deletes(&oak);
    // Two calls a part, ten a second, twenty for free: no waits between the parts.
    let took = gone(&world, &oak).await;
    assert!(took < Duration::from_secs(25), "{took:?}");
    assert_eq!((calls(&world, "POST /empty"), chest(&world, "oak")), (100, None));
    assert!(world.server.events().len() - told < 5, "{:#?}", world.server.events());
}

#[tokio::test(start_paused = true)]
async fn progress_starts_the_back_off_over_and_lets_others_have_their_turn() {
    let world = World::new();
    let _process = world.start("a", ProcessOptions { concurrency: 1, ..ProcessOptions::default() });
    let oak = world.chest("oak", json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    fill(&world, "oak", 200 * HANDFUL);
    world.service.state.lock().forbidden.insert("DELETE /chest");
    world.server.user_deletes(&oak);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.server.message(&oak, "Deleting"), "is being emptied");
    assert_eq!(world.server.condition(&oak, "Deleting"), "True Deleting");
    // The one worker is not kept.
    for n in 0..5 {
        let toy = world.toy(&format!("toy-{n}"), json!({ "colour": "brown" }));
        sleep(Duration::from_secs(1)).await;
        assert!(world.server.is_ready(&toy), "toy {n}");
    }
    assert!(chest(&world, "oak").unwrap().things > 0, "while the chest is still being emptied");
    world.service.state.lock().forbidden.clear();
    assert!(gone(&world, &oak).await < 2 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_setting_stops_neither_the_others_nor_the_account() {
    let world = World::new();
    world.service.state.lock().forbidden.insert("PUT /colour");
    let _process = world.healthy().await;
    let oak = world.chest("oak", json!({ "colour": "brown", "size": 3, "lid": false }));
    let elm = world.chest("elm", json!({ "colour": "", "size": 4 }));
    sleep(MINUTE).await;
    assert_eq!(chest(&world, "oak").unwrap().size, 3, "the other setting is applied");
    assert_eq!(world.server.condition(&oak, "Synced"), "False Refused");
    let told = world.server.message(&oak, "Synced");
    assert!(told.contains("paint it: PUT /colour was answered 403"), "{told}");
    assert_eq!(
        world.server.condition(&oak, "Ready"),
        "True Reconciled",
        "it is as usable as it was seen to be"
    );
    assert!(world.server.is_ready(&elm), "the account's breaker is closed");
    // The rest is looked after as often as ever, and with it the setting is tried again.
    world.service.state.lock().chests.get_mut("oak").unwrap().size = 9;
    sleep(12 * MINUTE).await;
    assert_eq!(chest(&world, "oak").unwrap().size, 3);
    let painted = calls(&world, "PUT /colour");
    sleep(60 * MINUTE).await;
    assert!(calls(&world, "PUT /colour") - painted < 8, "but not hot");
    world.service.state.lock().forbidden.clear();
    sleep(12 * MINUTE).await;
    assert_eq!(chest(&world, "oak").unwrap().colour, "brown");
    assert_eq!(world.server.condition(&oak, "Synced"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn what_is_adopted_is_corrected_and_its_drift_is_seen_like_that_of_what_was_made() {
    let world = World::new();
    let foreign = RemoteChest { colour: "blue".into(), size: 9, things: 0, mark: Some("somebody".into()) };
    world.service.state.lock().chests.insert("oak".into(), foreign.clone());
    let process = world.healthy().await;
    let oak = world.chest("oak", json!({ "colour": "brown", "size": 3 }));
    let elm = world.chest("elm", json!({ "colour": "brown", "size": 3 }));
    sleep(MINUTE).await;
    assert_eq!(
        (world.server.condition(&oak, "Ready").as_str(), chest(&world, "oak")),
        ("False OwnedByOther", Some(foreign))
    );
    world.server.user_annotates(&oak, json!({ "concierge.dev/adopt": "true" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&oak, "Synced"), "True Reconciled");
    let (adopted, made) = (chest(&world, "oak").unwrap(), chest(&world, "elm").unwrap());
    assert_eq!((adopted.colour, adopted.size), (made.colour, made.size));
    for name in ["oak", "elm"] {
        world.service.state.lock().chests.get_mut(name).unwrap().size = 7;
    }
    world.service.state.lock().forbidden.insert("PUT /size");
    sleep(12 * MINUTE).await;
    for key in [&oak, &elm] {
        assert_eq!(world.server.condition(key, "Drifted"), "True DriftDetected", "{key}");
        assert_eq!(world.server.message(key, "Drifted"), "spec.size: 7 -> 3", "{key}");
    }
    let labels = DriftLabels { kind: "Chest", field: "spec.size" };
    assert_eq!(process.metrics.drift.get_or_create(&labels).get(), 2);
    world.service.state.lock().forbidden.clear();
    sleep(12 * MINUTE).await;
    assert_eq!((chest(&world, "oak").unwrap().size, chest(&world, "elm").unwrap().size), (3, 3));
    assert_eq!(world.server.condition(&oak, "Drifted"), "False InSync");
}

#[tokio::test(start_paused = true)]
async fn a_long_call_has_its_time_as_long_as_the_lease_covers_it() {
    let world = World::new();
    let _process = world.healthy().await;
    let oak = world.chest("oak", json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    fill(&world, "oak", 3 * HANDFUL);
    // Longer than a call may take otherwise, and less than half a lease.
    world.service.state.lock().emptying = REQUEST + Duration::from_secs(1);
    world.server.user_deletes(&oak);
    assert!(gone(&world, &oak).await < MINUTE);
    assert_eq!(calls(&world, "POST /empty"), 3);
    let elm = world.chest("elm", json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    fill(&world, "elm", HANDFUL);
    world.service.state.lock().emptying = LEASE;
    world.server.user_deletes(&elm);
    sleep(MINUTE).await;
    let told = world.server.message(&elm, "Deleting");
    assert!(told.contains("was not answered within 7.5 s"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn what_is_due_at_a_time_is_looked_at_then() {
    let world = World::new();
    let _process = world.healthy().await;
    for minutes in [3, 9, 11, 25] {
        let due = world.server.now().checked_add(minutes * MINUTE).unwrap();
        let at = Instant::now() + minutes * MINUTE;
        world.chest("oak", json!({ "colour": "brown", "due": due.to_string() }));
        sleep(minutes * MINUTE - Duration::from_secs(1)).await;
        let before = world.service.state.lock().looked.unwrap();
        assert!(before < at);
        sleep(Duration::from_millis(1100)).await;
        let looked = world.service.state.lock().looked.unwrap();
        assert!(looked >= at && looked - at < Duration::from_millis(100), "{minutes}: {:?}", looked - before);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_made_is_let_go_although_its_account_is_gone() {
    let world = World::new();
    world.service.state.lock().no_account = true;
    let _process = world.healthy().await;
    let [oak, lamp] = [json!({ "colour": "brown" }), json!({ "colour": "green", "on": "oak" })];
    let (oak, lamp) = (world.chest("oak", oak), world.chest("lamp", lamp));
    sleep(MINUTE).await;
    world.server.user_annotates(&oak, json!({ "poke": "1" }));
    sleep(MINUTE).await;
    assert_eq!(
        finalizers(&world.server.read(&oak).unwrap()),
        ["concierge.dev/finalizer"],
        "the lamp needs it"
    );
    world.server.user_deletes(&lamp);
    world.server.user_deletes(&oak);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&oak), world.server.read(&lamp)), (None, None));
}

/// The status does not tell of it yet; the note beside the finalizer does.
#[tokio::test(start_paused = true)]
async fn what_may_have_been_made_just_before_its_maker_died_is_not_let_go() {
    let world = World::new();
    let crashing = ProcessOptions { crash_at: Some((CrashPoint::Acted, 1)), ..ProcessOptions::default() };
    let first = world.start("first", crashing);
    let oak = world.chest("oak", json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    assert!(chest(&world, "oak").is_some() && world.server.status(&oak)["colour"].is_null());
    drop(first);
    world.service.state.lock().no_account = true;
    world.server.user_deletes(&oak);
    let _second = world.healthy().await;
    sleep(10 * MINUTE).await;
    assert_eq!(world.server.message(&oak, "Deleting"), "there is no account; create one");
    world.service.state.lock().no_account = false;
    sleep(10 * MINUTE).await;
    assert_eq!((world.server.read(&oak), chest(&world, "oak")), (None, None));
}
