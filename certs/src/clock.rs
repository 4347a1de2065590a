//! The two clocks that certificates need, passed in so that a test can make them jump.

use std::{fmt, time::Duration};

use jiff::Timestamp;

/// Where time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock. May jump in either direction.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never jumps and never goes back. Waiting periods are measured with this one,
    /// so that a wall clock that jumps cannot cut them short.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: tokio::time::Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    pub fn start() -> Self {
        Self { started: tokio::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// `time` moved by `by`; stays at the end of representable time instead of failing.
pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_add(by).unwrap_or(time)
}

/// The same into the past.
pub(crate) fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_sub(by).unwrap_or(time)
}

/// From `from` until `to`, zero if `to` lies before.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
