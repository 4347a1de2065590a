//! When an object is looked at again.

use std::time::Duration;

use super::{
    clock::Random,
    cluster::ClusterError,
    failure::{Failure, Retry},
    hub::Hub,
    key::ObjectKey,
};

/// The middle of what counts as slow.
const SLOW: Duration = Duration::from_secs(2 * 3600);

/// When an object is looked at again, if nothing wakes it earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Only when something wakes it.
    Woken,
    /// About after this long.
    Resync(Duration),
    /// After exactly this long.
    After(Duration),
    /// As the class of a failure says.
    Retry(Retry),
}

/// Why a pass ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// All that can be said is said.
    Said(Next),
    /// A step, or what leads to it, went wrong.
    Failed(Failure),
    /// The API server did not take a write of ours.
    Cluster(ClusterError),
    /// There is nothing left to say anything about.
    Gone,
    /// All places at the account are taken; the account wakes the object.
    Parked,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

impl From<ClusterError> for Stop {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::NotFound => Stop::Gone,
            error => Stop::Cluster(error),
        }
    }
}

/// What came of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `ok`, or a reason: for the metric.
    pub(crate) result: String,
    pub(crate) next: Next,
    /// The generation that was looked at.
    pub(crate) generation: Option<i64>,
}

impl Next {
    /// How long to wait; `None` until woken. A failure is counted, anything else starts the back-off over.
    pub(crate) fn wait(self, hub: &Hub, key: &ObjectKey, generation: Option<i64>) -> Option<Duration> {
        let failed = || hub.back_off.failed(key, generation, &*hub.random);
        match self {
            Next::Retry(Retry::BackOff) => Some(failed()),
            Next::Retry(Retry::NotBefore(least)) => Some(least + failed()),
            Next::Retry(Retry::Slow) => Some(spread(SLOW, 0.5, &*hub.random)),
            Next::Woken => None,
            Next::After(wait) => {
                hub.back_off.reset(key);
                Some(wait)
            }
            Next::Resync(wait) => {
                hub.back_off.reset(key);
                Some(spread(wait, 0.1, &*hub.random))
            }
        }
    }
}

/// `around`, give or take the fraction `by` of it.
pub(crate) fn spread(around: Duration, by: f64, random: &dyn Random) -> Duration {
    around.mul_f64(1.0 - by + 2.0 * by * random.unit())
}
