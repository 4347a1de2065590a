//! A term of leadership, and until when it may be relied on.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A term of leadership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Tells this term from any other: the fencing token.
    pub token: String,
    /// From when on intents that others wrote may be touched: no call of theirs can be under way any more.
    pub foreign_after: Instant,
    /// When another may take over, by a clock that never jumps.
    pub deadline: Instant,
    /// The same by the wall clock. The earlier of the two counts: one stands still while a machine is
    /// suspended, the other can be set back.
    pub deadline_wall: Timestamp,
}

impl Term {
    /// True when a call that is begun now and takes `most` ends before anybody else may lead.
    pub fn covers(&self, most: Duration, now_wall: Timestamp) -> bool {
        let wall_end = now_wall.saturating_add(most).unwrap_or(Timestamp::MAX);
        Instant::now() + most < self.deadline && wall_end < self.deadline_wall
    }
}
