//! What is to be looked at, and when. An object is in it at most once, and with one worker at a time.

use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::engine::cluster::objects::ObjectKey;

/// How many objects of a lane go ahead of one of the slower lanes that is due too.
const AHEAD: u32 = 4;

/// Why an object is looked at. With thousands of objects at one account, a resync of all takes many minutes, and so does their creation in
/// bulk; whoever has just changed something does not wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Somebody has changed it, or deletes it, after it was looked at before.
    Edit,
    /// It is new, something that it depends on has changed, or there is more to do.
    #[default]
    Change,
    /// It is time: a resync, a retry, a new leader.
    Clock,
}

/// An object whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) key: ObjectKey,
    /// Since when it is due.
    pub(crate) since: Instant,
    pub(crate) lane: Lane,
}

/// Chooses between the lanes, so that neither waits for ever.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    edits: u32,
    changes: u32,
}

impl Turns {
    /// The lane whose turn it is, of those that have something.
    pub(crate) fn choose(&mut self, has: impl Fn(Lane) -> bool) -> Option<Lane> {
        let [edit, change, clock] = [Lane::Edit, Lane::Change, Lane::Clock].map(has);
        if goes_ahead(edit, change || clock, &mut self.edits) {
            return Some(Lane::Edit);
        }
        if goes_ahead(change, clock, &mut self.changes) {
            return Some(Lane::Change);
        }
        clock.then_some(Lane::Clock)
    }
}

/// Whether the faster lane has its turn; `count` is how often it had since the slower ones.
fn goes_ahead(faster: bool, slower: bool, count: &mut u32) -> bool {
    let goes = faster && (*count < AHEAD || !slower);
    *count = if goes { count.saturating_add(1) } else { 0 };
    goes
}

/// A queue of objects with the time at which each is due.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    earlier: Notify,
}

/// Objects in the order in which they are due; what is due at one instant, in the order in which it came.
type Order = BTreeSet<(Instant, u64, ObjectKey)>;

#[derive(Debug, Default)]
struct Inner {
    edit: Order,
    change: Order,
    clock: Order,
    waiting: HashMap<ObjectKey, (Lane, Instant, u64)>,
    /// With a worker; and when it is to come again.
    running: HashMap<ObjectKey, Option<(Lane, Instant)>>,
    count: u64,
    turns: Turns,
}

impl Queue {
    /// Puts `key` in, due now, because something has changed.
    pub(crate) fn add(&self, key: ObjectKey) {
        self.add_in(Lane::Change, key);
    }

    /// Puts `key` into `lane`, due now. While a worker has it, it comes again afterwards.
    pub(crate) fn add_in(&self, lane: Lane, key: ObjectKey) {
        self.add_at(lane, key, Instant::now());
    }

    fn add_at(&self, lane: Lane, key: ObjectKey, at: Instant) {
        let mut inner = self.inner.lock();
        if let Some(again) = inner.running.get_mut(&key) {
            *again = Some(again.map_or((lane, at), |other| (other.0.min(lane), other.1.min(at))));
            return;
        }
        inner.schedule(lane, key, at);
        drop(inner);
        self.earlier.notify_one();
    }

    /// The next object, once it is due.
    pub(crate) async fn next(&self) -> Due {
        loop {
            let first = match self.inner.lock().take_due(Instant::now()) {
                Ok(due) => return due,
                Err(first) => first,
            };
            tokio::select! {
                () = self.earlier.notified() => {}
                () = async { match first { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {}
            }
        }
    }

    /// The worker is done with `key`, which is due again at `next`, if ever.
    pub(crate) fn done(&self, key: &ObjectKey, next: Option<(Lane, Instant)>) {
        let mut inner = self.inner.lock();
        let again = inner.running.remove(key).flatten();
        for (lane, at) in again.into_iter().chain(next) {
            inner.schedule(lane, key.clone(), at);
        }
        drop(inner);
        self.earlier.notify_one();
    }

    /// Forgets everything that is not with a worker.
    pub(crate) fn clear(&self) {
        let mut inner = self.inner.lock();
        inner.edit.clear();
        inner.change.clear();
        inner.clock.clear();
        inner.waiting.clear();
        inner.running.values_mut().for_each(|again| *again = None);
    }

    /// How many objects are due and wait for a worker.
    pub(crate) fn due(&self) -> usize {
        let (inner, now) = (self.inner.lock(), Instant::now());
        let due = |order: &Order| order.iter().take_while(|(at, _, _)| *at <= now).count();
        due(&inner.edit) + due(&inner.change) + due(&inner.clock)
    }

    /// True when no object is due and waits for a worker.
    pub(crate) fn is_dry(&self) -> bool {
        let (inner, now) = (self.inner.lock(), Instant::now());
        let is_due = |order: &Order| order.first().is_some_and(|(at, _, _)| *at <= now);
        ![&inner.edit, &inner.change, &inner.clock].into_iter().any(is_due)
    }

    /// True when no object waits, be it due or not.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.inner.lock().waiting.is_empty()
    }
}

impl Inner {
    fn lane(&mut self, lane: Lane) -> &mut Order {
        match lane {
            Lane::Edit => &mut self.edit,
            Lane::Change => &mut self.change,
            Lane::Clock => &mut self.clock,
        }
    }

    /// Puts `key` in, or forward: it never gets later, nor into the slower lane.
    fn schedule(&mut self, lane: Lane, key: ObjectKey, at: Instant) {
        let (mut lane, mut at) = (lane, at);
        if let Some((before, earlier, count)) = self.waiting.get(&key).copied() {
            if before <= lane && earlier <= at {
                return;
            }
            self.lane(before).remove(&(earlier, count, key.clone()));
            (lane, at) = (lane.min(before), at.min(earlier));
        }
        self.count += 1;
        let count = self.count;
        self.waiting.insert(key.clone(), (lane, at, count));
        self.lane(lane).insert((at, count, key));
    }

    /// The object whose turn it is; when none is due, when the first will be.
    fn take_due(&mut self, now: Instant) -> Result<Due, Option<Instant>> {
        let first = |order: &Order| order.first().map(|(at, _, _)| *at);
        let [edit, change, clock] = [&self.edit, &self.change, &self.clock].map(first);
        let is_due = |lane| {
            let at = match lane {
                Lane::Edit => edit,
                Lane::Change => change,
                Lane::Clock => clock,
            };
            at.is_some_and(|at| at <= now)
        };
        let lane = self.turns.choose(is_due);
        let taken = lane.and_then(|lane| Some((lane, self.lane(lane).pop_first()?)));
        let Some((lane, (since, _, key))) = taken else {
            return Err([edit, change, clock].into_iter().flatten().min());
        };
        self.waiting.remove(&key);
        self.running.insert(key.clone(), None);
        Ok(Due { key, since, lane })
    }
}

#[cfg(test)]
mod tests;
