//! When a call may go: the token bucket, and the circuit breaker.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::Limits;

/// How long the breaker stays open the first time.
const COOL_DOWN: Duration = Duration::from_secs(30);
/// How long at most.
const COOL_DOWN_CAP: Duration = Duration::from_secs(600);

/// A token bucket. Calls are served in the order in which they came, each told how long to wait.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: f64,
    filled: Instant,
    paused_until: Instant,
}

impl Bucket {
    pub(super) fn full(limits: Limits, now: Instant) -> Self {
        Self { tokens: f64::from(limits.burst), filled: now, paused_until: now }
    }

    pub(super) fn take(&mut self, limits: Limits, now: Instant) -> Duration {
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

    pub(super) fn put_back(&mut self) {
        self.tokens += 1.0;
    }

    pub(super) fn resume(&mut self) {
        self.paused_until = Instant::now();
    }

    pub(super) fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(until);
    }
}

/// A circuit breaker: open after one refusal of the credentials, then a single call as a probe after each cool-down, which doubles.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    open_until: Option<Instant>,
    refusals: u32,
}

impl Breaker {
    pub(super) fn admits(&mut self, now: Instant) -> bool {
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

    pub(super) fn refused(&mut self, now: Instant) {
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

    pub(super) fn allow_probe(&mut self) {
        if self.open_until.is_some() {
            self.open_until = Some(Instant::now());
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.open_until.is_none()
    }
}
