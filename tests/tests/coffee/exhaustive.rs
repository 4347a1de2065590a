//! A process dies, or stands still, after every step while the shop treats the call in every way, with fresh and stale caches:
//! an object never gets two orders, none is lost, and every doubt is adopted, or held with a condition that says what to do.
//! The shop's records decide, not what anybody was told. Everyday tests play a sample, `make soak` a larger one, and `make soak FULL=1` all.

use std::{collections::BTreeSet, time::Duration};

use concierge_reconciler::engine::{
    ObjectKey,
    annotation::{RECONCILE_AT, RESOLVE_UNKNOWN},
    seams::CrashPoint,
};
use concierge_tests::{
    faults::{Fault, Hidden, Pause, Rule},
    shop::SEGFAULT,
    simulation::{Actors, Interruption, MINUTE, ProcessOptions, scenarios},
    soak,
};
use serde_json::json;

use crate::world::{TOKEN, World};

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

/// The card of an order that brings its own, from a Secret: registered for it alone.
const OWN_CARD: Thing = Thing { kind: "CoffeeOrder", operation: "POST /card", id: "cardId" };

#[derive(Clone, Copy, Debug)]
struct Scenario {
    thing: Thing,
    point: CrashPoint,
    nth: usize,
    treatment: usize,
    interruption: Interruption,
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
    let world = World::ready_to_order();
    for fault in treatments().swap_remove(scenario.treatment) {
        world.shop.faults().once(scenario.thing.operation, fault);
    }
    let key = match scenario.thing {
        ORDER => world.order("one"),
        OWN_CARD => {
            world.server.user_deletes(&ObjectKey::new("CoffeeCard", "default", "default"));
            world.order_with_own_card("one")
        }
        _ => world.subscription("one"),
    };
    let options = ProcessOptions {
        lag: scenario.lag,
        crash_at: Some((scenario.point, scenario.nth)),
        with: Some(scenario.thing.kind),
        ..ProcessOptions::default()
    };
    let mut actors = Actors::new(&world, scenario.interruption, options);
    let person = || decide(&world, &key, scenario);
    let settled = actors.until(360 * MINUTE, person, || is_settled(&world, &key, scenario)).await;
    assert!(settled, "not settled: {scenario:?}\n{}", world.dump());
    actors.pass(3 * MINUTE, person).await;
    check(&world, &key, scenario);
    actors.interrupted
}

fn is_settled(world: &World, key: &ObjectKey, scenario: Scenario) -> bool {
    let recorded = world.server.status(key)[scenario.thing.id].is_string();
    world.server.intent(key).is_none() && recorded && world.server.is_ready(key)
}

/// A person looks at the shop, and says what is to be done about a call that is held, or was refused.
fn decide(world: &World, key: &ObjectKey, scenario: Scenario) {
    let object = world.server.read(key).unwrap();
    let annotations = &object["metadata"]["annotations"];
    if let Some(intent) = world.server.intent(key).filter(|intent| intent["state"] == "Held")
        && annotations[RESOLVE_UNKNOWN].is_null()
    {
        // Whoever reads the condition knows what to do.
        let says = world.server.message(key, "Unknown");
        assert!(says.contains(RESOLVE_UNKNOWN) && says.contains("adopt=<id>"), "{scenario:?}: {says}");
        let operation = intent["operation"].as_str().unwrap();
        let order = made(world, operation).first().map_or("retry".to_owned(), |id| format!("adopt={id}"));
        world.server.user_annotates(key, json!({ RESOLVE_UNKNOWN: order }));
    }
    if world.server.condition(key, "Placed") == "False Refused" && annotations[RECONCILE_AT].is_null() {
        world.server.user_annotates(key, json!({ RECONCILE_AT: "again" }));
    }
}

/// What an operation has made by the shop's records, seen or not.
fn made(world: &World, operation: &str) -> Vec<String> {
    let account = world.shop.account(TOKEN);
    match operation {
        "POST /order" => world.shop.charges().into_iter().map(|charge| charge.order).collect(),
        "POST /card" => account.cards().into_iter().map(|card| card.id).collect(),
        "POST /subscription" => account.subscriptions().into_iter().map(|one| one.id).collect(),
        other => panic!("{other} is not counted"),
    }
}

