//! Why a call, or a step, did not go well: a closed list of classes, each with its own way to go on.

use std::time::Duration;

use concierge_shared::status::ConditionReason;

/// A failure of a remote call or of a step. Messages are shown to users in conditions and events: they say
/// what to do where there is something to do, stay the same while the cause stays the same, and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The call certainly did not reach the service: not started, or no connection. Retried with back-off.
    #[error("{0}")]
    NeverSent(String),
    /// The service failed in a way that passes, and a repetition does no harm. Retried with back-off.
    #[error("{0}")]
    Transient(String),
    /// The service did nothing and asked for patience. The whole account waits for as long as it said.
    #[error("{message}")]
    Throttled {
        /// What it said.
        message: String,
        /// For how long; by back-off when it did not say.
        retry_after: Option<Duration>,
    },
    /// The service refused our credentials. Opens the account's circuit breaker.
    #[error("{0}")]
    Auth(String),
    /// The service did nothing, because something else changed at the same time. Retried with back-off.
    #[error("{0}")]
    Conflict(String),
    /// The service did nothing, and will do nothing until the object or a dependency changes. Retried after hours.
    #[error("{0}")]
    Invalid(String),
    /// The service can't do this at all. Retried after hours.
    #[error("{0}")]
    Unsupported(String),
    /// Something that the object needs is not there: a Secret, a key in it, another remote thing. Retried with back-off.
    #[error("{0}")]
    DependencyMissing(String),
    /// Nobody knows whether the call took effect: a time-out after it was written, a reset, a 5xx, an
    /// answer that can't be read.
    #[error("{0}")]
    Ambiguous(String),
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// By the object's exponential back-off.
    BackOff,
    /// By the object's back-off, but not before this.
    NotBefore(Duration),
    /// After hours; sooner only when the object or something it refers to changes.
    Slow,
}

impl Failure {
    /// The reason in conditions and events.
    pub fn reason(&self) -> ConditionReason {
        match self {
            Failure::NeverSent(_) => ConditionReason::NeverSent,
            Failure::Transient(_) => ConditionReason::Transient,
            Failure::Throttled { .. } => ConditionReason::Throttled,
            Failure::Auth(_) => ConditionReason::Unauthorised,
            Failure::Conflict(_) => ConditionReason::Conflict,
            Failure::Invalid(_) => ConditionReason::Refused,
            Failure::Unsupported(_) => ConditionReason::Unsupported,
            Failure::DependencyMissing(_) => ConditionReason::ReferencesMissing,
            Failure::Ambiguous(_) => ConditionReason::Ambiguous,
        }
    }

    /// When to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Failure::Throttled { retry_after: Some(wait), .. } => Retry::NotBefore(*wait),
            Failure::Invalid(_) | Failure::Unsupported(_) => Retry::Slow,
            _ => Retry::BackOff,
        }
    }

    /// True when the call, once sent, certainly had no effect.
    pub fn had_no_effect(&self) -> bool {
        !matches!(self, Failure::Transient(_) | Failure::Ambiguous(_))
    }

    /// The failure if the call was one that changes nothing: then no outcome is ambiguous.
    pub fn of_a_read(self) -> Self {
        match self {
            Failure::Ambiguous(message) => Failure::Transient(message),
            other => other,
        }
    }

    /// True when the failure says nothing about the remote thing, which may be as well as it was.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Failure::NeverSent(_)
                | Failure::Transient(_)
                | Failure::Throttled { .. }
                | Failure::Conflict(_)
                | Failure::Auth(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certainty_counts_as_no_effect() {
        assert!(!Failure::Ambiguous(String::new()).had_no_effect());
        assert!(!Failure::Transient(String::new()).had_no_effect());
        assert!(Failure::NeverSent(String::new()).had_no_effect());
        assert!(Failure::Throttled { message: String::new(), retry_after: None }.had_no_effect());
    }

    #[test]
    fn a_refusal_is_not_retried_hot() {
        assert_eq!(Failure::Invalid(String::new()).retry(), Retry::Slow);
        let patience = Duration::from_secs(7);
        let throttled = Failure::Throttled { message: String::new(), retry_after: Some(patience) };
        assert_eq!(throttled.retry(), Retry::NotBefore(patience));
    }
}
