//! The open connections, which are bounded: a new one takes the place of the one that has been idle for longest, so that a client with
//! many open connections keeps nobody out.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Instant,
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

pub(crate) struct Open {
    most: usize,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    entered: u64,
    places: HashMap<u64, State>,
}

struct State {
    busy: bool,
    since: Instant,
    evicted: CancellationToken,
}

/// The place of one connection, which it leaves when it is dropped.
pub(crate) struct Place {
    number: u64,
    table: Weak<Mutex<Table>>,
    evicted: CancellationToken,
}

/// While it is there, a request of the connection is under way.
pub(crate) struct Busy {
    number: u64,
    table: Weak<Mutex<Table>>,
}

impl Open {
    pub(crate) fn up_to(most: usize) -> Self {
        Self { most, table: Arc::default() }
    }

    /// A place for a connection; when there is none, another's: one that idles before one that is busy, and the one
    /// that has been at it for longest.
    pub(crate) fn enter(&self) -> Place {
        let mut table = self.table.lock();
        if table.places.len() >= self.most {
            let longest = table.places.iter().min_by_key(|(_, state)| (state.busy, state.since));
            let longest = longest.map(|(number, _)| *number);
            if let Some(state) = longest.and_then(|number| table.places.remove(&number)) {
                state.evicted.cancel();
            }
        }
        table.entered += 1;
        let (number, evicted) = (table.entered, CancellationToken::new());
        let state = State { busy: false, since: Instant::now(), evicted: evicted.clone() };
        table.places.insert(number, state);
        Place { number, table: Arc::downgrade(&self.table), evicted }
    }
}

impl Place {
    /// Waits until the place is another's.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Says that a request is under way.
    pub(crate) fn busy(&self) -> Busy {
        set(&self.table, self.number, true);
        Busy { number: self.number, table: self.table.clone() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            table.lock().places.remove(&self.number);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        set(&self.table, self.number, false);
    }
}

fn set(table: &Weak<Mutex<Table>>, number: u64, busy: bool) {
    if let Some(table) = table.upgrade()
        && let Some(state) = table.lock().places.get_mut(&number)
    {
        (state.busy, state.since) = (busy, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_takes_the_place_of_the_one_that_idles_for_longest() {
        let open = Open::up_to(3);
        let [first, second, third] = std::array::from_fn(|_| open.enter());
        let busy = first.busy();
        let fourth = open.enter();
        assert_eq!([&first, &second, &third].map(|place| place.evicted.is_cancelled()), [false, true, false]);
        drop(busy);
        let _more = (open.enter(), open.enter(), open.enter());
        assert!(
            first.evicted.is_cancelled() && third.evicted.is_cancelled() && fourth.evicted.is_cancelled()
        );
        assert_eq!(open.table.lock().places.len(), 3);
    }

    #[test]
    fn when_all_are_busy_the_one_that_takes_longest_goes() {
        let open = Open::up_to(2);
        let (slow, quick) = (open.enter(), open.enter());
        let _busy = (slow.busy(), quick.busy());
        let _third = open.enter();
        assert!(slow.evicted.is_cancelled() && !quick.evicted.is_cancelled());
    }

    #[test]
    fn who_leaves_makes_room() {
        let open = Open::up_to(1);
        for _ in 0..10 {
            assert!(!open.enter().evicted.is_cancelled());
        }
        assert!(open.table.lock().places.is_empty());
    }
}
