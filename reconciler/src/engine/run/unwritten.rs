//! Objects that the API server does not let us write: that is told once, however often it is tried.

use std::collections::HashMap;

use concierge_runtime::logs::Seldom;
use parking_lot::Mutex;

use crate::engine::cluster::objects::ObjectKey;

/// Of how many causes of one object is told: texts of the API server may differ each time.
const CAUSES: usize = 4;

/// What could not be written, and why.
#[derive(Default)]
pub(crate) struct Unwritten {
    objects: Mutex<HashMap<ObjectKey, Tries>>,
    /// For the lines of many objects at once.
    pub(crate) seldom: Seldom,
}

#[derive(Default)]
struct Tries {
    causes: Vec<String>,
    count: u32,
}

impl Unwritten {
    /// Counts a write that was not taken; whether its cause is one that nobody was told of.
    pub(crate) fn failed(&self, key: &ObjectKey, cause: &str) -> bool {
        let mut objects = self.objects.lock();
        let tries = objects.entry(key.clone()).or_default();
        tries.count = tries.count.saturating_add(1);
        let news = tries.causes.len() < CAUSES && !tries.causes.iter().any(|known| known == cause);
        if news {
            tries.causes.push(cause.to_owned());
        }
        news
    }

    /// The object was written; how often that had been tried in vain.
    pub(crate) fn written(&self, key: &ObjectKey) -> Option<u32> {
        self.objects.lock().remove(key).map(|tries| tries.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_news_once_until_the_object_is_written() {
        let (unwritten, key) = (Unwritten::default(), ObjectKey::new("Toy", "default", "bear"));
        let failed = |cause: &str| unwritten.failed(&key, cause);
        assert_eq!([failed("a"), failed("b"), failed("a"), failed("b")], [true, true, false, false]);
        assert_eq!((unwritten.written(&key), unwritten.written(&key)), (Some(4), None));
        assert!(failed("a"), "it could be written in between");
    }

    #[test]
    fn a_cause_that_reads_differently_each_time_is_not_told_for_ever() {
        let (unwritten, key) = (Unwritten::default(), ObjectKey::new("Toy", "default", "bear"));
        let told = (0..1000).filter(|n| unwritten.failed(&key, &n.to_string())).count();
        assert_eq!(told, CAUSES);
    }
}
