//! A short-lived cache of answers. An Environment is reconciled whenever one of its children changes, and servers are not asked again
//! each time.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::engine::Failure;

/// How long a failure is remembered.
const FAILED: Duration = Duration::from_secs(10);
/// How long a refusal of credentials is remembered: a person has to act first, and can ask for another try.
const REFUSED: Duration = Duration::from_secs(300);
/// How many answers are kept at most; beyond it, the oldest go.
const MOST: usize = 5000;
/// How many bytes they may have together.
const MOST_BYTES: usize = 32 << 20;

/// The last answers, by request.
pub(super) struct Recent<T>(Mutex<All<T>>);

struct All<T> {
    known: HashMap<String, Known<T>>,
    bytes: usize,
}

struct Known<T> {
    result: Result<T, Failure>,
    bytes: usize,
    since: Instant,
    until: Instant,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(All { known: HashMap::new(), bytes: 0 }))
    }
}

impl<T: Clone> Recent<T> {
    pub(super) fn get(&self, key: &str) -> Option<Result<T, Failure>> {
        let all = self.0.lock();
        let known = all.known.get(key)?;
        (Instant::now() < known.until).then(|| known.result.clone())
    }

    /// Remembers the result of a request. An answer of so many `bytes` stays for `fresh`.
    pub(super) fn put(&self, key: String, result: &Result<T, Failure>, bytes: usize, fresh: Duration) {
        let since = Instant::now();
        let until = since
            + match result {
                Ok(_) => fresh,
                Err(Failure::Auth(_)) => REFUSED,
                Err(_) => FAILED,
            };
        let mut all = self.0.lock();
        all.remove(&key);
        if all.known.len() >= MOST || all.bytes + bytes > MOST_BYTES {
            all.make_room(bytes, since);
        }
        all.bytes += bytes;
        all.known.insert(key, Known { result: result.clone(), bytes, since, until });
    }

    pub(super) fn forget(&self, key: &str) {
        self.0.lock().remove(key);
    }
}

impl<T> All<T> {
    fn remove(&mut self, key: &str) {
        let removed = self.known.remove(key).map_or(0, |known| known.bytes);
        self.bytes -= removed;
    }

    /// Drops what is no longer believed, and then the older half until there is room.
    fn make_room(&mut self, bytes: usize, now: Instant) {
        self.known.retain(|_, known| now < known.until);
        self.count();
        while !self.known.is_empty() && (self.known.len() >= MOST || self.bytes + bytes > MOST_BYTES) {
            let mut ages: Vec<_> = self.known.values().map(|known| known.since).collect();
            ages.sort_unstable();
            let middle = ages[ages.len() / 2];
            self.known.retain(|_, known| known.since > middle);
            self.count();
        }
    }

    fn count(&mut self) {
        self.bytes = self.known.values().map(|known| known.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_believed_for_its_time_and_a_failure_for_seconds() {
        let recent = Recent::default();
        let failure = Err(Failure::Transient("no".into()));
        recent.put("good".into(), &Ok(1), 0, MINUTE);
        recent.put("bad".into(), &failure, 0, MINUTE);
        assert_eq!((recent.get("good"), recent.get("bad")), (Some(Ok(1)), Some(failure)));
        let refused = Err(Failure::Auth("no".into()));
        recent.put("refused".into(), &refused, 0, MINUTE);
        tokio::time::advance(FAILED).await;
        assert_eq!((recent.get("good"), recent.get("bad")), (Some(Ok(1)), None));
        assert_eq!(recent.get("refused"), Some(refused));
        recent.forget("good");
        assert_eq!(recent.get("good"), None);
        recent.put("good".into(), &Ok(2), 0, MINUTE);
        tokio::time::advance(MINUTE).await;
        assert_eq!(recent.get("good"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_never_more_answers_or_bytes_than_so_many() {
        let recent = Recent::default();
        for n in 0..2 * MOST {
            tokio::time::advance(Duration::from_millis(1)).await;
            recent.put(n.to_string(), &Ok(n), 1, MINUTE);
            assert!(recent.0.lock().known.len() <= MOST);
        }
        let last = 2 * MOST - 1;
        assert_eq!(recent.get(&last.to_string()), Some(Ok(last)), "the newest stays");
        for n in 0..100 {
            tokio::time::advance(Duration::from_millis(1)).await;
            recent.put(n.to_string(), &Ok(n), MOST_BYTES / 10, MINUTE);
            let all = recent.0.lock();
            let bytes: usize = all.known.values().map(|known| known.bytes).sum();
            assert!(all.bytes == bytes && bytes <= MOST_BYTES);
        }
        assert_eq!(recent.get("99"), Some(Ok(99)));
    }
}
