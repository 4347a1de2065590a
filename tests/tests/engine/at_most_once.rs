//! A process dies, or stands still for a while, after every step, while the service treats the order in every
//! way, with fresh and with stale caches: every call is sent once at most, no order is lost, none is placed twice.

use std::{collections::BTreeSet, time::Duration};

use concierge_reconciler::engine::{ObjectKey, annotation::RESOLVE_UNKNOWN, seams::CrashPoint};
use concierge_tests::simulation::{Actors, Fate, MINUTE, Nature};
use serde_json::json;
use tokio::time::Instant;

use crate::{remote::Treat, world::World};

#[derive(Clone, Copy, Debug)]
struct Scenario {
    point: CrashPoint,
    nth: usize,
    treat: Treat,
    fate: Fate,
    lag: Duration,
    free: bool,
}

/// Plays a scenario; whether the point was reached at all.
async fn play(scenario: Scenario) -> bool {
    let world = World::new();
    world.service.state.lock().treats.push_back(scenario.treat);
    let key = world.put("Ticket", "one", json!({}), json!({ "what": "opera", "free": scenario.free }));
    let nature =
        Nature { lag: scenario.lag, fate: Some((scenario.point, scenario.nth)), ..Nature::default() };
    let mut actors = Actors::new(&world, scenario.fate, nature);
    let mut poked = Instant::now();
    // What is held is decided at once; what is refused is poked now and then.
    let mut person = || {
        decide(&world, &key);
        if poked.elapsed() > 5 * MINUTE {
            poked = Instant::now();
            poke(&world, &key);
        }
    };
    let settled = || world.server.intent(&key).is_none() && world.server.is_ready(&key);
    let ordered = actors.until(120 * MINUTE, &mut person, settled).await;
    assert!(ordered, "not ordered: {scenario:?}\n{:#?}", world.server.read(&key));
    actors.pass(5 * MINUTE, || {}).await;
    check(&world, &key, scenario);
    world.server.user_deletes(&key);
    let gone = actors.until(120 * MINUTE, &mut person, || world.server.read(&key).is_none()).await;
    assert!(gone, "not gone: {scenario:?}\n{:#?}", world.server.read(&key));
    actors.pass(2 * MINUTE, || {}).await;
    let state = world.service.state.lock();
    assert!(state.orders.iter().all(|order| order.cancelled), "{scenario:?}: {:?}", state.orders);
    actors.struck
}

/// A person looks at the service, and says what is to be done about a call that is held.
fn decide(world: &World, key: &ObjectKey) {
    let Some(object) = world.server.read(key) else { return };
    let told = !object["metadata"]["annotations"][RESOLVE_UNKNOWN].is_null();
    if told || world.server.intent(key).is_none_or(|intent| intent["state"] != "Held") {
        return;
    }
    let recorded = recorded(world);
    let lost = {
        let state = world.service.state.lock();
        let found = state.orders.iter().find(|order| !order.cancelled && !recorded.contains(&order.id));
        found.map(|order| order.id.clone())
    };
    let order = lost.map_or("retry".to_owned(), |id| format!("adopt={id}"));
    world.server.user_annotates(key, json!({ RESOLVE_UNKNOWN: order }));
}

fn poke(world: &World, key: &ObjectKey) {
    if world.server.read(key).is_some() {
        world.server.user_annotates(key, json!({ "poked": world.server.now().to_string() }));
    }
}

fn recorded(world: &World) -> BTreeSet<String> {
    let ids = world.server.of_kind("Ticket").into_iter();
    ids.filter_map(|ticket| ticket["status"]["orderId"].as_str().map(str::to_owned)).collect()
}

fn check(world: &World, key: &ObjectKey, scenario: Scenario) {
    let state = world.service.state.lock();
    let twice: Vec<_> = state.sends.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{scenario:?}: sent twice under one intent: {twice:?}");
    let standing: BTreeSet<_> =
        state.orders.iter().filter(|order| !order.cancelled).map(|order| order.id.clone()).collect();
    assert_eq!(standing.len(), 1, "{scenario:?}: {:?}", state.orders);
    assert_eq!(standing, recorded(world), "{scenario:?}");
    let annotations = &world.server.read(key).unwrap()["metadata"]["annotations"];
    assert!(annotations[RESOLVE_UNKNOWN].is_null(), "{scenario:?}: obeyed and kept");
}

/// Plays all scenarios of a fate; the points that were reached.
async fn play_all(fate: Fate, free: bool) -> BTreeSet<CrashPoint> {
    let mut reached = BTreeSet::new();
    for &point in CrashPoint::ALL {
        for &treat in Treat::ALL {
            for lag in [Duration::ZERO, Duration::from_secs(20)] {
                for nth in [1, 2] {
                    let struck = play(Scenario { point, nth, treat, fate, lag, free }).await;
                    if struck {
                        reached.insert(point);
                    } else if nth == 1 {
                        break;
                    }
                }
            }
        }
    }
    reached
}

fn expected(free: bool) -> BTreeSet<CrashPoint> {
    let never = [CrashPoint::TargetsProtected];
    let when_free = [CrashPoint::HeldWritten, CrashPoint::Resolved];
    let when_not = [CrashPoint::Discarded];
    let left_out = if free { &when_free[..] } else { &when_not[..] };
    let all = CrashPoint::ALL.iter().copied();
    all.filter(|point| !never.contains(point) && !left_out.contains(point)).collect()
}

#[tokio::test(start_paused = true)]
async fn no_order_is_lost_or_placed_twice_when_a_process_dies_and_is_restarted() {
    assert_eq!(play_all(Fate::Restart, false).await, expected(false));
}

#[tokio::test(start_paused = true)]
async fn no_order_is_lost_or_placed_twice_when_a_process_dies_and_another_takes_over() {
    assert_eq!(play_all(Fate::StandBy, false).await, expected(false));
}

#[tokio::test(start_paused = true)]
async fn no_order_is_lost_or_placed_twice_when_a_leader_stands_still_and_comes_back() {
    assert_eq!(play_all(Fate::Freeze, false).await, expected(false));
}

#[tokio::test(start_paused = true)]
async fn what_costs_nothing_is_removed_and_made_again_without_a_person() {
    assert_eq!(play_all(Fate::StandBy, true).await, expected(true));
}
