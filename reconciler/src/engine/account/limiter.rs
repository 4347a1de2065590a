//! The limits of one account: how many runs use it at a time, and when its next call may be sent.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    cause::{Cause, minute},
    limits::{Account, Limits},
    throttle::{Breaker, Bucket, REFUSED, SILENT},
};
use crate::engine::{
    cluster::objects::ObjectKey,
    retry::{Failure, LONGEST_PAUSE, after},
    schedule::queue::{Lane, Queue, Turns},
    seams::Clock,
};

/// The share of an account's rate that resyncs may take; the rest is for changes.
const FOR_RESYNCS: f64 = 0.5;
/// Over how many runs the calls of a run are averaged.
const AVERAGED: u32 = 1000;
/// An account that is not used for this long is forgotten.
pub(super) const UNUSED: Duration = Duration::from_secs(2 * 3600);
/// How long a call may wait for its turn. If that is not enough, the object is queued again.
const PATIENCE: Duration = Duration::from_secs(30);

/// The limits of one account, and the objects that wait for them.
pub(crate) struct Limiter {
    pub(crate) id: String,
    pub(crate) service: &'static str,
    account: String,
    state: Mutex<State>,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
}

struct State {
    limits: Limits,
    credentials: String,
    watcher: Option<ObjectKey>,
    busy: usize,
    parked: Parked,
    bucket: Bucket,
    /// Open while the credentials are refused.
    refused: Breaker,
    /// Open while the service does not answer.
    silent: Breaker,
    load: Load,
    used: Instant,
}

/// How many calls the account's objects need.
#[derive(Default)]
struct Load {
    objects: HashSet<ObjectKey>,
    runs: u32,
    calls: u32,
}

/// The objects that wait for a free place, each once, in the order in which they came.
#[derive(Default)]
struct Parked {
    edit: VecDeque<ObjectKey>,
    change: VecDeque<ObjectKey>,
    clock: VecDeque<ObjectKey>,
    all: HashMap<ObjectKey, Lane>,
    turns: Turns,
}

/// One run's place at an account; given back when dropped.
pub(crate) struct Permit(Arc<Limiter>);

impl Limiter {
    pub(super) fn new(account: &Account, queue: Arc<Queue>, clock: Arc<dyn Clock>) -> Self {
        let Account { service, name, credentials, limits, watcher } = account.clone();
        Self {
            id: account.id(),
            service,
            account: name,
            state: Mutex::new(State {
                limits,
                credentials,
                watcher,
                busy: 0,
                parked: Parked::default(),
                bucket: Bucket::full(limits, Instant::now()),
                refused: Breaker::closed(&REFUSED),
                silent: Breaker::closed(&SILENT),
                load: Load::default(),
                used: Instant::now(),
            }),
            queue,
            clock,
        }
    }

