//! Who is woken by what, and who comes back by itself.

use std::time::Duration;

use concierge_reconciler::engine::{
    Failure, ObjectKey,
    metrics::{Metrics, ReadyLabels},
};
use concierge_tests::simulation::{LEASE, MINUTE, ProcessOptions, Simulated};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::world::World;

fn reads(world: &World) -> usize {
    world.service.state.lock().reads
}

#[tokio::test(start_paused = true)]
async fn a_referrer_waits_for_its_target_and_is_woken_at_once() {
    let world = World::new();
    let bear = world.toy("bear", json!({ "colour": "brown", "inside": "shelf" }));
    let _process = world.healthy().await;
    assert_eq!(world.server.condition(&bear, "ReferencesResolved"), "False ReferencesMissing");
    assert_eq!(
        world.server.message(&bear, "ReferencesResolved"),
        "Toy default/shelf does not exist; create it"
    );
    assert_eq!(
        world.server.condition(&bear, "Valid"),
        "True Valid",
        "a missing target is no broken rule here"
    );
    // Not ready at first.
    world.toy("shelf", json!({ "colour": "plaid" }));
    sleep(Duration::from_millis(10)).await;
    assert_eq!(world.server.message(&bear, "ReferencesResolved"), "Toy default/shelf is not ready");
    world.toy("shelf", json!({ "colour": "white" }));
    sleep(Duration::from_millis(10)).await;
    assert_eq!(world.server.condition(&bear, "Ready"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_ever_more_rarely_and_success_starts_over() {
    let world = World::new();
    let key = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    let away = || (0..100_000).map(|_| Failure::Transient("503".into()));
    world.service.state.lock().failures.extend(away());
    let mut tries = Vec::new();
    world.server.user_annotates(&key, json!({ "poke": "1" }));
    for _ in 0..4 {
        let before = reads(&world);
        sleep(30 * MINUTE).await;
        tries.push(reads(&world) - before);
    }
    assert!(tries[0] < 40, "{tries:?}");
    // Full jitter below five minutes is two and a half on average.
    assert!(tries[1..].iter().all(|tries| (5..=30).contains(tries)), "{tries:?}");
    world.service.state.lock().failures.clear();
    sleep(6 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Synced"), "True Reconciled");
    world.service.state.lock().failures.push_back(Failure::Transient("503".into()));
    world.server.user_annotates(&key, json!({ "poke": "2" }));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.server.condition(&key, "Synced"), "True Reconciled", "within the first second again");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_hours_or_for_a_change() {
    let world = World::new();
    let _process = world.patient().await;
    world.service.state.lock().failures.push_back(Failure::Invalid("422: no such colour".into()));
    let key = world.toy("bear", json!({ "colour": "octarine" }));
    sleep(50 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Ready"), "False Refused");
    assert_eq!(reads(&world), 1);
    sleep(150 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Ready"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_patience_gets_it_from_the_whole_account() {
    let world = World::new();
    let _process = world.healthy().await;
    world
        .service
        .state
        .lock()
        .failures
        .push_back(Failure::Throttled { message: "429".into(), retry_after: Some(Duration::from_secs(20)) });
    let keys = ["bear", "lion"].map(|name| world.toy(name, json!({ "colour": "brown" })));
    sleep(Duration::from_secs(19)).await;
    assert_eq!(world.service.state.lock().writes, 0);
    sleep(Duration::from_secs(5)).await;
    assert!(keys.iter().all(|key| world.server.condition(key, "Ready") == "True Reconciled"));
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_stop_the_account_and_one_success_opens_it_for_all() {
    let world = World::new();
    let keys: Vec<_> =
        (0..20).map(|n| world.toy(&format!("bear-{n}"), json!({ "colour": "brown" }))).collect();
    world.service.state.lock().failures.extend((0..100_000).map(|_| Failure::Auth("401".into())));
    let _process = world.healthy().await;
    sleep(60 * MINUTE).await;
    // At first as many as may work at a time; later one for each cool-down of up to ten minutes.
    assert!(reads(&world) < 20, "{}", reads(&world));
    assert_eq!(world.server.condition(&keys[7], "Synced"), "False Unauthorised");
    world.service.state.lock().failures.clear();
    world.server.user_annotates(&keys[7], json!({ "concierge.dev/reconcile-at": "the token is new" }));
    sleep(6 * MINUTE).await;
    assert!(keys.iter().all(|key| world.server.condition(key, "Ready") == "True Reconciled"));
}

#[tokio::test(start_paused = true)]
async fn an_account_serves_no_more_than_its_places_and_forgets_nobody() {
    let world = World::new();
    let began = Instant::now();
    for n in 0..200 {
        world.toy(&format!("bear-{n}"), json!({ "colour": "brown" }));
    }
    let _process = world.start("a", ProcessOptions::default());
    while world.service.state.lock().things.len() < 200 {
        sleep(Duration::from_secs(1)).await;
        assert!(began.elapsed() < 5 * MINUTE);
    }
    // Three calls each, ten a second, twenty for free.
    assert!(began.elapsed() > Duration::from_secs(55), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_is_not_told_one_by_one_wakes_whoever_has_changed_and_nobody_else() {
    let world = World::new();
    let idle: Vec<_> =
        (0..30).map(|n| world.toy(&format!("idle-{n}"), json!({ "colour": "brown" }))).collect();
    let [edited, deleted] = ["edited", "deleted"].map(|name| world.toy(name, json!({ "colour": "brown" })));
    let _process = world.start("a", ProcessOptions { changes: 4, ..ProcessOptions::default() });
    sleep(LEASE * 3).await;
    assert!(idle.iter().all(|key| world.server.is_ready(key)));
    let before = reads(&world);
    let new: Vec<_> = (0..20).map(|n| world.toy(&format!("new-{n}"), json!({ "colour": "brown" }))).collect();
    world.toy("edited", json!({ "colour": "red" }));
    world.server.user_deletes(&deleted);
    sleep(MINUTE).await;
    assert!(new.iter().chain([&edited]).all(|key| world.server.is_ready(key)));
    assert!(world.server.read(&deleted).is_none());
    // Two for each of the twenty-two that had changed.
    assert!(reads(&world) - before <= 50, "{}", reads(&world) - before);
}

#[tokio::test(start_paused = true)]
async fn without_leadership_nothing_is_done() {
    let world = World::new();
    let _leader = world.healthy().await;
    let standby = world.start("standby", ProcessOptions::default());
    let key = world.toy("bear", json!({ "colour": "brown" }));
    sleep(30 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Ready"), "True Reconciled");
    assert_eq!(standby.metrics.leader.get(), 0);
    let label = concierge_reconciler::engine::metrics::KindLabel { kind: "Toy" };
    assert!(standby.metrics.run_seconds.get(&label).is_none(), "it has not looked at anything");
}

#[tokio::test(start_paused = true)]
async fn only_the_leader_tells_how_many_objects_there_are() {
    let world = World::new();
    world.toy("bear", json!({ "colour": "brown" }));
    let leader = world.healthy().await;
    let standby = world.start("standby", ProcessOptions::default());
    sleep(MINUTE).await;
    let ready = |metrics: &Metrics| {
        let labels = ReadyLabels { kind: "Toy", ready: "true" };
        metrics.objects.get(&labels).map(|gauge| gauge.get())
    };
    assert_eq!((ready(&leader.metrics), ready(&standby.metrics)), (Some(1), None));
    // One whose lease is taken away says no more either.
    world.server.user_deletes(&ObjectKey::new("Lease", "concierge", "reconciler"));
    sleep(LEASE / 2).await;
    assert_eq!((ready(&leader.metrics), ready(&standby.metrics)), (None, None));
}

/// It counts them twice a minute.
#[tokio::test(start_paused = true)]
async fn a_new_leader_tells_of_its_objects_at_once_and_when_none_waits_any_more() {
    let world = World::new();
    let toys: Vec<_> =
        (0..20).map(|n| world.toy(&format!("toy-{n}"), json!({ "colour": "brown" }))).collect();
    let before = world.healthy().await;
    assert!(toys.iter().all(|key| world.server.is_ready(key)));
    before.stop().await;
    let next = world.start("next", ProcessOptions::default());
    let began = Instant::now();
    let soon = Duration::from_millis(10);
    while next.metrics.leader.get() == 0 {
        assert!(began.elapsed() < LEASE, "it does not lead");
        sleep(soon).await;
    }
    let ready = ReadyLabels { kind: "Toy", ready: "true" };
    assert_eq!(next.metrics.objects.get(&ready).map(|gauge| gauge.get()), Some(20));
    while next.metrics.runs_of("Toy", "ok") < 20 {
        assert!(began.elapsed() < Duration::from_secs(25), "the next count is near");
        sleep(soon).await;
    }
    sleep(soon).await;
    assert_eq!(next.metrics.queue_depth.get(), 0);
}
