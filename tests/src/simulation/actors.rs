//! A process that something happens to, and those that go on.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::MINUTE;
use super::process::{Process, ProcessOptions, Simulated};

/// How long a process that is frozen stands still: longer than its lease.
const FROZEN: Duration = MINUTE;
/// How much later than the first the process starts that stands by.
const LATER: Duration = Duration::from_secs(2);

/// What becomes of the first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interruption {
    /// It dies, and another is started.
    Restart,
    /// It dies while another stands by.
    StandBy,
    /// It stands still for longer than its lease while another stands by, and then goes on.
    Freeze,
}

/// The processes of a scenario.
pub struct Actors<'a, S> {
    stage: &'a S,
    interruption: Interruption,
    lag: Duration,
    first: Option<Process>,
    others: Vec<Process>,
    /// Whether what was to happen has happened.
    pub interrupted: bool,
}

impl<'a, S: Simulated> Actors<'a, S> {
    /// Starts the first process, whose options say where it is interrupted.
    pub fn new(stage: &'a S, interruption: Interruption, options: ProcessOptions) -> Self {
        let frozen_for = (interruption == Interruption::Freeze).then_some(FROZEN);
        let first = Some(stage.start("a", ProcessOptions { frozen_for, ..options }));
        Self { stage, interruption, lag: options.lag, first, others: Vec::new(), interrupted: false }
    }

    /// Lets things happen until `done`, and says true; false when that takes longer than `most`. Whenever something
    /// has happened, `person` may look.
    pub async fn until(&mut self, most: Duration, mut person: impl FnMut(), done: impl Fn() -> bool) -> bool {
        let began = Instant::now();
        while !done() {
            if began.elapsed() > most {
                return false;
            }
            self.step(MINUTE).await;
            person();
        }
        true
    }

    /// Lets things happen for a time.
    pub async fn pass(&mut self, time: Duration, mut person: impl FnMut()) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.step(until - Instant::now()).await;
            person();
        }
    }

    /// Waits until something happens, and no longer than `most`.
    async fn step(&mut self, most: Duration) {
        if self.others.is_empty() && self.interruption != Interruption::Restart {
            sleep(LATER).await;
            self.one_more();
        }
        let mut grown = self.stage.server().grown();
        let watched = self.first.as_ref().filter(|_| !self.interrupted);
        let mut interrupted = watched.map(|first| first.interrupted.clone());
        tokio::select! {
            _ = grown.changed() => {}
            Some(_) = async { Some(interrupted.as_mut()?.changed().await) } => {}
            () = sleep(most) => {}
        }
        let interrupted = self.first.as_ref().is_some_and(|first| *first.interrupted.borrow());
        self.interrupted |= interrupted;
        if interrupted && self.interruption != Interruption::Freeze {
            self.first = None;
        }
        if self.first.is_none() && self.others.is_empty() {
            self.one_more();
        }
    }

    fn one_more(&mut self) {
        let health = ProcessOptions { lag: self.lag, ..ProcessOptions::default() };
        self.others.push(self.stage.start("b", health));
    }
}
