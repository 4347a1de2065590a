//! A process dies, or stands still for a while, after every step, while the service treats the order in every
//! way, with fresh and with stale caches: every call is sent once at most, no order is lost, none is placed twice.

use std::{collections::BTreeSet, time::Duration};

use concierge_reconciler::engine::{ObjectKey, annotation::RESOLVE_UNKNOWN, crash::CrashPoint};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    remote::Treat,
    world::{Nature, Process, World},
};

const MINUTE: Duration = Duration::from_secs(60);

/// What becomes of the first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It dies, and another is started.
    Restart,
    /// It dies while another stands by.
    StandBy,
    /// It stands still for longer than its lease while another stands by, and then goes on.
    Freeze,
}

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
    let mut actors = Actors::new(&world, scenario);
    actors.until(&world, &[&key], "ordered", |world| is_settled(world, &key)).await;
    actors.settle(&world, 5 * MINUTE).await;
    check(&world, &[&key], scenario);
    world.server.user_deletes(&key);
    actors.until(&world, &[&key], "gone", |world| world.server.read(&key).is_none()).await;
    actors.settle(&world, 2 * MINUTE).await;
    let state = world.service.state.lock();
    assert!(state.orders.iter().all(|order| order.cancelled), "{scenario:?}: {:?}", state.orders);
    actors.struck
}

/// The processes, and a person who decides what is held.
struct Actors {
    scenario: Scenario,
    first: Option<Process>,
    others: Vec<Process>,
    struck: bool,
}

impl Actors {
    fn new(world: &World, scenario: Scenario) -> Self {
        let frozen_for = (scenario.fate == Fate::Freeze).then_some(MINUTE);
        let nature = Nature {
            lag: scenario.lag,
            fate: Some((scenario.point, scenario.nth)),
            frozen_for,
            ..Nature::default()
        };
        let first = world.start("a", nature);
        Self { scenario, first: Some(first), others: Vec::new(), struck: false }
    }

    /// Lets things happen until `done`. What is held is decided at once; what is refused is poked now and then.
    async fn until(&mut self, world: &World, keys: &[&ObjectKey], what: &str, done: impl Fn(&World) -> bool) {
        let began = Instant::now();
        let mut poked = began;
        while !done(world) {
            self.step(world, MINUTE).await;
            keys.iter().for_each(|key| decide(world, key));
            if poked.elapsed() > 5 * MINUTE {
                poked = Instant::now();
                keys.iter().for_each(|key| poke(world, key));
            }
            let stuck = || keys.iter().map(|key| world.server.read(key)).collect::<Vec<_>>();
            assert!(began.elapsed() < 120 * MINUTE, "not {what}: {:?}\n{:#?}", self.scenario, stuck());
        }
    }

    async fn settle(&mut self, world: &World, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.step(world, until - Instant::now()).await;
        }
    }

    /// Waits until something happens, and no longer than `most`.
    async fn step(&mut self, world: &World, most: Duration) {
        let health = Nature { lag: self.scenario.lag, ..Nature::default() };
        if self.others.is_empty() && self.scenario.fate != Fate::Restart {
            sleep(Duration::from_secs(2)).await;
            self.others.push(world.start("b", health));
        }
        let mut grown = world.server.grown();
        let watched = self.first.as_ref().filter(|_| !self.struck);
        let mut struck = watched.map(|first| first.struck.clone());
        tokio::select! {
            _ = grown.changed() => {}
            Some(_) = async { Some(struck.as_mut()?.changed().await) } => {}
            () = sleep(most) => {}
        }
        let struck = self.first.as_ref().is_some_and(|first| *first.struck.borrow());
        self.struck |= struck;
        if struck && self.scenario.fate != Fate::Freeze {
            self.first = None;
        }
        if self.first.is_none() && self.others.is_empty() {
            self.others.push(world.start("b", health));
        }
    }
}

fn intent(object: &Value) -> Option<&Value> {
    Some(&object["status"]["intent"]).filter(|intent| !intent.is_null())
}

fn is_settled(world: &World, key: &ObjectKey) -> bool {
    let object = world.server.read(key).unwrap();
    intent(&object).is_none() && world.condition(key, "Ready").starts_with("True")
}

/// A person looks at the service, and says what is to be done about a call that is held.
fn decide(world: &World, key: &ObjectKey) {
    let Some(object) = world.server.read(key) else { return };
    let told = !object["metadata"]["annotations"][RESOLVE_UNKNOWN].is_null();
    if told || intent(&object).is_none_or(|intent| intent["state"] != "Held") {
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

fn check(world: &World, keys: &[&ObjectKey], scenario: Scenario) {
    let state = world.service.state.lock();
    let twice: Vec<_> = state.sends.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{scenario:?}: sent twice under one intent: {twice:?}");
    let standing: BTreeSet<_> =
        state.orders.iter().filter(|order| !order.cancelled).map(|order| order.id.clone()).collect();
    assert_eq!(standing.len(), keys.len(), "{scenario:?}: {:?}", state.orders);
    assert_eq!(standing, recorded(world), "{scenario:?}");
    for key in keys {
        let annotations = &world.server.read(key).unwrap()["metadata"]["annotations"];
        assert!(annotations[RESOLVE_UNKNOWN].is_null(), "{scenario:?}: obeyed and kept");
    }
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
