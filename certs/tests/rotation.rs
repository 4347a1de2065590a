//! Several replicas, dropped and suspended between any two calls, through whole rotations: at every moment each
//! replica that is ready is trusted by every configuration, as a prompt and as a lagging API server sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use common::{LAG, OVERLAP, SETTLE, World};
use concierge_certs::{Authority, Bundle, Options, Replica, Resolver, State, TargetKind};
use fastrand::Rng;
use jiff::SignedDuration;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A replica's process: its turns as a future that can be dropped anywhere.
struct Process {
    turns: Pin<Box<dyn Future<Output = ()>>>,
    resolver: Arc<Resolver>,
    seen: Arc<Mutex<Seen>>,
    skew: SignedDuration,
    asleep_until: Duration,
    slept_long: Option<u64>,
}

#[derive(Default)]
struct Seen {
    ready_since: Option<Duration>,
    turns: u64,
    errors: Vec<String>,
}

struct Fleet {
    world: World,
    rng: Rng,
    processes: Vec<Process>,
    ca_validity: Duration,
    secret_was_lost: bool,
}

impl Fleet {
    fn new(seed: u64, replicas: usize) -> Self {
        let configs = [(TargetKind::Validating, "validating", 1), (TargetKind::Mutating, "mutating", 2)];
        let mut fleet = Self {
            world: World::new(&configs),
            rng: Rng::with_seed(seed),
            processes: Vec::new(),
            ca_validity: Duration::from_secs(365 * DAY),
            secret_was_lost: false,
        };
        (0..replicas).for_each(|_| fleet.start(SignedDuration::ZERO));
        fleet
    }

    fn start(&mut self, skew: SignedDuration) {
        let process = self.process(self.processes.len(), skew);
        self.processes.push(process);
    }

    fn restart(&mut self, at: usize) {
        let skew = self.processes[at].skew;
        self.processes[at] = self.process(at, skew);
    }

    fn process(&self, at: usize, skew: SignedDuration) -> Process {
        let resolver = Resolver::empty();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let options = Options {
            clock: Arc::new(self.world.clock(skew)),
            settle: SETTLE,
            overlap: OVERLAP,
            ca_validity: self.ca_validity,
            ..Options::new("system", "hook")
        };
        let (world, cluster) = (self.world.clone(), self.world.cluster(at));
        let (mut replica, note) = (Replica::new(options, resolver.clone()), seen.clone());
        let turns = Box::pin(async move {
            loop {
                let report = replica.turn(&cluster).await;
                let elapsed = world.lock().elapsed;
                let mut seen = note.lock().unwrap();
                seen.turns += 1;
                seen.errors = report.errors.iter().map(ToString::to_string).collect();
                if report.trusted && seen.ready_since.is_none() {
                    seen.ready_since = Some(elapsed);
                }
            }
        });
        Process { turns, resolver, seen, skew, asleep_until: Duration::ZERO, slept_long: None }
    }

    fn poll(&mut self, at: usize) {
        if self.world.lock().elapsed >= self.processes[at].asleep_until {
            let done = self.processes[at].turns.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(done.is_pending());
        }
    }

    /// One call of one replica at random, a little time, and the property.
    fn tick(&mut self, at_most: Duration) {
        let at = self.rng.usize(..self.processes.len());
        self.poll(at);
        self.world.advance(at_most.mul_f64(self.rng.f64()));
        self.assert_all_trusted();
    }

    fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick(Duration::from_millis(1500)));
    }

    fn until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            if reached(self) {
                return;
            }
            self.ticks(4);
        }
        panic!("never reached: {what}; errors {:?}", self.errors());
    }

    fn until_state(&mut self, state: State) {
        self.until(state.word(), |it| it.world.state() == Some(state));
    }

    fn until_ready(&mut self) {
        self.until("ready", |it| it.processes.iter().all(|it| it.seen.lock().unwrap().ready_since.is_some()));
    }

    /// Until every replica's leaf is signed by the current authority.
    fn until_moved(&mut self) {
        self.until("moved", |it| {
            let Some(authority) = it.world.authority() else { return false };
            let anchor = authority.current().certificate().pem().into_bytes();
            let now = it.world.lock().time;
            it.processes.iter().all(|it| {
                let key = it.resolver.current();
                key.is_some_and(|key| concierge_certs::trusts(&anchor, &key.cert, common::NAME, now).is_ok())
            })
        });
    }

    fn errors(&self) -> Vec<String> {
        self.processes.iter().flat_map(|it| it.seen.lock().unwrap().errors.clone()).collect()
    }

    fn assert_all_trusted(&mut self) {
        let elapsed = self.world.lock().elapsed;
        for (at, process) in self.processes.iter_mut().enumerate() {
            let (ready_since, turns) = {
                let seen = process.seen.lock().unwrap();
                (seen.ready_since, seen.turns)
            };
            let Some(ready_since) = ready_since else { continue };
            if process.slept_long.is_some_and(|then| turns <= then + 1) {
                continue;
            }
            let fresh = self.secret_was_lost && ready_since + LAG >= elapsed;
            let key = process.resolver.current().unwrap();
            let failures = self.world.lock().failures(&key.cert, fresh);
            assert!(
                failures.is_empty(),
                "replica {at} at {elapsed:?}: {failures:?}\n{}",
                self.world.lock().log.join("\n")
            );
        }
    }
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

#[test]
fn replicas_that_race_at_bootstrap_end_with_one_authority() {
    for seed in 0..20 {
        let mut fleet = Fleet::new(seed, 3);
        fleet.until_ready();
        fleet.until_moved();
        let authority = fleet.world.authority().unwrap();
        assert_eq!(authority.state(), State::Stable);
        fleet.ticks(200);
        assert_eq!(fleet.world.authority().unwrap(), authority, "nothing is rotated without a reason");
        let sim = fleet.world.lock();
        for bundle in sim.configs.iter().flat_map(|it| &it.bundles) {
            assert!(Bundle::parse(bundle).contains(authority.current().certificate()));
        }
    }
}

#[test]
fn a_quiet_fleet_writes_nothing() {
    let mut fleet = Fleet::new(1, 3);
    fleet.until_moved();
    fleet.ticks(200);
    let before = fleet.world.lock().writes;
    fleet.ticks(3000);
    assert_eq!(fleet.world.lock().writes, before);
}

#[test]
fn a_rotation_goes_through_its_states_and_fails_nobody() {
    for seed in 0..5 {
        let mut fleet = Fleet::new(seed, 3);
        fleet.until_moved();
        fleet.world.request_rotation("please");
        fleet.until_state(State::Announced);
        let announced = fleet.world.lock().elapsed;
        fleet.until_state(State::Promoted);
        let promoted = fleet.world.lock().elapsed;
        assert!(promoted - announced >= SETTLE, "trust had no time to spread");
        fleet.until_moved();
        fleet.until_state(State::Stable);
        assert!(fleet.world.lock().elapsed - promoted >= OVERLAP, "replicas had no time to renew");
        fleet.until("previous gone from the bundles", |it| {
            it.world
                .lock()
                .configs
                .iter()
                .flat_map(|it| &it.bundles)
                .all(|it| Bundle::parse(it).certificates().len() == 1)
        });
        assert_eq!(fleet.world.lock().moves, [State::Announced, State::Promoted, State::Stable]);
        fleet.ticks(1000);
        assert_eq!(fleet.world.lock().moves.len(), 3, "one token, one rotation");
    }
}

#[test]
fn a_crash_after_every_other_call_of_a_rotation_fails_nobody() {
    a_crash_fails_nobody((0..48).step_by(2));
}

#[test]
#[ignore = "soak"]
fn a_crash_between_any_two_calls_of_a_rotation_fails_nobody() {
    a_crash_fails_nobody(0..48);
}

/// Each time, so many polls of the first replica after the request are its last.
fn a_crash_fails_nobody(polls: impl Iterator<Item = u32>) {
    for crash_at in polls {
        let mut fleet = Fleet::new(7, 2);
        fleet.until_moved();
        fleet.world.request_rotation("please");
        for _ in 0..crash_at {
            fleet.poll(0);
            fleet.assert_all_trusted();
            fleet.world.advance(Duration::from_secs(5));
        }
        fleet.restart(0);
        fleet.until_state(State::Promoted);
        fleet.restart(1);
        fleet.until_state(State::Stable);
        fleet.until_moved();
    }
}