fn check(world: &World, key: &ObjectKey, scenario: Scenario) {
    let made = made(world, scenario.thing.operation);
    let recorded = world.server.status(key)[scenario.thing.id].clone();
    assert_eq!(made.len(), 1, "{scenario:?}: {made:?}");
    assert_eq!(recorded, made[0].as_str(), "{scenario:?}");
    assert_eq!(world.shop.account(TOKEN).addresses().len(), 1, "{scenario:?}");
    let bought = match scenario.thing {
        ORDER | OWN_CARD => world.shop.charges()[0].variants[SEGFAULT],
        _ => world.shop.account(TOKEN).subscriptions()[0].quantity,
    };
    assert_eq!(bought, 1, "{scenario:?}");
    let orders = usize::from(scenario.thing != SUBSCRIPTION);
    assert_eq!(world.shop.charges().len(), orders, "{scenario:?}");
    let annotations = &world.server.read(key).unwrap()["metadata"]["annotations"];
    assert!(annotations[RESOLVE_UNKNOWN].is_null(), "{scenario:?}: obeyed and kept");
}

/// Plays a scenario with its point reached once and, if it is, twice; how often it was reached.
async fn play_twice(scenario: Scenario) -> usize {
    for nth in [1, 2] {
        if !play(Scenario { nth, ..scenario }).await {
            return nth - 1;
        }
    }
    2
}

fn lag(turn: usize) -> Duration {
    [Duration::ZERO, Duration::from_secs(20)][turn % 2]
}

/// The points that only a deletion, a repeatable step, an effect that is discarded, or a target that has no finalizer of its
/// own yet leads to: what an order waits for has one. The engine's own tests walk through them.
const ELSEWHERE: [CrashPoint; 5] = [
    CrashPoint::TargetsProtected,
    CrashPoint::Acted,
    CrashPoint::Discarded,
    CrashPoint::Gone,
    CrashPoint::FinalizerRemoved,
];

/// A card is tried again without a person: the shop refuses one that it has.
const NEVER_HELD: [CrashPoint; 2] = [CrashPoint::HeldWritten, CrashPoint::Resolved];

/// All that is made, with all that may become of the process that makes it.
const MAKING: [(Thing, Interruption); 7] = [
    (ORDER, Interruption::Restart),
    (ORDER, Interruption::StandBy),
    (ORDER, Interruption::Freeze),
    (SUBSCRIPTION, Interruption::Restart),
    (SUBSCRIPTION, Interruption::StandBy),
    (SUBSCRIPTION, Interruption::Freeze),
    (OWN_CARD, Interruption::StandBy),
];

fn assert_reached(reached: &BTreeSet<CrashPoint>, never: &[CrashPoint]) {
    let missed = |point: &&CrashPoint| {
        !reached.contains(point) && !ELSEWHERE.contains(point) && !never.contains(point)
    };
    let missed: Vec<_> = CrashPoint::ALL.iter().filter(missed).collect();
    assert!(missed.is_empty(), "not reached: {missed:?}");
}

/// Each point with each treatment once, with a thing, an interruption, a cache and a number of times that take turns.
#[test]
fn a_sample_of_all_that_may_happen_loses_and_doubles_nothing() {
    let points: Vec<_> = CrashPoint::ALL.iter().copied().filter(|point| !ELSEWHERE.contains(point)).collect();
    let sample = scenarios::pairs(points.len(), treatments().len()).map(|(row, treatment, turn)| {
        let (thing, interruption) = MAKING[turn % MAKING.len()];
        let (point, nth) = (points[row], if turn % 5 == 4 { 2 } else { 1 });
        Scenario { thing, point, nth, treatment, interruption, lag: lag(row + treatment / 2) }
    });
    let sample: Vec<_> = sample.collect();
    let struck = scenarios::play_all(&sample, play);
    let reached = sample.iter().zip(&struck).filter(|(_, struck)| **struck);
    let reached: Vec<_> = reached.map(|(scenario, _)| scenario.point).collect();
    println!("a sample of {} scenarios, of which {} reach their point", sample.len(), reached.len());
    assert!(reached.len() * 3 > sample.len(), "{} reached", reached.len());
    assert_reached(&reached.into_iter().collect(), &[]);
}

