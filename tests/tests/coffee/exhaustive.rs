//! A process dies, or stands still, after every step while the shop treats the call in every way, with fresh and stale caches:
//! an object never gets two orders, none is lost, and every doubt is adopted, or held with a condition that says what to do.
//! The shop's books decide, not what anybody was told.

use std::{collections::BTreeSet, time::Duration};

use concierge_reconciler::engine::{
    ObjectKey,
    annotation::{RECONCILE_AT, RESOLVE_UNKNOWN},
    crash::CrashPoint,
};
use concierge_tests::{
    faults::{Fault, Hidden, Pause, Rule},
    shop::SEGFAULT,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::world::{MINUTE, Nature, Process, TOKEN, World};

/// What becomes of the first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It dies, and another is started.
    Restart,
    /// It dies while another stands by.
    StandBy,
    /// It stands still for longer than its lease while another stands by, and then goes on.
    Freeze,
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Thing {
    kind: &'static str,
    operation: &'static str,
    id: &'static str,
}

const ORDER: Thing = Thing { kind: "CoffeeOrder", operation: "POST /order", id: "orderId" };
const SUBSCRIPTION: Thing =
    Thing { kind: "CoffeeSubscription", operation: "POST /subscription", id: "subscriptionId" };

#[derive(Clone, Copy, Debug)]
struct Scenario {
    thing: Thing,
    point: CrashPoint,
    nth: usize,
    treatment: usize,
    fate: Fate,
    lag: Duration,
}

/// Everything that the fake can do to a call, and some of it together.
fn treatments() -> Vec<Vec<Fault>> {
    let slow = |seconds| Pause::For(Duration::from_secs(seconds));
    vec![
        vec![],
        vec![Fault::Refuse],
        vec![Fault::DropBefore],
        vec![Fault::DropAfter],
        vec![Fault::StatusBefore(500)],
        vec![Fault::StatusAfter(500)],
        vec![Fault::StatusBefore(400)],
        vec![Fault::StatusBefore(408)],
        vec![Fault::Throttle(Some(3))],
        vec![Fault::Throttle(None)],
        vec![Fault::Unauthorized],
        vec![Fault::Garbage],
        vec![Fault::Cut],
        vec![Fault::SlowBefore(slow(20))],
        vec![Fault::SlowAfter(slow(20))],
        vec![Fault::SlowBefore(slow(3))],
        vec![Fault::Hide(Hidden::Lists(2))],
        vec![Fault::Hide(Hidden::For(2 * MINUTE))],
        vec![Fault::DropAfter, Fault::Hide(Hidden::For(2 * MINUTE))],
        vec![Fault::DropAfter, Fault::Hide(Hidden::For(60 * MINUTE))],
    ]
}

/// Plays a scenario; whether the point was reached at all.
async fn play(scenario: Scenario) -> bool {
    let real = std::time::Instant::now();
    let sim = Instant::now();
    let world = World::furnished();
    for fault in treatments().swap_remove(scenario.treatment) {
        world.shop.faults().once(scenario.thing.operation, fault);
    }
    let key = match scenario.thing {
        ORDER => world.order("one"),
        _ => world.subscription("one"),
    };
    let mut actors = Actors::new(&world, scenario);
    actors.until(&world, &key, |world| is_settled(world, &key, scenario)).await;
    actors.pass(&world, &key, 3 * MINUTE).await;
    check(&world, &key, scenario);
    eprintln!(
        "{:?} {} {} {:?} {:?} struck {} real {:?} sim {:?}",
        scenario.point,
        scenario.nth,
        scenario.treatment,
        scenario.fate,
        scenario.lag,
        actors.struck,
        real.elapsed(),
        sim.elapsed()
    );
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
        let nature = Nature {
            lag: scenario.lag,
            fate: Some((scenario.point, scenario.thing.kind, scenario.nth)),
            frozen_for: (scenario.fate == Fate::Freeze).then_some(MINUTE),
            ..Nature::default()
        };
        let first = world.start("a", nature);
        Self { scenario, first: Some(first), others: Vec::new(), struck: false }
    }

    async fn until(&mut self, world: &World, key: &ObjectKey, done: impl Fn(&World) -> bool) {
        let began = Instant::now();
        while !done(world) {
            self.step(world, MINUTE).await;
            decide(world, key, self.scenario);
            assert!(began.elapsed() < 180 * MINUTE, "not settled: {:?}\n{}", self.scenario, world.dump());
        }
    }

    async fn pass(&mut self, world: &World, key: &ObjectKey, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.step(world, until - Instant::now()).await;
            decide(world, key, self.scenario);
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
        let mut struck = self.first.as_ref().map(|first| first.struck.clone());
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

fn is_settled(world: &World, key: &ObjectKey, scenario: Scenario) -> bool {
    let object = world.server.read(key).unwrap();
    let recorded = object["status"][scenario.thing.id].is_string();
    intent(&object).is_none() && recorded && world.is_ready(key)
}

/// A person looks at the shop, and says what is to be done about a call that is held, or was refused.
fn decide(world: &World, key: &ObjectKey, scenario: Scenario) {
    let object = world.server.read(key).unwrap();
    let annotations = &object["metadata"]["annotations"];
    let held = intent(&object).is_some_and(|intent| intent["state"] == "Held");
    if held && annotations[RESOLVE_UNKNOWN].is_null() {
        // Whoever reads the condition knows what to do.
        let says = world.message(key, "Unknown");
        assert!(says.contains(RESOLVE_UNKNOWN) && says.contains("adopt=<id>"), "{scenario:?}: {says}");
        let order = made(world, scenario).first().map_or("retry".to_owned(), |id| format!("adopt={id}"));
        world.server.user_annotates(key, json!({ RESOLVE_UNKNOWN: order }));
    }
    if world.phase(key) == "Failed" && annotations[RECONCILE_AT].is_null() {
        world.server.user_annotates(key, json!({ RECONCILE_AT: "again" }));
    }
}

/// What is in the shop's books, seen or not.
fn made(world: &World, scenario: Scenario) -> Vec<String> {
    let account = world.shop.account(TOKEN);
    match scenario.thing {
        ORDER => world.shop.charges().into_iter().map(|charge| charge.order).collect(),
        _ => account.subscriptions().into_iter().map(|one| one.id).collect(),
    }
}

fn check(world: &World, key: &ObjectKey, scenario: Scenario) {
    let made = made(world, scenario);
    let recorded = world.status(key)[scenario.thing.id].clone();
    assert_eq!(made.len(), 1, "{scenario:?}: {made:?}");
    assert_eq!(recorded, made[0].as_str(), "{scenario:?}");
    assert_eq!(world.shop.account(TOKEN).addresses().len(), 1, "{scenario:?}");
    let bought = match scenario.thing {
        ORDER => world.shop.charges()[0].variants[SEGFAULT],
        _ => world.shop.account(TOKEN).subscriptions()[0].quantity,
    };
    assert_eq!(bought, 1, "{scenario:?}");
    let annotations = &world.server.read(key).unwrap()["metadata"]["annotations"];
    assert!(annotations[RESOLVE_UNKNOWN].is_null(), "{scenario:?}: obeyed and kept");
}

/// Plays all scenarios of a fate; how many reached their point, and which points were reached.
async fn play_all(thing: Thing, fate: Fate) -> (usize, BTreeSet<CrashPoint>) {
    let began = std::time::Instant::now();
    let (mut runs, mut reached) = (0, BTreeSet::new());
    for &point in CrashPoint::ALL {
        for treatment in 0..treatments().len() {
            let lag = [Duration::ZERO, Duration::from_secs(20)][treatment % 2];
            for nth in [1, 2] {
                if !play(Scenario { thing, point, nth, treatment, fate, lag }).await {
                    break;
                }
                runs += 1;
                reached.insert(point);
            }
        }
    }
    println!("{thing:?}, {fate:?}: {runs} runs in {:?}", began.elapsed());
    (runs, reached)
}

/// The points that a deletion, a wrong answer to a repeatable step, or what is discarded reaches.
const ELSEWHERE: [CrashPoint; 4] =
    [CrashPoint::Acted, CrashPoint::Discarded, CrashPoint::Gone, CrashPoint::FinalizerRemoved];

async fn all_is_well(thing: Thing, fate: Fate) {
    let (runs, reached) = play_all(thing, fate).await;
    let missed: Vec<_> = CrashPoint::ALL.iter().filter(|point| !reached.contains(point)).collect();
    assert!(missed.iter().all(|point| ELSEWHERE.contains(point)), "not reached: {missed:?}");
    assert!(runs >= 350, "{runs} runs");
}

#[tokio::test(start_paused = true)]
async fn no_order_is_lost_or_doubled_when_a_process_dies_and_is_restarted() {
    all_is_well(ORDER, Fate::Restart).await;
}

#[tokio::test(start_paused = true)]
async fn no_order_is_lost_or_doubled_when_a_process_dies_and_another_takes_over() {
    all_is_well(ORDER, Fate::StandBy).await;
}

#[tokio::test(start_paused = true)]
async fn no_order_is_lost_or_doubled_when_a_leader_stands_still_and_comes_back() {
    all_is_well(ORDER, Fate::Freeze).await;
}

#[tokio::test(start_paused = true)]
async fn no_subscription_is_lost_or_doubled_when_a_process_dies_and_is_restarted() {
    all_is_well(SUBSCRIPTION, Fate::Restart).await;
}

#[tokio::test(start_paused = true)]
async fn no_subscription_is_lost_or_doubled_when_a_process_dies_and_another_takes_over() {
    all_is_well(SUBSCRIPTION, Fate::StandBy).await;
}

#[tokio::test(start_paused = true)]
async fn no_subscription_is_lost_or_doubled_when_a_leader_stands_still_and_comes_back() {
    all_is_well(SUBSCRIPTION, Fate::Freeze).await;
}

/// All rules at once, without anybody dying: what a person has to decide is rare, and said.
#[tokio::test(start_paused = true)]
async fn doubt_is_resolved_without_a_person_whenever_the_shop_shows_what_it_did() {
    for fault in [Fault::DropAfter, Fault::StatusAfter(500), Fault::Garbage, Fault::Cut] {
        let world = World::furnished();
        world.shop.faults().inject(Rule::on("POST /order").nth(1), fault.clone());
        let _process = world.healthy();
        let order = world.order("one");
        world.until("adopted", 30 * MINUTE, |world| world.phase(&order) == "Ordered").await;
        assert_eq!(world.shop.charges().len(), 1, "{fault:?}");
        let told = |world: &World| {
            world.server.notices().iter().any(|one| one.key == order && one.reason == "Adopted")
        };
        world.until("told", MINUTE, told).await;
    }
}
