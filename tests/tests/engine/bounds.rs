//! Nothing that a user or a service can say ends the engine, stops an account, or makes others wait for long.

use std::time::Duration;

use concierge_reconciler::engine::{Failure, ObjectKey};
use concierge_tests::simulation::{LEASE, MINUTE, ProcessOptions, Simulated};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{remote::Thing, world::World};

#[tokio::test(start_paused = true)]
async fn a_resync_that_no_clock_can_hold_stops_nobody() {
    let world = World::new();
    for (n, text) in ["9223372036854775807s", "-5m", "0s", "99999h", "soon"].iter().enumerate() {
        let annotated = json!({ "annotations": { "concierge.dev/resync": text } });
        world.put("Toy", &format!("odd-{n}"), annotated, json!({ "colour": "brown" }));
    }
    let process = world.healthy().await;
    sleep(MINUTE).await;
    let other = world.toy("other", json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&other));
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_can_ask_for_an_hour_of_patience_and_no_more() {
    for wait in [Duration::from_secs(365 * 24 * 3600), Duration::MAX] {
        let world = World::new();
        let _process = world.healthy().await;
        let throttled = Failure::Throttled { message: "429".into(), retry_after: Some(wait) };
        world.service.state.lock().failures.push_back(throttled);
        let bear = world.toy("bear", json!({ "colour": "brown" }));
        sleep(30 * MINUTE).await;
        assert!(!world.server.is_ready(&bear));
        sleep(60 * MINUTE).await;
        assert!(world.server.is_ready(&bear), "{:?}", world.server.message(&bear, "Synced"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_can_end_an_accounts_patience() {
    let world = World::new();
    let _process = world.healthy().await;
    let wait = Some(Duration::from_secs(3600));
    let throttled = Failure::Throttled { message: "429".into(), retry_after: wait };
    world.service.state.lock().failures.push_back(throttled);
    let bear = world.toy("bear", json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    world.server.user_annotates(&bear, json!({ "concierge.dev/reconcile-at": "now, please" }));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&bear), "{:?}", world.server.message(&bear, "Synced"));
}

#[tokio::test(start_paused = true)]
async fn an_edit_does_not_wait_for_the_resyncs_of_thousands() {
    let world = World::new();
    for n in 0..2000 {
        let key = world.toy(&format!("bear-{n}"), json!({ "colour": "brown" }));
        let uid = world.server.read(&key).unwrap()["metadata"]["uid"].as_str().map(str::to_owned);
        let thing = Thing { colour: "brown".into(), mark: uid };
        world.service.state.lock().things.insert(key.name, thing);
    }
    let _process = world.start("a", ProcessOptions { concurrency: 8, ..ProcessOptions::default() });
    sleep(LEASE * 3).await;
    for (name, after) in [("just after a restart", MINUTE), ("later", 10 * MINUTE)] {
        let key = world.toy(&name.replace(' ', "-"), json!({ "colour": "red" }));
        assert!(until_ready(&world, &key).await < Duration::from_secs(5), "{name}");
        sleep(after).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_does_not_wait_for_thousands_that_are_created() {
    let world = World::new();
    let old = world.toy("old", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    for n in 0..1000 {
        world.toy(&format!("bear-{n}"), json!({ "colour": "brown" }));
    }
    sleep(Duration::from_secs(1)).await;
    world.toy("old", json!({ "colour": "red" }));
    assert!(until_ready(&world, &old).await < Duration::from_secs(5));
    world.server.user_deletes(&old);
    sleep(Duration::from_secs(5)).await;
    assert!(world.server.read(&old).is_none(), "nor does a deletion");
    assert!(world.service.state.lock().things.len() < 500, "the others are still being made");
}

#[tokio::test(start_paused = true)]
async fn what_a_service_accepts_and_does_not_show_is_not_repeated_for_ever() {
    let world = World::new();
    world.service.state.lock().deaf = true;
    let bear = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.patient().await;
    sleep(12 * 60 * MINUTE).await;
    // Eleven in some minutes, then one in an hour at the most.
    let writes = world.service.state.lock().writes;
    assert!(writes <= 11 + 12, "{writes} writes in twelve hours");
    assert!(world.server.message(&bear, "Synced").contains("shows no change"));
    world.service.state.lock().deaf = false;
    world.server.user_annotates(&bear, json!({ "concierge.dev/reconcile-at": "now" }));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&bear));
}

/// Its four places are all the workers there are, and each call takes the six seconds of a time-out.
#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_answer_leaves_workers_for_the_others() {
    let world = World::new();
    world.service.state.lock().silent = true;
    let toys: Vec<_> =
        (0..100).map(|n| world.toy(&format!("bear-{n}"), json!({ "colour": "brown" }))).collect();
    let _process = world.start("a", ProcessOptions { concurrency: 4, ..ProcessOptions::default() });
    sleep(LEASE * 3).await;
    let before = world.service.state.lock().reads;
    for n in 0..10 {
        let ticket = world.ticket(&format!("ticket-{n}"), &format!("show {n}"));
        let took = until_ready(&world, &ticket).await;
        assert!(took < Duration::from_secs(2), "ticket {n} took {took:?}");
        sleep(MINUTE).await;
    }
    let calls = world.service.state.lock().reads - before;
    assert!(calls < 60, "{calls} calls in ten minutes, ten for tickets");
    let told = |toy| world.server.message(toy, "Synced").contains("does not answer");
    assert!(toys.iter().any(told));
    world.service.state.lock().silent = false;
    sleep(10 * MINUTE).await;
    assert!(toys.iter().all(|toy| world.server.is_ready(toy)), "it is noticed that it answers again");
}

async fn until_ready(world: &World, key: &ObjectKey) -> Duration {
    let began = Instant::now();
    while !world.server.is_ready(key) && began.elapsed() < 60 * MINUTE {
        sleep(Duration::from_millis(100)).await;
    }
    began.elapsed()
}
