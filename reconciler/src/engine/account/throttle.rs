//! When a call may go: the token bucket, and the circuit breakers.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{cause::Cause, limits::Limits};

/// A token bucket. Calls are served in the order in which they came; each is told how long to wait.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: f64,
    filled: Instant,
    paused_until: Instant,
    /// Why it is paused, and until when by the time of day.
    paused: Option<(Cause, Timestamp)>,
}

impl Bucket {
    pub(super) fn full(limits: Limits, now: Instant) -> Self {
        Self { tokens: f64::from(limits.burst), filled: now, paused_until: now, paused: None }
    }

    pub(super) fn take(&mut self, limits: Limits, now: Instant) -> Duration {
        let grown = now.duration_since(self.filled).as_secs_f64() * limits.rate;
        // An infinite rate would make 0 times infinity below.
        if limits.rate.is_infinite() {
            return Duration::ZERO;
        }
        self.tokens = (self.tokens + grown).min(f64::from(limits.burst)) - 1.0;
        self.filled = now;
        let wait =
            Duration::try_from_secs_f64((-self.tokens).max(0.0) / limits.rate).unwrap_or(Duration::MAX);
        wait.max(self.paused_until.saturating_duration_since(now))
    }

    pub(super) fn put_back(&mut self) {
        self.tokens += 1.0;
    }

    pub(super) fn resume(&mut self) {
        (self.paused_until, self.paused) = (Instant::now(), None);
    }

    pub(super) fn pause(&mut self, until: Instant, cause: Cause, until_wall: Timestamp) {
        if until > self.paused_until {
            (self.paused_until, self.paused) = (until, Some((cause, until_wall)));
        }
    }

    /// Why it is paused, and until when.
    pub(super) fn pause_at(&self, now: Instant) -> Option<&(Cause, Timestamp)> {
        self.paused.as_ref().filter(|_| now < self.paused_until)
    }
}

/// When a breaker opens, and for how long.
#[derive(Debug)]
pub(super) struct Policy {
    /// After how many failures in a row.
    after: u32,
    /// How long it stays open the first time, and how long at most.
    cool_down: [Duration; 2],
    /// How long it stays open after a call that never reached the service.
    unsent: Duration,
}

/// One refusal of the credentials is enough: it takes a person to mend that.
pub(super) const REFUSED: Policy =
    Policy { after: 1, cool_down: [Duration::from_secs(30), Duration::from_secs(600)], unsent: UNSENT };
/// A service that does not answer would hold every worker until the time-out, and more calls do not help it. One call in half a minute
/// tells whether it is back, unless a [probe](Breaker::probed) does sooner. Where no connection is made, nothing reaches the service, so
/// the next try comes after seconds.
pub(super) const SILENT: Policy =
    Policy { after: 5, cool_down: [Duration::from_secs(30), Duration::from_secs(30)], unsent: UNSENT };
/// With the [longest back-off](crate::engine::Reconcile::longest_back_off) of the object that watches over an account, this is how long
/// the end of an outage can stay unseen.
const UNSENT: Duration = Duration::from_secs(5);

/// A circuit breaker: open after some failures, then a single call as a probe after each cool-down, which doubles.
#[derive(Debug)]
pub(super) struct Breaker {
    policy: &'static Policy,
    open_until: Option<Instant>,
    probing: bool,
    failures: u32,
    /// Whether a probe was not answered since it opened.
    unheard: bool,
    /// Why the last call failed.
    cause: Option<Cause>,
}

impl Breaker {
    pub(super) fn closed(policy: &'static Policy) -> Self {
        Self { policy, open_until: None, probing: false, failures: 0, unheard: false, cause: None }
    }

    pub(super) fn close(&mut self) {
        *self = Self::closed(self.policy);
    }

    pub(super) fn admits(&mut self, now: Instant) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                // This one is the probe; the next goes after another cool-down, should its answer be lost.
                self.open_until = Some(now + self.cool_down());
                self.probing = true;
                true
            }
        }
    }

    pub(super) fn failed(&mut self, now: Instant, sent: bool, cause: Cause) {
        // Calls that were sent before the breaker opened tell nothing new.
        if self.open_until.is_some() && !self.probing {
            return;
        }
        self.probing = false;
        self.cause = Some(cause.after(self.cause.as_ref()));
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.policy.after {
            self.open_until = Some(now + if sent { self.cool_down() } else { self.policy.unsent });
        }
    }

    fn cool_down(&self) -> Duration {
        let [first, most] = self.policy.cool_down;
        let doublings = self.failures.saturating_sub(self.policy.after).min(16);
        first.saturating_mul(1 << doublings).min(most)
    }

    pub(super) fn allow_probe(&mut self) {
        if self.open_until.is_some() {
            self.open_until = Some(Instant::now());
        }
    }

    /// Notes whether a probe was answered; true when that is news, and the next call may go at once. There are services of which the door
    /// answers whatever is behind it: that tells something only after it was silent.
    pub(super) fn probed(&mut self, answered: bool) -> bool {
        let is_news = answered && self.unheard;
        self.unheard = !answered;
        if is_news {
            self.allow_probe();
        }
        is_news
    }

    /// Why it is open, in brackets; empty when that is not known.
    pub(super) fn why(&self) -> String {
        self.cause.as_ref().map_or_else(String::new, |cause| format!(" ({cause})"))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.open_until.is_none()
    }
}
