//! Time and chance, passed in so that a test owns both.

use jiff::Timestamp;

/// The wall clock. Waiting is measured with tokio's clock, which never jumps.
pub trait Clock: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;
}

/// Chance.
pub trait Random: Send + Sync + 'static {
    /// A number from 0 up to, but not including, 1.
    fn unit(&self) -> f64;

    /// 128 bits.
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