    pub(super) fn update(&self, account: &Account) {
        let mut state = self.state.lock();
        state.limits = account.limits;
        state.watcher.clone_from(&account.watcher);
        if state.credentials != account.credentials {
            state.credentials.clone_from(&account.credentials);
            state.refused.close();
            state.silent.close();
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
    pub(super) fn wake_parked(&self) {
        let mut state = self.state.lock();
        let free = state.limits.concurrency.saturating_sub(state.busy);
        for _ in 0..free {
            let Some((key, lane)) = state.parked.pop() else { break };
            self.queue.add_in(lane, key);
        }
    }

    /// Lets one call through although a breaker is open: a person asks whether the account can be used by now.
    pub(crate) fn allow_probe(&self) {
        let mut state = self.state.lock();
        state.refused.allow_probe();
        state.silent.allow_probe();
        state.bucket.resume();
    }

    /// Whether calls wait because the service does not answer them.
    pub(crate) fn is_silent(&self) -> bool {
        !self.state.lock().silent.is_closed()
    }

    /// Notes whether the service answered a probe; true when one call may go at once because it does again.
    pub(crate) fn probed(&self, answered: bool) -> bool {
        self.state.lock().silent.probed(answered)
    }

    /// `wanted`, or longer where resyncs of all objects of the account would exceed their share of its rate.
    pub(crate) fn bearable(&self, wanted: Duration) -> Duration {
        let state = self.state.lock();
        let round = state.load.calls_of_a_round() / (state.limits.rate * FOR_RESYNCS);
        Duration::try_from_secs_f64(round).map_or(wanted, |round| wanted.max(round))
    }

    pub(super) fn forget(&self, key: &ObjectKey) {
        self.state.lock().load.objects.remove(key);
    }

    pub(super) fn is_unused(&self) -> bool {
        let state = self.state.lock();
        state.busy == 0 && state.parked.is_empty() && state.used.elapsed() > UNUSED
    }

    pub(super) fn is_refused(&self) -> bool {
        !self.state.lock().refused.is_closed()
    }

    /// Waits for the turn of one call.
    pub(crate) async fn turn(&self) -> Result<(), Failure> {
        let wait = {
            let mut state = self.state.lock();
            let (now, limits) = (Instant::now(), state.limits);
            self.admit(&mut state, now)?;
            state.load.called();
            match state.bucket.take(limits, now) {
                wait if wait > PATIENCE => {
                    state.bucket.put_back();
                    let message = self.busy(&state, now);
                    return Err(Failure::Throttled { message, retry_after: Some(wait) });
                }
                wait => wait,
            }
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Says why a call would have to wait for too long.
    fn busy(&self, state: &State, now: Instant) -> String {
        let Self { service, account, .. } = self;
        match state.bucket.pause_at(now) {
            Some((cause, until)) => format!(
                "{service} asks account {account} for patience ({cause}); the next call goes about {}",
                minute(*until)
            ),
            None => format!("account {account} is busy: more is to be done than its rate allows"),
        }
    }

    fn admit(&self, state: &mut State, now: Instant) -> Result<(), Failure> {
        let Self { service, account, .. } = self;
        match () {
            () if !state.refused.admits(now) => Err(Failure::Auth(format!(
                "{service} refused the credentials of account {account}{}; correct them",
                state.refused.why()
            ))),
            () if !state.silent.admits(now) => Err(Failure::NeverSent(format!(
                "{service} does not answer as it should at account {account}{}; it is asked again within half a minute",
                state.silent.why()
            ))),
            () => Ok(()),
        }
    }

    /// Updates the breakers and the rate by the result of a call, and by the HTTP status if the service answered.
    pub(crate) fn note_result<T>(&self, result: &Result<T, Failure>, status: Option<u16>) {
        let mut state = self.state.lock();
        let Err(failure) = result else { return state.answers() };
        let (now, wall) = (Instant::now(), self.clock.now());
        let cause = Cause::of(failure, status, wall);
        match failure {
            Failure::NeverSent(_) => return self.unanswered(&mut state, now, false, cause),
            Failure::Transient(_) | Failure::Ambiguous(_) => {
                return self.unanswered(&mut state, now, true, cause);
            }
            Failure::Auth(_) => state.refused.failed(now, true, cause),
            Failure::Throttled { retry_after: Some(wait), .. } => {
                let wait = (*wait).min(LONGEST_PAUSE);
                state.bucket.pause(after(wait), cause, wall.saturating_add(wait).unwrap_or(wall));
            }
            _ => state.refused.close(),
        }
        state.silent.close();
    }

    fn unanswered(&self, state: &mut State, now: Instant, sent: bool, cause: Cause) {
        if state.silent.is_closed() {
            state.watcher.iter().for_each(|watcher| self.queue.add(watcher.clone()));
        }
        state.silent.failed(now, sent, cause);
    }
}

impl State {
    /// The service accepted the credentials and answered, so both breakers close.
    fn answers(&mut self) {
        self.refused.close();
        self.silent.close();
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
            Lane::Edit => &mut self.edit,
            Lane::Change => &mut self.change,
            Lane::Clock => &mut self.clock,
        }
    }

    fn push(&mut self, key: &ObjectKey, lane: Lane) {
        match self.all.get(key).copied() {
            Some(before) if before <= lane => return,
            Some(slower) => self.lane(slower).retain(|other| other != key),
            None => {}
        }
        self.all.insert(key.clone(), lane);
        self.lane(lane).push_back(key.clone());
    }

    fn pop(&mut self) -> Option<(ObjectKey, Lane)> {
        let Self { edit, change, clock, turns, .. } = self;
        let lane = turns.choose(|lane| match lane {
            Lane::Edit => !edit.is_empty(),
            Lane::Change => !change.is_empty(),
            Lane::Clock => !clock.is_empty(),
        })?;
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

    /// How many calls one resync of every object takes.
    fn calls_of_a_round(&self) -> f64 {
        let of_a_run = f64::from(self.calls) / f64::from(self.runs.max(1));
        u32::try_from(self.objects.len()).map_or(0.0, f64::from) * of_a_run
    }
}
