//! Fakes of remote services, and everything that can go wrong on the way to them.
//!
//! ```text
//! socket (Listening) --\                                          /-- answer, spoilt answer
//!                       Host: log -> faults -> Fake::handle -> faults
//! direct call --------- /            (pure)                       \-- no answer at all
//! ```
//!
//! A [`Fake`] is a pure state machine. A [`Host`] puts faults, a clock and a request log around it and is used
//! over sockets ([`Listening`]) or by direct call, which also works on tokio's paused clock. The host finishes
//! a request even when its caller has gone: that is how an order comes true after the client gave up.

mod gate;
mod host;
mod listening;
mod rules;

use std::time::Duration;

pub use self::gate::Gate;
pub use self::host::{Fake, Host, Logged, Reply, Request, Response};
pub use self::listening::Listening;
pub use self::rules::{Faults, Rule};

/// Something that goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// No connection comes about; nothing is done. Only by direct call: a real socket cannot know the operation
    /// before it accepts, use [`Listening::refuse`] there.
    Refuse,
    /// The connection ends without an answer; nothing is done.
    DropBefore,
    /// It is done; the connection ends without an answer.
    DropAfter,
    /// An error status comes back; nothing is done.
    StatusBefore(u16),
    /// It is done; an error status comes back.
    StatusAfter(u16),
    /// What stands before the service answers in its place, with this status and a page for people; nothing is done.
    Page(u16),
    /// A status comes back whose words repeat everything that was sent, also the credentials; nothing is done.
    Echo(u16),
    /// 429, with this many seconds of `Retry-After` if any; nothing is done.
    Throttle(Option<u64>),
    /// 401 in the service's own words; nothing is done.
    Unauthorized,
    /// It is done; the answer says so with a body that means nothing.
    Garbage,
    /// It is done; the answer breaks off in the middle.
    Cut,
    /// Waits before it is done.
    SlowBefore(Pause),
    /// Waits after it is done, before the answer.
    SlowAfter(Pause),
    /// It is done, and what it made cannot be seen yet.
    Hide(Hidden),
}

/// How long something waits.
#[derive(Clone, Debug)]
pub enum Pause {
    /// A time by tokio's clock.
    For(Duration),
    /// Until the test opens the gate.
    Until(Gate),
}

impl Pause {
    /// Waits.
    pub async fn over(&self) {
        match self {
            Pause::For(time) => tokio::time::sleep(*time).await,
            Pause::Until(gate) => gate.pass().await,
        }
    }
}

/// How long something new cannot be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// For this many lists that should have shown it.
    Lists(u32),
    /// For a time.
    For(Duration),
}