/// Plays all that may happen with one entry of `MAKING`, or a sample of it, and all that leads to a point which the sample missed.
fn all_is_well(entry: usize) {
    let (thing, interruption) = MAKING[entry];
    let began = std::time::Instant::now();
    let points = CrashPoint::ALL.iter();
    let all = points.flat_map(|&point| {
        let treatments = 0..treatments().len();
        treatments.map(move |treatment| Scenario {
            thing,
            point,
            nth: 1,
            treatment,
            interruption,
            lag: lag(treatment),
        })
    });
    let never = if thing == OWN_CARD { &NEVER_HELD[..] } else { &[] };
    let (played, mut left_out) = soak::one_of(3, entry, thing.kind, &all.collect::<Vec<_>>());
    let (mut reached, runs) = points_and_runs(&played);
    left_out.retain(|one| {
        !reached.contains(&one.point) && !ELSEWHERE.contains(&one.point) && !never.contains(&one.point)
    });
    reached.extend(points_and_runs(&left_out).0);
    println!("{}, {interruption:?}: {runs} runs in {:.1?}", thing.kind, began.elapsed());
    assert_reached(&reached, never);
    assert!(runs * 4 >= played.len() * 3, "{runs} runs");
}

/// The points that were reached, and how many runs reached theirs.
fn points_and_runs(scenarios: &[Scenario]) -> (BTreeSet<CrashPoint>, usize) {
    let times = scenarios::play_all(scenarios, play_twice);
    let reached = scenarios.iter().zip(&times).filter(|(_, times)| **times > 0).map(|(one, _)| one.point);
    (reached.collect(), times.iter().sum())
}

#[test]
#[ignore = "soak"]
fn no_order_is_lost_or_doubled_when_a_process_dies_and_is_restarted() {
    all_is_well(0);
}

#[test]
#[ignore = "soak"]
fn no_order_is_lost_or_doubled_when_a_process_dies_and_another_takes_over() {
    all_is_well(1);
}

#[test]
#[ignore = "soak"]
fn no_order_is_lost_or_doubled_when_a_leader_stands_still_and_comes_back() {
    all_is_well(2);
}

#[test]
#[ignore = "soak"]
fn no_subscription_is_lost_or_doubled_when_a_process_dies_and_is_restarted() {
    all_is_well(3);
}

#[test]
#[ignore = "soak"]
fn no_subscription_is_lost_or_doubled_when_a_process_dies_and_another_takes_over() {
    all_is_well(4);
}

#[test]
#[ignore = "soak"]
fn no_subscription_is_lost_or_doubled_when_a_leader_stands_still_and_comes_back() {
    all_is_well(5);
}

#[test]
#[ignore = "soak"]
fn no_card_is_lost_or_doubled_when_a_process_dies_and_another_takes_over() {
    all_is_well(6);
}

/// Without anybody dying, what the shop shows is enough.
#[tokio::test(start_paused = true)]
async fn doubt_is_resolved_without_a_person_whenever_the_shop_shows_what_it_did() {
    for fault in [Fault::DropAfter, Fault::StatusAfter(500), Fault::Garbage, Fault::Cut] {
        let world = World::ready_to_order();
        world.shop.faults().inject(Rule::on("POST /order").nth(1), fault.clone());
        let _process = world.healthy();
        let order = world.order("one");
        world.until("adopted", 30 * MINUTE, |world| world.phase(&order) == "Ordered").await;
        assert_eq!(world.shop.charges().len(), 1, "{fault:?}");
        let told = |world: &World| {
            world.server.events().iter().any(|one| one.key == order && one.reason == "Adopted")
        };
        world.until("told", MINUTE, told).await;
    }
}
