//! A process that something happens to, and those that go on.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::process::{MINUTE, Nature, Process, Stage};

/// How long a process that is frozen stands still: longer than its lease.
const FROZEN: Duration = MINUTE;
/// How much later than the first the process starts that stands by.
const LATER: Duration = Duration::from_secs(2);

/// What becomes of the first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
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
    fate: Fate,
    lag: Duration,
    first: Option<Process>,
    others: Vec<Process>,
    /// Whether what was to happen has happened.
    pub struck: bool,
}

impl<'a, S: Stage> Actors<'a, S> {
    /// Starts the first process, whose nature says where its fate strikes.
    pub fn new(stage: &'a S, fate: Fate, nature: Nature) -> Self {
        let frozen_for = (fate == Fate::Freeze).then_some(FROZEN);
        let first = Some(stage.start("a", Nature { frozen_for, ..nature }));
        Self { stage, fate, lag: nature.lag, first, others: Vec::new(), struck: false }
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
        if self.others.is_empty() && self.fate != Fate::Restart {
            sleep(LATER).await;
            self.one_more();
        }
        let mut grown = self.stage.server().grown();
        let watched = self.first.as_ref().filter(|_| !self.struck);
        let mut struck = watched.map(|first| first.struck.clone());
        tokio::select! {
            _ = grown.changed() => {}
            Some(_) = async { Some(struck.as_mut()?.changed().await) } => {}
            () = sleep(most) => {}
        }
        let struck = self.first.as_ref().is_some_and(|first| *first.struck.borrow());
        self.struck |= struck;
        if struck && self.fate != Fate::Freeze {
            self.first = None;
        }
        if self.first.is_none() && self.others.is_empty() {
            self.one_more();
        }
    }

    fn one_more(&mut self) {
        let health = Nature { lag: self.lag, ..Nature::default() };
        self.others.push(self.stage.start("b", health));
    }
}
