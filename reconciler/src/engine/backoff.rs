//! Exponential back-off with full jitter, one per object.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

use super::{clock::Random, key::ObjectKey};

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
}

impl BackOff {
    /// Counts a failure of `key` at `generation`; how long to wait. A new generation starts from the beginning.
    pub fn failed(&self, key: &ObjectKey, generation: Option<i64>, random: &dyn Random) -> Duration {
        let mut all = self.0.lock();
        let failures = all.entry(key.clone()).or_default();
        if failures.generation != generation {
            *failures = Failures { generation, count: 0 };
        }
        let most = BASE.saturating_mul(1 << failures.count.min(20)).min(CAP);
        failures.count = failures.count.saturating_add(1);
        most.mul_f64(random.unit())
    }

    /// Forgets the failures of `key`: it went well, or is gone, or somebody asked for it.
    pub fn reset(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(f64);

    impl Random for Fixed {
        fn unit(&self) -> f64 {
            self.0
        }
        fn bits(&self) -> u128 {
            0
        }
    }

    fn key() -> ObjectKey {
        ObjectKey::new("Toy", "default", "a")
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let back_off = BackOff::default();
        let waits: Vec<_> =
            (0..12).map(|_| back_off.failed(&key(), Some(1), &Fixed(1.0)).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    }

    #[test]
    fn the_jitter_is_full() {
        let back_off = BackOff::default();
        assert_eq!(back_off.failed(&key(), Some(1), &Fixed(0.0)), Duration::ZERO);
        assert_eq!(back_off.failed(&key(), Some(1), &Fixed(0.5)), Duration::from_secs(1));
    }

    #[test]
    fn success_and_a_new_generation_start_over() {
        let back_off = BackOff::default();
        for _ in 0..5 {
            back_off.failed(&key(), Some(1), &Fixed(1.0));
        }
        assert_eq!(back_off.failed(&key(), Some(2), &Fixed(1.0)), BASE);
        back_off.failed(&key(), Some(2), &Fixed(1.0));
        back_off.reset(&key());
        assert_eq!(back_off.failed(&key(), Some(2), &Fixed(1.0)), BASE);
    }
}
