//! What tests replace: time, randomness, and the points at which a process may die.

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::cluster::objects::ObjectKey;

/// The wall clock. Waiting is measured with tokio's clock, which never jumps.
pub trait Clock: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;
}

/// Randomness.
pub trait Random: Send + Sync + 'static {
    /// A number from 0 up to, but not including, 1.
    fn unit(&self) -> f64;

    fn bits(&self) -> u128;

    /// An id that nothing else has: 32 hexadecimal digits.
    fn id(&self) -> String {
        format!("{:032x}", self.bits())
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The machine's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn unit(&self) -> f64 {
        fastrand::f64()
    }

    fn bits(&self) -> u128 {
        fastrand::u128(..)
    }
}

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A place in a run. Named after what has just happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CrashPoint {
            $($(#[doc = $doc])+ $name,)+
        }

        impl CrashPoint {
            /// All places.
            pub const ALL: &'static [CrashPoint] = &[$(CrashPoint::$name),+];
        }
    };
}

points! {
    /// A run has begun.
    Begun,
    /// The finalizer is set, and what predecessors left is gone.
    MetadataWritten,
    /// The targets of protecting references bear the finalizer.
    TargetsProtected,
    /// The remote side has been looked at.
    Observed,
    /// The plan is made.
    Planned,
    /// A repeatable step has been taken; nothing is written about it.
    Acted,
    /// No other object has the same call in flight; no intent is written.
    IntentPrepared,
    /// The intent is written; the call is not sent.
    IntentWritten,
    /// It is the call's turn; the guard is about to be asked.
    AboutToSend,
    /// The call has been answered, or not; nothing is written about it.
    Answered,
    /// The id has been logged; it is not recorded.
    OutcomeLogged,
    /// The id is recorded, and the intent is gone.
    OutcomeRecorded,
    /// The intent is marked as unknown.
    UnknownWritten,
    /// The effect has been looked for; nothing is written about what was found.
    Looked,
    /// A look without effect is counted.
    LookCounted,
    /// The decision is left to a person.
    HeldWritten,
    /// The one effect that was found has been removed; the intent is still there.
    Discarded,
    /// The annotation that resolves an unknown outcome has been obeyed; it is still there.
    Resolved,
    /// The intent is gone, its call had no effect.
    IntentCleared,
    /// The status is written.
    StatusWritten,
    /// A deletion has been observed to be complete; the finalizer is still there.
    Gone,
    /// The finalizer is gone.
    FinalizerRemoved,
}

/// Is told of each place as it is reached. In a test, a future that never ends stops the run there.
pub trait Hook: Send + Sync + 'static {
    /// The run about `key` has reached `point`.
    fn reached(&self, point: CrashPoint, key: &ObjectKey) -> BoxFuture<'static, ()>;
}
