//! What this replica knows of claims: of many requests for one value at the same time, one asks the API server, and this answers the
//! others.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use concierge_shared::{admission::claim::Holder, index::Stored};
use parking_lot::Mutex;

/// How long an answer of the API server about a claim is reused. If it were longer, a value would stay refused after the request that
/// reserved it failed.
const PASSED_ON: Duration = Duration::from_secs(1);
/// How many old slots are looked at for each new one. With two, the old ones get fewer.
const LOOKED_AT: usize = 2;

/// What is known of one claim. Locked while somebody finds out.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Known>>>;

pub(super) struct Known {
    pub(super) holder: Holder,
    /// The holder, when it has been seen to exist.
    pub(super) seen: Option<Stored>,
    until: Instant,
}

impl Known {
    /// A value that was reserved for `holder`.
    pub(super) fn reserved(holder: Holder) -> Self {
        Self { holder, seen: None, until: Instant::now() + PASSED_ON }
    }

    /// A value that `object` has.
    pub(super) fn held(object: Stored) -> Self {
        let holder = Holder {
            kind: object.kind().to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            uid: object.meta().uid.clone().unwrap_or_default(),
        };
        Self { seen: Some(object), ..Self::reserved(holder) }
    }

    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }
}

/// A slot for each claim that was asked for lately.
#[derive(Default)]
pub(super) struct Slots(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_name: HashMap<Arc<str>, Slot>,
    /// The names, those that were not looked at for longest in front.
    names: VecDeque<Arc<str>>,
}

impl Slots {
    /// The slot of the claim of this name.
    pub(super) fn of(&self, name: &str) -> Slot {
        let mut table = self.0.lock();
        if let Some(slot) = table.by_name.get(name) {
            return slot.clone();
        }
        table.forget_some();
        let (name, slot) = (Arc::<str>::from(name), Slot::default());
        table.names.push_back(name.clone());
        table.by_name.insert(name, slot.clone());
        slot
    }
}

impl Table {
    fn forget_some(&mut self) {
        for _ in 0..LOOKED_AT.min(self.names.len()) {
            let Some(name) = self.names.pop_front() else { return };
            if self.by_name.get(&name).is_some_and(is_needed) {
                self.names.push_back(name);
            } else {
                self.by_name.remove(&name);
            }
        }
    }
}

fn is_needed(slot: &Slot) -> bool {
    // Others that have it wait for it, or are about to lock it.
    Arc::strong_count(slot) > 1
        || slot.try_lock().map_or(true, |known| known.as_ref().is_some_and(Known::is_fresh))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_that_nobody_needs_go_and_none_of_them_needs_a_scan() {
        let slots = Slots::default();
        let kept = slots.of("kept");
        for number in 0..100_000 {
            drop(slots.of(&number.to_string()));
            assert!(slots.0.lock().by_name.len() <= 4);
        }
        assert!(Arc::ptr_eq(&kept, &slots.of("kept")), "a slot in use stays the same");
        let table = slots.0.lock();
        assert_eq!(table.by_name.len(), table.names.len());
    }

    #[test]
    fn what_is_known_is_kept_while_it_is_fresh() {
        let slots = Slots::default();
        let holder =
            Holder { kind: "Pet".into(), namespace: String::new(), name: "rex".into(), uid: "u".into() };
        *slots.of("fresh").try_lock().unwrap() = Some(Known::reserved(holder.clone()));
        *slots.of("old").try_lock().unwrap() =
            Some(Known { until: Instant::now(), ..Known::reserved(holder) });
        (0..10).for_each(|number| drop(slots.of(&number.to_string())));
        assert!(slots.of("fresh").try_lock().unwrap().is_some());
        assert!(slots.of("old").try_lock().unwrap().is_none());
    }
}
