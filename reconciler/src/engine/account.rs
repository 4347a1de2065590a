//! Remote accounts: how many calls at a time, how many a second, and none while the credentials are refused.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    cluster::objects::ObjectKey,
    metrics::{Metrics, ServiceLabel},
    retry::{Failure, LONGEST_PAUSE, after},
    schedule::queue::{Lane, Queue, Turns},
};

/// How long the breaker stays open the first time.
const COOL_DOWN: Duration = Duration::from_secs(30);
/// How long at most.
const COOL_DOWN_CAP: Duration = Duration::from_secs(600);
/// The share of an account's rate that resyncs may take; the rest is for changes.
const FOR_RESYNCS: f64 = 0.5;
/// Over how many runs the calls of a run are averaged.
const AVERAGED: u32 = 1000;
/// An account that nobody has used for so long is forgotten.
const UNUSED: Duration = Duration::from_secs(2 * 3600);
/// How long a call may wait for its turn, before the object goes back into the queue.
const PATIENCE: Duration = Duration::from_secs(30);

/// An account at a remote service.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The service, as metrics name it.
    pub service: &'static str,
    /// The account's name, for instance the namespace and name of the provider object. Never a secret.
    pub name: String,
    /// A digest of the credentials, if at hand: new ones close the breaker at once.
    pub credentials: String,
    /// What the service can bear.
    pub limits: Limits,
}

/// What a service can bear from one account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Runs at a time.
    pub concurrency: usize,
    /// Calls a second, in the long run.
    pub rate: f64,
    /// Calls at once, after a rest.
    pub burst: u32,
}

impl Default for Limits {
    /// 4 runs at a time, 10 calls a second, 20 at once.
    fn default() -> Self {
        Self { concurrency: 4, rate: 10.0, burst: 20 }
    }
}

impl Account {
    /// The account of this name, with default limits.
    pub fn new(service: &'static str, name: impl Into<String>) -> Self {
        Self { service, name: name.into(), credentials: String::new(), limits: Limits::default() }
    }

    /// No account at all: for kinds without a remote service.
    pub fn none() -> Self {
        let limits = Limits { concurrency: usize::MAX, rate: f64::INFINITY, burst: u32::MAX };
        Self::new("none", "").with_limits(limits)
    }

    /// With other limits.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With a digest of the credentials.
    pub fn with_credentials(mut self, digest: impl Into<String>) -> Self {
        self.credentials = digest.into();
        self
    }

    /// `service/name`
    pub fn id(&self) -> String {
        format!("{}/{}", self.service, self.name)
    }
}

/// All accounts that have been used.
pub(crate) struct Accounts {
    all: Mutex<HashMap<(&'static str, String), Arc<Limiter>>>,
    none: Arc<Limiter>,
    queue: Arc<Queue>,
    metrics: Metrics,
}

/// The way to one account.
pub(crate) struct Limiter {
    pub(crate) id: String,
    pub(crate) service: &'static str,
    account: String,
    state: Mutex<State>,
    queue: Arc<Queue>,
}

struct State {
    limits: Limits,
    credentials: String,
    busy: usize,
    parked: Parked,
    bucket: Bucket,
    breaker: Breaker,
    load: Load,
    used: Instant,
}

/// What the account's objects ask of it.
#[derive(Default)]
struct Load {
    objects: HashSet<ObjectKey>,
    runs: u32,
    calls: u32,
}

/// The objects that found all places taken, each once, in the order in which they came.
#[derive(Default)]
struct Parked {
    change: VecDeque<ObjectKey>,
    clock: VecDeque<ObjectKey>,
    all: HashMap<ObjectKey, Lane>,
    turns: Turns,
}

/// One run's place at an account; given back when dropped.
pub(crate) struct Permit(Arc<Limiter>);

impl Accounts {
    pub(crate) fn new(queue: Arc<Queue>, metrics: Metrics) -> Self {
        let none = Arc::new(Limiter::new(&Account::none(), queue.clone()));
        Self { all: Mutex::default(), none, queue, metrics }
    }

