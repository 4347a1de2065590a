//! Why a call or a step failed, and when the object is reconciled again.

use std::{collections::HashMap, time::Duration};

use concierge_shared::status::ConditionReason;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{cluster::objects::ObjectKey, schedule::queue::Lane, seams::Random};

/// The longest pause of an account that a service can ask for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// The longest wait of an object, whoever asks for it.
const LONGEST_WAIT: Duration = Duration::from_secs(25 * 3600);
/// After how many times, some minutes, what makes no progress is tried after hours only.
const PATIENT_AFTER: u32 = 10;
/// The middle of what counts as slow.
const SLOW: Duration = Duration::from_secs(2 * 3600);

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
    /// The service does not know something that the call names; it may be too new. Retried with back-off a few times, then after hours.
    #[error("{0}")]
    NotKnownYet(String),
    /// The API server does not let us do what has to be done. Retried with back-off: the right may be given at any time.
    #[error("{0}")]
    Forbidden(String),
    /// Nobody knows whether the call took effect: a time-out after it was written, a reset, a 5xx, an
    /// answer that can't be read.
    #[error("{0}")]
    Ambiguous(String),
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
            Failure::DependencyMissing(_) | Failure::NotKnownYet(_) => ConditionReason::ReferencesMissing,
            Failure::Forbidden(_) => ConditionReason::Forbidden,
            Failure::Ambiguous(_) => ConditionReason::Ambiguous,
        }
    }

    /// When to try again.
    pub fn requeue(&self) -> Requeue {
        match self {
            Failure::Throttled { retry_after: Some(wait), .. } => Requeue::NotBefore(*wait),
            Failure::Invalid(_) | Failure::Unsupported(_) => Requeue::Slow,
            Failure::NotKnownYet(_) => Requeue::Stalled,
            _ => Requeue::BackOff,
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
                | Failure::Forbidden(_)
        )
    }
}

/// When an object is reconciled again, if nothing wakes it earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// Only when something wakes it.
    OnChange,
    /// As soon as others that are due have had their turn: it went well, and there is more to do.
    Again,
    /// About after this long.
    Resync(Duration),
    /// After exactly this long.
    After(Duration),
    /// By the object's exponential back-off.
    BackOff,
    /// By the object's exponential back-off a few times, then after hours.
    Stalled,
    /// By the object's back-off, but not before this.
    NotBefore(Duration),
    /// After hours; sooner only when the object or something it refers to changes.
    Slow,
}

/// The instant after `wait`. Waits come from annotations, headers and clocks: none may be too long for an [`Instant`].
pub(crate) fn after(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait.min(LONGEST_WAIT)).unwrap_or(now)
}

impl Requeue {
    /// Among whom the object waits, and how long; `None` until woken. A failure is counted, anything else starts the back-off over.
    pub(crate) fn next(
        self,
        back_off: &BackOff,
        random: &dyn Random,
        key: &ObjectKey,
        generation: Option<i64>,
    ) -> Option<(Lane, Duration)> {
        let lane = if self == Requeue::Again { Lane::Change } else { Lane::Clock };
        Some((lane, self.wait(back_off, random, key, generation)?))
    }

    fn wait(
        self,
        back_off: &BackOff,
        random: &dyn Random,
        key: &ObjectKey,
        generation: Option<i64>,
    ) -> Option<Duration> {
        let failed = || back_off.failed(key, generation, random);
        match self {
            Requeue::BackOff => Some(failed()),
            Requeue::Stalled => {
                let wait = failed();
                let patient = back_off.stalled(key) > PATIENT_AFTER;
                Some(if patient { spread(SLOW, 0.5, random) } else { wait })
            }
            Requeue::NotBefore(least) => Some(least.min(LONGEST_PAUSE) + failed()),
            Requeue::Slow => Some(spread(SLOW, 0.5, random)),
            Requeue::OnChange => None,
            Requeue::Again => {
                back_off.reset(key);
                Some(Duration::ZERO)
            }
            Requeue::After(wait) => {
                back_off.reset(key);
                Some(wait)
            }
            Requeue::Resync(wait) => {
                back_off.reset(key);
                Some(spread(wait, 0.1, random))
            }
        }
    }
}

/// The longest first wait.
pub const BASE: Duration = Duration::from_secs(1);
/// The longest wait.
pub const CAP: Duration = Duration::from_secs(300);

/// How often each object has failed in a row.
#[derive(Debug, Default)]
pub struct BackOff(Mutex<HashMap<ObjectKey, Failures>>);

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    generation: Option<i64>,
    count: u32,
    /// How many of them were [`Requeue::Stalled`]: an outage before them is no reason to wait for hours.
    stalled: u32,
}

impl BackOff {
    /// Counts a failure of `key` at `generation`; how long to wait. A new generation starts from the beginning.
    pub fn failed(&self, key: &ObjectKey, generation: Option<i64>, random: &dyn Random) -> Duration {
        let mut all = self.0.lock();
        let failures = all.entry(key.clone()).or_default();
        if failures.generation != generation {
            *failures = Failures { generation, ..Failures::default() };
        }
        let most = BASE.saturating_mul(1 << failures.count.min(20)).min(CAP);
        failures.count = failures.count.saturating_add(1);
        most.mul_f64(random.unit())
    }

    /// Notes that the last failure of `key` was one without progress; how many were.
    fn stalled(&self, key: &ObjectKey) -> u32 {
        let mut all = self.0.lock();
        let failures = all.entry(key.clone()).or_default();
        failures.stalled = failures.stalled.saturating_add(1);
        failures.stalled
    }

    /// Forgets the failures of `key`: it went well, or is gone, or somebody asked for it.
    pub fn reset(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

/// `around`, give or take the fraction `by` of it.
pub(crate) fn spread(around: Duration, by: f64, random: &dyn Random) -> Duration {
    around.mul_f64(1.0 - by + 2.0 * by * random.unit())
}

#[cfg(test)]
mod tests;
