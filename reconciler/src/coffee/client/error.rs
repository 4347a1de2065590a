//! What can go wrong with a call, sorted by what may be done about it.

use std::fmt;
use std::time::Duration;

use super::operation::Operation;

/// Why a call gave no result. No text of it holds request data or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The shop saw nothing of it; sending it is still safe. Covers failed connections and TLS handshakes.
    #[error("{operation} was not sent: {cause}")]
    NeverSent {
        /// What was asked for.
        operation: Operation,
        /// What stood in the way.
        cause: String,
    },
    /// The request cannot be built from these arguments; sending it again cannot help.
    #[error("{operation} was not sent: {cause}")]
    Unsendable {
        /// What was asked for.
        operation: Operation,
        /// What is wrong with the arguments.
        cause: &'static str,
    },
    /// The shop said no, readably, and did nothing.
    #[error("{operation} was refused: {refusal}")]
    Refused {
        /// What was asked for.
        operation: Operation,
        /// Its reasons.
        refusal: Box<Refusal>,
    },
    /// Too many calls; the shop did nothing.
    #[error("{operation} was refused for now: too many calls")]
    Throttled {
        /// What was asked for.
        operation: Operation,
        /// How long the shop asks to wait, if it said so; at most an hour.
        retry_after: Option<Duration>,
    },
    /// The token is not good; the shop did nothing.
    #[error("{operation} was refused: the shop does not accept the token")]
    Auth {
        /// What was asked for.
        operation: Operation,
    },
    /// It failed, and may be repeated without harm. Only for operations that are
    /// [repeatable](Operation::is_repeatable).
    #[error("{operation} failed: {doubt}")]
    Transient {
        /// What was asked for.
        operation: Operation,
        /// What happened.
        doubt: Doubt,
    },
    /// It was sent and nobody knows whether it was done. Only for operations that must not be repeated: look
    /// before anything else is sent.
    #[error("{operation} was sent, but its outcome is unknown: {doubt}")]
    Ambiguous {
        /// What was asked for.
        operation: Operation,
        /// What happened.
        doubt: Doubt,
    },
}

impl Error {
    /// The operation that failed.
    pub fn operation(&self) -> Operation {
        match *self {
            Error::NeverSent { operation, .. }
            | Error::Unsendable { operation, .. }
            | Error::Refused { operation, .. }
            | Error::Throttled { operation, .. }
            | Error::Auth { operation }
            | Error::Transient { operation, .. }
            | Error::Ambiguous { operation, .. } => operation,
        }
    }

    /// The refusal, if it was one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Error::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Whether the shop says that the thing does not exist. Only a readable answer of the shop counts: a
    /// stranger's 404 must not pass for a confirmed removal.
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.status == 404)
    }

    /// How this counts in metrics.
    pub fn outcome(&self) -> Outcome {
        match self {
            Error::NeverSent { .. } | Error::Unsendable { .. } => Outcome::NeverSent,
            Error::Refused { .. } => Outcome::Refused,
            Error::Throttled { .. } => Outcome::Throttled,
            Error::Auth { .. } => Outcome::Auth,
            Error::Transient { .. } => Outcome::Transient,
            Error::Ambiguous { .. } => Outcome::Ambiguous,
        }
    }
}

/// The shop's own words for a no, with everything that was sent or looks like a secret taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status, 400 to 499.
    pub status: u16,
    /// The API's `type`: `validation`, `forbidden`, `not_found` or another.
    pub kind: String,
    /// The API's `code`, such as `already_exists`; unknown ones are to be expected.
    pub code: String,
    /// The API's message.
    pub message: String,
    /// The parameter it is about, if it said so.
    pub param: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {}", self.message, self.status, self.code)?;
        match &self.param {
            Some(param) => write!(f, ", parameter {param})"),
            None => f.write_str(")"),
        }
    }
}

/// What leaves the outcome of a sent request open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No whole answer in time.
    TimedOut,
    /// The connection ended before the whole answer came.
    Lost,
    /// A status that says nothing about what was done: 5xx, 408, a redirect, an unreadable 4xx.
    Status(u16),
    /// A success whose body is not what the API promises.
    Unreadable,
    /// A body longer than the limit.
    TooLong,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::TimedOut => f.write_str("no answer in time"),
            Doubt::Lost => f.write_str("the connection was lost"),
            Doubt::Status(status) => write!(f, "HTTP status {status} without a usable error"),
            Doubt::Unreadable => f.write_str("the answer is not what the API promises"),
            Doubt::TooLong => f.write_str("the answer is too long"),
        }
    }
}

/// How a call ended: a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Done.
    Ok,
    NeverSent,
    /// Refused by the shop.
    Refused,
    /// Refused for now.
    Throttled,
    /// The token was refused.
    Auth,
    /// Failed, repeatable.
    Transient,
    /// Sent, outcome unknown.
    Ambiguous,
}

impl Outcome {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::NeverSent => "never_sent",
            Outcome::Refused => "refused",
            Outcome::Throttled => "throttled",
            Outcome::Auth => "auth",
            Outcome::Transient => "transient",
            Outcome::Ambiguous => "ambiguous",
        }
    }
}