    /// The way to `account`, with the limits and credentials that it has now.
    pub(crate) fn limiter(&self, account: &Account) -> Arc<Limiter> {
        if *account == Account::none() {
            return self.none.clone();
        }
        let mut all = self.all.lock();
        let limiter = all
            .entry((account.service, account.name.clone()))
            .or_insert_with(|| Arc::new(Limiter::new(account, self.queue.clone())));
        limiter.update(account);
        limiter.clone()
    }

    /// Fills the free places: an object that was woken for one may not have taken it.
    pub(crate) fn wake_parked(&self) {
        self.all.lock().values().for_each(|limiter| limiter.wake_parked());
    }

    /// An object is no more.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.all.lock().values().for_each(|limiter| limiter.forget(key));
    }

    /// Forgets the accounts that nobody uses any more: users name them, so there is no end to them.
    pub(crate) fn prune(&self) {
        let mut all = self.all.lock();
        all.retain(|_, limiter| Arc::strong_count(limiter) > 1 || !limiter.is_unused());
        let mut open: HashMap<&'static str, i64> = HashMap::new();
        for limiter in all.values() {
            *open.entry(limiter.service).or_default() += i64::from(limiter.is_refused());
        }
        for (service, count) in open {
            self.metrics.breaker_open.get_or_create(&ServiceLabel { service }).set(count);
        }
    }

    /// The way to nowhere: no limits.
    pub(crate) fn none(&self) -> Arc<Limiter> {
        self.none.clone()
    }
}

impl Limiter {
    fn new(account: &Account, queue: Arc<Queue>) -> Self {
        let Account { service, name, credentials, limits } = account.clone();
        Self {
            id: account.id(),
            service,
            account: name,
            state: Mutex::new(State {
                limits,
                credentials,
                busy: 0,
                parked: Parked::default(),
                bucket: Bucket::full(limits, Instant::now()),
                breaker: Breaker::default(),
                load: Load::default(),
                used: Instant::now(),
            }),
            queue,
        }
    }

    fn update(&self, account: &Account) {
        let mut state = self.state.lock();
        state.limits = account.limits;
        if state.credentials != account.credentials {
            state.credentials.clone_from(&account.credentials);
            state.breaker = Breaker::default();
            state.bucket.resume();
        }
        state.used = Instant::now();
    }

    /// A place for a run over `key`. When all are taken, `key` is queued again as soon as one is free.
    pub(crate) fn permit(self: &Arc<Self>, key: &ObjectKey, lane: Lane) -> Option<Permit> {
        let mut state = self.state.lock();
        if state.busy >= state.limits.concurrency {
            state.parked.push(key, lane);
            return None;
        }
        state.busy += 1;
        state.load.run_of(key);
        Some(Permit(self.clone()))
    }

    /// Queues as many parked objects as there are free places.
    fn wake_parked(&self) {
        let mut state = self.state.lock();
        let free = state.limits.concurrency.saturating_sub(state.busy);
        for _ in 0..free {
            let Some((key, lane)) = state.parked.pop() else { break };
            self.queue.add_in(lane, key);
        }
    }

    /// Somebody wants to know whether the account can be used by now.
    pub(crate) fn allow_probe(&self) {
        let mut state = self.state.lock();
        state.breaker.allow_probe();
        state.bucket.resume();
    }

    /// `wanted`, or longer where the resyncs of all its objects would take more than their share of the account's rate.
    pub(crate) fn bearable(&self, wanted: Duration) -> Duration {
        let state = self.state.lock();
        let round = state.load.calls_of_a_round() / (state.limits.rate * FOR_RESYNCS);
        Duration::try_from_secs_f64(round).map_or(wanted, |round| wanted.max(round))
    }

    fn forget(&self, key: &ObjectKey) {
        self.state.lock().load.objects.remove(key);
    }