#[test]
fn everything_at_once_fails_nobody() {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|it| it.parse().ok()).unwrap_or(5);
    let mut rotations = 0;
    for seed in 0..seeds {
        let mut fleet = Fleet::new(seed, 3);
        fleet.start(hours(if seed % 2 == 0 { 48 } else { -48 }));
        if seed % 3 == 0 {
            fleet.start(hours(10 * 365 * 24));
        }
        fleet.until_ready();
        let first = fleet.world.lock().configs[0].bundles[0].clone();
        for round in 0..3000 {
            disturb(&mut fleet, seed, round, &first);
            fleet.tick(Duration::from_secs(2));
        }
        // Left alone, it comes to rest.
        fleet.until_state(State::Stable);
        fleet.until_moved();
        rotations += fleet.world.lock().moves.iter().filter(|it| **it == State::Promoted).count();
    }
    assert!(rotations as u64 > seeds, "only {rotations} rotations in {seeds} runs");
}

fn disturb(fleet: &mut Fleet, seed: u64, round: u32, first: &[u8]) {
    let at = fleet.rng.usize(..fleet.processes.len());
    let config = fleet.rng.usize(..2);
    match fleet.rng.u32(..4000) {
        0..20 => {
            fleet.world.log(format!("restart {at}"));
            fleet.restart(at);
        }
        20..40 => {
            // Asleep or hardly awake; a replica needs two turns a settling time apart to follow.
            if fleet.world.lock().elapsed < fleet.processes[at].asleep_until + Duration::from_secs(150) {
                return;
            }
            // Within the overlap a replica that sees nothing of the world stays trusted; beyond it is on its own
            // until its next turn.
            let long = fleet.rng.u32(..4) == 0;
            let seconds = if long { fleet.rng.u64(300..3000) } else { fleet.rng.u64(1..200) };
            fleet.world.log(format!("replica {at} sleeps for {seconds} s"));
            let process = &mut fleet.processes[at];
            process.asleep_until = fleet.world.lock().elapsed + Duration::from_secs(seconds);
            if long {
                process.slept_long = Some(process.seen.lock().unwrap().turns);
            }
        }
        40..46 => fleet.world.request_rotation(&round.to_string()),
        46..49 => fleet.world.clobber(config, b""),
        49..52 => fleet.world.clobber(config, first),
        52..54 => {
            fleet.world.clobber(config, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nhm")
        }
        54..56 if seed % 4 == 1 => {
            fleet.world.lock().secret = None;
            fleet.secret_was_lost = true;
        }
        _ => {}
    }
}

#[test]
fn a_bundle_reset_in_mid_rotation_is_healed_and_holds_the_promotion_back() {
    for (seed, reset_to_empty) in (0..4).zip([true, false].into_iter().cycle()) {
        let mut fleet = Fleet::new(seed, 3);
        fleet.until_moved();
        fleet.ticks(100);
        let old = fleet.world.lock().configs[1].bundles[0].clone();
        fleet.world.request_rotation("please");
        fleet.until_state(State::Announced);
        fleet.ticks(10);
        for _ in 0..30 {
            fleet.world.clobber(1, if reset_to_empty { b"" } else { &old });
            if !reset_to_empty {
                // Leaves are still signed by what the old bundle holds: not even this may fail anybody.
                fleet.world.lock().configs[1].excused = None;
            }
            fleet.ticks(60);
            assert_eq!(fleet.world.state(), Some(State::Announced), "reset every 45 s, settled never");
            let next = fleet.world.authority().unwrap().next().unwrap().certificate().clone();
            let healed =
                fleet.world.lock().configs[1].bundles.iter().all(|it| Bundle::parse(it).contains(&next));
            assert!(healed);
        }
        fleet.until_state(State::Stable);
    }
}

#[test]
fn a_leaf_does_not_move_while_the_promoted_authority_is_missing() {
    let world = World::new(&[(TargetKind::Validating, "validating", 1)]);
    let mut replicas = [0, 1].map(|_| {
        let clock = Arc::new(world.clock(SignedDuration::ZERO));
        let options = Options { clock, settle: SETTLE, overlap: OVERLAP, ..Options::new("system", "hook") };
        Replica::new(options, Resolver::empty())
    });
    let mut turn = |at: usize, after: u64| {
        world.advance(Duration::from_secs(after));
        futures::executor::block_on(replicas[at].turn(&world.cluster(at)));
        replicas[at].leaf().map(|it| it.issuer().clone())
    };
    (0..6).for_each(|at| drop(turn(at % 2, 1)));
    let old = world.lock().configs[0].bundles[0].clone();
    let before = turn(1, 1);
    world.request_rotation("please");
    (0..6).for_each(|at| drop(turn(at % 2, 1)));
    turn(0, 70);
    assert_eq!(world.state(), Some(State::Promoted));
    world.clobber(0, &old);
    assert_eq!(turn(1, 1), before, "promoted, but the bundle does not trust it");
    assert_eq!(turn(1, 1), before, "healed, but not settled");
    assert_eq!(turn(1, 50), before);
    assert_ne!(turn(1, 20), before, "settled");
}

#[test]
fn a_year_of_leaves_and_its_rotation_fail_nobody() {
    assert_eq!(rotations_of(365), 1);
}

#[test]
#[ignore = "soak"]
fn three_years_of_leaves_and_rotations_fail_nobody() {
    assert!((3..=5).contains(&rotations_of(3 * 365)));
}

/// How many rotations there are within `days`, of authorities that last a year.
fn rotations_of(days: i64) -> usize {
    let mut fleet = Fleet::new(3, 3);
    fleet.until_moved();
    let start = fleet.world.lock().time;
    while fleet.world.lock().time.duration_since(start) < hours(days * 24) {
        fleet.world.advance(Duration::from_secs(12 * HOUR));
        fleet.assert_all_trusted();
        fleet.ticks(60);
    }
    fleet.world.lock().moves.iter().filter(|it| **it == State::Promoted).count()
}

#[test]
fn clocks_that_jump_by_48_hours_fail_nobody() {
    for seed in 0..4 {
        let mut fleet = Fleet::new(seed, 3);
        fleet.world.lock().date_header = seed % 2 == 0;
        fleet.until_moved();
        // At any age of leaf and authority, also in mid-rotation; only not before the first authority was made.
        for _ in 0..fleet.rng.u32(20..300) {
            fleet.world.advance(Duration::from_secs(6 * HOUR));
            fleet.ticks(40);
        }
        if seed % 3 == 0 {
            fleet.world.request_rotation("please");
            let ticks = fleet.rng.usize(..400);
            fleet.ticks(ticks);
        }
        for jump in [48, -48, -48, 48] {
            fleet.world.jump(hours(jump));
            fleet.assert_all_trusted();
            let ticks = fleet.rng.usize(..2000);
            fleet.ticks(ticks);
        }
    }
}

#[test]
fn set_back_to_before_the_first_authority_it_is_replaced() {
    let mut fleet = Fleet::new(1, 2);
    fleet.until_moved();
    let before = fleet.world.authority().unwrap();
    fleet.world.jump(hours(-48));
    fleet.processes.clear();
    (0..2).for_each(|_| fleet.start(SignedDuration::ZERO));
    fleet.secret_was_lost = true;
    fleet.until_ready();
    fleet.until_moved();
    assert_ne!(fleet.world.authority().unwrap().current(), before.current());
}

#[test]
fn one_wrong_clock_among_replicas_fails_nobody() {
    for (seed, wrong) in (0..).zip([48, -48, 200 * 24, -26 * 365 * 24, 60 * 365 * 24]) {
        let mut fleet = Fleet::new(seed, 2);
        fleet.start(hours(wrong));
        fleet.until_moved();
        let authority = fleet.world.authority();
        fleet.ticks(2000);
        assert_eq!(fleet.world.authority(), authority, "a wrong clock alone rotates nothing");
        fleet.world.request_rotation("please");
        fleet.until_state(State::Promoted);
        fleet.until_state(State::Stable);
    }
}

/// A sample: replicas have a turn or two in four hours.
#[test]
fn without_the_servers_time_a_clock_48_hours_off_fails_nobody() {
    without_the_servers_time(20);
}

#[test]
#[ignore = "soak"]
fn without_the_servers_time_a_clock_48_hours_off_fails_nobody_between_more_turns() {
    without_the_servers_time(60);
}

/// The better part of a year, with so many ticks in each four hours.
fn without_the_servers_time(ticks: usize) {
    for (seed, wrong) in (0..2).zip([48, -48].into_iter().cycle()) {
        let mut fleet = Fleet::new(seed, 2);
        fleet.world.lock().date_header = false;
        fleet.until_moved();
        fleet.world.advance(Duration::from_secs(5 * DAY));
        fleet.ticks(400);
        fleet.start(hours(wrong));
        for step in 0..260 * 6 {
            fleet.world.advance(Duration::from_secs(4 * HOUR));
            fleet.assert_all_trusted();
            fleet.ticks(if step % 60 == 0 { 400 } else { ticks });
        }
        assert!(fleet.world.lock().moves.contains(&State::Promoted));
    }
}

#[test]
fn after_a_year_off_everything_is_replaced_at_once() {
    let mut fleet = Fleet::new(5, 2);
    fleet.until_moved();
    for years in [1, 2] {
        let before = fleet.world.authority().unwrap();
        fleet.world.advance(Duration::from_secs(years * 366 * DAY));
        fleet.processes.clear();
        // What was written down expired; only ready replicas count.
        fleet.start(SignedDuration::ZERO);
        fleet.start(SignedDuration::ZERO);
        fleet.secret_was_lost = true;
        fleet.until_ready();
        fleet.until_moved();
        let after = fleet.world.authority().unwrap();
        assert_ne!(after.current(), before.current());
        let sim = fleet.world.lock();
        assert!(
            sim.configs
                .iter()
                .flat_map(|it| &it.bundles)
                .all(|it| Bundle::parse(it).certificates().len() == 1)
        );
    }
}

#[test]
fn a_missing_configuration_is_waited_for_and_said() {
    let mut fleet = Fleet::new(9, 2);
    fleet.world.lock().configs[1].exists = false;
    fleet.ticks(400);
    assert!(fleet.processes.iter().all(|it| it.seen.lock().unwrap().ready_since.is_none()));
    assert!(
        fleet.errors().iter().all(|it| it.contains("MutatingWebhookConfiguration mutating does not exist"))
    );
    fleet.world.lock().configs[1].exists = true;
    fleet.until_ready();
}

#[test]
fn an_empty_or_broken_secret_is_filled() {
    for garbage in [None, Some("current.crt")] {
        let mut fleet = Fleet::new(2, 2);
        let data = garbage.map(|it| [(it.to_owned(), k8s_openapi::ByteString(b"junk".to_vec()))].into());
        fleet.world.lock().secret = Some(k8s_openapi::api::core::v1::Secret { data, ..Default::default() });
        fleet.until_moved();
        assert_eq!(fleet.world.state(), Some(State::Stable));
    }
}

#[test]
fn a_deleted_secret_is_put_back_from_memory() {
    let mut fleet = Fleet::new(4, 2);
    fleet.until_moved();
    let before = fleet.world.authority();
    fleet.world.lock().secret = None;
    fleet.until("secret is back", |it| it.world.authority().is_some());
    assert_eq!(fleet.world.authority(), before);
}

#[test]
fn foreign_certificates_stay_in_the_bundle_until_they_expire() {
    let mut fleet = Fleet::new(6, 2);
    let foreign = rcgen::generate_simple_self_signed(vec!["foreign".to_owned()]).unwrap().cert.pem();
    fleet.world.clobber(0, foreign.as_bytes());
    fleet.until_moved();
    fleet.ticks(3000);
    assert_eq!(Bundle::parse(&fleet.world.lock().configs[0].bundles[0]).certificates().len(), 2);
}

#[test]
fn private_keys_stay_out_of_debug_output() {
    let mut fleet = Fleet::new(8, 1);
    fleet.until_moved();
    let secret = fleet.world.lock().secret.clone().unwrap();
    let key = String::from_utf8(secret.data.unwrap()["current.key"].0.clone()).unwrap();
    let line = key.lines().nth(1).unwrap();
    let authority: Authority = fleet.world.authority().unwrap();
    assert!(!format!("{authority:?}").contains(line));
    assert!(!format!("{:?}", authority.to_data().keys()).contains(line));
}
