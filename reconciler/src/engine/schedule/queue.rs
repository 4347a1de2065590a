//! What is to be looked at, and when. An object is in it at most once, and with one worker at a time.

use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::engine::cluster::objects::ObjectKey;

/// A queue of objects with the time at which each is due.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    earlier: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// In the order in which they are due; what is due at one instant, in the order in which it came.
    due: BTreeSet<(Instant, u64, ObjectKey)>,
    waiting: HashMap<ObjectKey, (Instant, u64)>,
    /// With a worker; and when it is to come again.
    running: HashMap<ObjectKey, Option<Instant>>,
    count: u64,
}

impl Queue {
    /// Puts `key` in, due now.
    pub(crate) fn add(&self, key: ObjectKey) {
        self.add_at(key, Instant::now());
    }

    /// Puts `key` in, due at `at`, or earlier if it is due earlier already. While a worker has it, it comes
    /// again afterwards.
    pub(crate) fn add_at(&self, key: ObjectKey, at: Instant) {
        let mut inner = self.inner.lock();
        if let Some(again) = inner.running.get_mut(&key) {
            *again = Some(again.map_or(at, |other| other.min(at)));
            return;
        }
        inner.schedule(key, at);
        drop(inner);
        self.earlier.notify_one();
    }

    /// The next object, once it is due, and since when it was.
    pub(crate) async fn next(&self) -> (ObjectKey, Instant) {
        loop {
            let first = match self.inner.lock().take_due(Instant::now()) {
                Ok(found) => return found,
                Err(first) => first,
            };
            tokio::select! {
                () = self.earlier.notified() => {}
                () = async { match first { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {}
            }
        }
    }

    /// The worker is done with `key`, which is due again at `next`, if ever.
    pub(crate) fn done(&self, key: &ObjectKey, next: Option<Instant>) {
        let mut inner = self.inner.lock();
        let again = inner.running.remove(key).flatten();
        let next = [again, next].into_iter().flatten().min();
        if let Some(at) = next {
            inner.schedule(key.clone(), at);
            drop(inner);
            self.earlier.notify_one();
        }
    }

    /// Forgets everything that is not with a worker.
    pub(crate) fn clear(&self) {
        let mut inner = self.inner.lock();
        inner.due.clear();
        inner.waiting.clear();
        inner.running.values_mut().for_each(|again| *again = None);
    }

    /// How many objects are waiting.
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().waiting.len()
    }
}

impl Inner {
    fn schedule(&mut self, key: ObjectKey, at: Instant) {
        match self.waiting.get(&key) {
            Some((earlier, _)) if *earlier <= at => return,
            Some((later, count)) => {
                self.due.remove(&(*later, *count, key.clone()));
            }
            None => {}
        }
        self.count += 1;
        self.waiting.insert(key.clone(), (at, self.count));
        self.due.insert((at, self.count, key));
    }

    /// The first object if it is due; else when it will be.
    fn take_due(&mut self, now: Instant) -> Result<(ObjectKey, Instant), Option<Instant>> {
        match self.due.first() {
            Some((at, _, _)) if *at <= now => {}
            first => return Err(first.map(|(at, _, _)| *at)),
        }
        let Some((at, _, key)) = self.due.pop_first() else { return Err(None) };
        self.waiting.remove(&key);
        self.running.insert(key.clone(), None);
        Ok((key, at))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("Toy", "default", name)
    }

    async fn next(queue: &Queue) -> String {
        queue.next().await.0.name
    }

    #[tokio::test(start_paused = true)]
    async fn many_wake_ups_are_one_pass() {
        let queue = Queue::default();
        for _ in 0..100 {
            queue.add(key("a"));
        }
        assert_eq!(next(&queue).await, "a");
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_time_wins_and_a_later_one_is_ignored() {
        let queue = Queue::default();
        let began = Instant::now();
        queue.add_at(key("a"), began + Duration::from_secs(60));
        queue.add_at(key("a"), began + Duration::from_secs(5));
        queue.add_at(key("a"), began + Duration::from_secs(90));
        assert_eq!(next(&queue).await, "a");
        assert_eq!(began.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_never_with_two_workers() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.add(key("b"));
        assert_eq!(next(&queue).await, "a");
        queue.add(key("a"));
        assert_eq!(next(&queue).await, "b");
        let waits = tokio::time::timeout(Duration::from_secs(600), queue.next()).await;
        assert!(waits.is_err(), "a is still with its worker");
        queue.done(&key("a"), None);
        assert_eq!(next(&queue).await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_up_during_a_pass_beats_its_requeue() {
        let queue = Queue::default();
        queue.add(key("a"));
        let began = Instant::now();
        assert_eq!(next(&queue).await, "a");
        queue.add(key("a"));
        queue.done(&key("a"), Some(began + Duration::from_secs(600)));
        assert_eq!(next(&queue).await, "a");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