    fn is_unused(&self) -> bool {
        let state = self.state.lock();
        state.busy == 0 && state.parked.is_empty() && state.used.elapsed() > UNUSED
    }

    fn is_refused(&self) -> bool {
        !self.state.lock().breaker.is_closed()
    }

    /// Waits for the turn of one call.
    pub(crate) async fn turn(&self) -> Result<(), Failure> {
        let wait = {
            let mut state = self.state.lock();
            let (now, limits) = (Instant::now(), state.limits);
            if !state.breaker.admits(now) {
                return Err(Failure::Auth(format!(
                    "{} refused the credentials of account {}; correct them",
                    self.service, self.account
                )));
            }
            state.load.called();
            match state.bucket.take(limits, now) {
                wait if wait > PATIENCE => {
                    state.bucket.put_back();
                    return Err(Failure::Throttled {
                        message: format!("account {} is busy", self.account),
                        retry_after: Some(wait),
                    });
                }
                wait => wait,
            }
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Draws conclusions from a call.
    pub(crate) fn note_result<T>(&self, result: &Result<T, Failure>) {
        let mut state = self.state.lock();
        let now = Instant::now();
        match result {
            Err(Failure::Auth(_)) => state.breaker.refused(now),
            Err(Failure::Throttled { retry_after: Some(wait), .. }) => {
                state.bucket.pause(after((*wait).min(LONGEST_PAUSE)));
            }
            Err(Failure::NeverSent(_) | Failure::Transient(_) | Failure::Ambiguous(_)) => {}
            Ok(_) | Err(_) => state.breaker = Breaker::default(),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state.lock().busy -= 1;
        self.0.wake_parked();
    }
}

impl Parked {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<ObjectKey> {
        match lane {
            Lane::Change => &mut self.change,
            Lane::Clock => &mut self.clock,
        }
    }

    fn push(&mut self, key: &ObjectKey, lane: Lane) {
        match self.all.insert(key.clone(), lane) {
            None => {}
            Some(Lane::Change) => {
                self.all.insert(key.clone(), Lane::Change);
                return;
            }
            Some(Lane::Clock) if lane == Lane::Clock => return,
            Some(Lane::Clock) => self.clock.retain(|other| other != key),
        }
        self.lane(lane).push_back(key.clone());
    }

    fn pop(&mut self) -> Option<(ObjectKey, Lane)> {
        let lane = self.turns.choose(!self.change.is_empty(), !self.clock.is_empty())?;
        let key = self.lane(lane).pop_front()?;
        self.all.remove(&key);
        Some((key, lane))
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl Load {
    fn run_of(&mut self, key: &ObjectKey) {
        if !self.objects.contains(key) {
            self.objects.insert(key.clone());
        }
        self.runs += 1;
        if self.runs >= AVERAGED {
            (self.runs, self.calls) = (self.runs / 2, self.calls / 2);
        }
    }

    fn called(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    /// How many calls it takes to look at every object once.
    fn calls_of_a_round(&self) -> f64 {
        let of_a_run = f64::from(self.calls) / f64::from(self.runs.max(1));
        u32::try_from(self.objects.len()).map_or(0.0, f64::from) * of_a_run
    }
}

/// A token bucket. Calls are served in the order in which they came, each told how long to wait.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    paused_until: Instant,
}

impl Bucket {
    fn full(limits: Limits, now: Instant) -> Self {
        Self { tokens: f64::from(limits.burst), filled: now, paused_until: now }
    }

    fn take(&mut self, limits: Limits, now: Instant) -> Duration {
        let grown = now.duration_since(self.filled).as_secs_f64() * limits.rate;
        // Without a limit the rest of this is 0 times infinity.
        if limits.rate.is_infinite() {
            return Duration::ZERO;
        }
        self.tokens = (self.tokens + grown).min(f64::from(limits.burst)) - 1.0;
        self.filled = now;
        let wait =
            Duration::try_from_secs_f64((-self.tokens).max(0.0) / limits.rate).unwrap_or(Duration::MAX);
        wait.max(self.paused_until.saturating_duration_since(now))
    }

    fn put_back(&mut self) {
        self.tokens += 1.0;
    }

    fn resume(&mut self) {
        self.paused_until = Instant::now();
    }

    fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(until);
    }
}

/// A circuit breaker: open after one refusal of the credentials, then a single call as a probe after each cool-down, which doubles.
#[derive(Debug, Default)]
struct Breaker {
    open_until: Option<Instant>,
    refusals: u32,
}

impl Breaker {
    fn admits(&mut self, now: Instant) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                // This one is the probe; the next goes after another cool-down, should its answer be lost.
                self.open_until = Some(now + self.cool_down());
                true
            }
        }
    }

    fn refused(&mut self, now: Instant) {
        // Calls that were under way when the breaker opened are no news.
        if self.open_until.is_none_or(|until| until <= now + self.cool_down()) {
            self.refusals = self.refusals.saturating_add(1);
            self.open_until = Some(now + self.cool_down());
        }
    }

    fn cool_down(&self) -> Duration {
        let doublings = self.refusals.saturating_sub(1).min(16);
        COOL_DOWN.saturating_mul(1 << doublings).min(COOL_DOWN_CAP)
    }

    fn allow_probe(&mut self) {
        if self.open_until.is_some() {
            self.open_until = Some(Instant::now());
        }
    }

    fn is_closed(&self) -> bool {
        self.open_until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse<T>() -> Result<T, Failure> {
        Err(Failure::Auth("401".into()))
    }

    fn accounts() -> Accounts {
        Accounts::new(Arc::default(), Metrics::default())
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("Toy", "default", name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_through_and_then_the_rate_holds() {
        let limits = Limits { concurrency: 1, rate: 2.0, burst: 4 };
        let limiter = accounts().limiter(&Account::new("toys", "a").with_limits(limits));
        let began = Instant::now();
        for _ in 0..4 {
            limiter.turn().await.unwrap();
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..6 {
            limiter.turn().await.unwrap();
        }
        assert_eq!(began.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_fills_the_bucket_no_higher_than_the_burst() {
        let limits = Limits { concurrency: 1, rate: 1.0, burst: 2 };
        let limiter = accounts().limiter(&Account::new("toys", "a").with_limits(limits));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let began = Instant::now();
        for _ in 0..5 {
            limiter.turn().await.unwrap();
        }
        assert_eq!(began.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_pauses_the_whole_account() {
        let limiter = accounts().limiter(&Account::new("toys", "a"));
        let began = Instant::now();
        limiter.note_result::<()>(&Err(Failure::Throttled {
            message: String::new(),
            retry_after: Some(Duration::from_secs(9)),
        }));
        limiter.turn().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_queue_is_not_waited_in() {
        let limits = Limits { concurrency: 1, rate: 0.01, burst: 1 };
        let limiter = accounts().limiter(&Account::new("toys", "a").with_limits(limits));
        limiter.turn().await.unwrap();
        assert!(matches!(limiter.turn().await, Err(Failure::Throttled { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_credentials_open_the_breaker_and_one_probe_goes_per_cool_down() {
        let limiter = accounts().limiter(&Account::new("toys", "a"));
        limiter.turn().await.unwrap();
        limiter.note_result::<()>(&refuse());
        let mut probes = Vec::new();
        for second in 0..300 {
            if limiter.turn().await.is_ok() {
                probes.push(second);
                limiter.note_result::<()>(&refuse());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(probes, [30, 90, 210]);
    }

    #[tokio::test(start_paused = true)]
    async fn success_new_credentials_and_a_person_close_the_breaker() {
        let accounts = accounts();
        let account = Account::new("toys", "a").with_credentials("old");
        let limiter = accounts.limiter(&account);
        limiter.note_result::<()>(&refuse());
        assert!(limiter.turn().await.is_err());
        accounts.limiter(&account.clone().with_credentials("new"));
        assert!(limiter.turn().await.is_ok());
        limiter.note_result::<()>(&refuse());
        assert!(limiter.turn().await.is_err());
        limiter.allow_probe();
        assert!(limiter.turn().await.is_ok());
        assert!(limiter.turn().await.is_err(), "one probe, no more");
        limiter.note_result(&Ok(()));
        assert!(limiter.turn().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_account_parks_objects_and_wakes_them_in_order() {
        let queue = Arc::new(Queue::default());
        let accounts = Accounts::new(queue.clone(), Metrics::default());
        let limits = Limits { concurrency: 1, ..Limits::default() };
        let limiter = accounts.limiter(&Account::new("toys", "a").with_limits(limits));
        let permit = limiter.permit(&key("a"), Lane::Change).unwrap();
        assert!(limiter.permit(&key("b"), Lane::Change).is_none());
        assert!(queue.is_empty());
        assert!(limiter.permit(&key("c"), Lane::Change).is_none());
        drop(permit);
        assert_eq!(queue.next().await.key, key("b"));
        assert!(queue.is_empty(), "one place, one object");
        accounts.wake_parked();
        assert_eq!(queue.next().await.key, key("c"), "b did not take its place");
    }

    #[tokio::test(start_paused = true)]
    async fn no_pause_outlasts_an_hour_a_person_or_new_credentials() {
        let accounts = accounts();
        let account = Account::new("toys", "a").with_credentials("old");
        let limiter = accounts.limiter(&account);
        let pause = |wait| {
            let throttled = Failure::Throttled { message: String::new(), retry_after: Some(wait) };
            limiter.note_result::<()>(&Err(throttled));
        };
        pause(Duration::MAX);
        assert!(limiter.turn().await.is_err());
        tokio::time::sleep(Duration::from_secs(3601)).await;
        assert!(limiter.turn().await.is_ok());
        pause(Duration::MAX);
        limiter.allow_probe();
        assert!(limiter.turn().await.is_ok());
        pause(Duration::MAX);
        accounts.limiter(&account.with_credentials("new"));
        assert!(limiter.turn().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn resyncs_take_half_of_what_an_account_can_bear() {
        let limiter = accounts().limiter(&Account::new("toys", "a"));
        let usual = Duration::from_secs(600);
        assert_eq!(limiter.bearable(usual), usual);
        for n in 0..6000 {
            drop(limiter.permit(&key(&format!("toy-{n}")), Lane::Clock));
            limiter.turn().await.unwrap();
        }
        assert_eq!(limiter.bearable(usual).as_secs() / 60, 20, "6,000 calls at 5 a second");
        (0..6000).for_each(|n| limiter.forget(&key(&format!("toy-{n}"))));
        assert_eq!(limiter.bearable(usual), usual);
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_nobody_uses_is_forgotten() {
        let accounts = accounts();
        for n in 0..100 {
            accounts.limiter(&Account::new("toys", format!("{n}")));
        }
        accounts.prune();
        assert_eq!(accounts.all.lock().len(), 100);
        tokio::time::sleep(UNUSED * 2).await;
        let used = accounts.limiter(&Account::new("toys", "7"));
        accounts.prune();
        assert_eq!(accounts.all.lock().len(), 1);
        drop(used);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_gets_the_next_free_place() {
        let queue = Arc::new(Queue::default());
        let accounts = Accounts::new(queue.clone(), Metrics::default());
        let limits = Limits { concurrency: 1, ..Limits::default() };
        let limiter = accounts.limiter(&Account::new("toys", "a").with_limits(limits));
        let permit = limiter.permit(&key("a"), Lane::Clock).unwrap();
        assert!(limiter.permit(&key("b"), Lane::Clock).is_none());
        assert!(limiter.permit(&key("c"), Lane::Clock).is_none());
        assert!(limiter.permit(&key("c"), Lane::Change).is_none());
        drop(permit);
        let next = queue.next().await;
        assert_eq!((next.key, next.lane), (key("c"), Lane::Change));
    }
}
