//! Claims that were made here and whose objects are not stored yet, as far as the cache tells: a namespace may have
//! only so many, lest requests that are never stored keep values from everybody.

use std::collections::{HashMap, VecDeque};

use concierge_runtime::{cache::Cache, clock::ServerClock};
use concierge_shared::{
    admission::{
        claim::{ClaimObject, Standing},
        lookup::{Found, Lookup},
    },
    kind::by_name,
};
use jiff::Timestamp;
use parking_lot::Mutex;

/// How many a namespace may have at this replica. An API server has 200 writes under way at once by default.
pub(super) const MOST: usize = 250;
/// How many older claims are looked at for each new one.
const LOOKED_AT: usize = 2;

/// How many namespaces are remembered before those without such claims are forgotten.
const NAMESPACES: usize = 256;

pub(super) struct Pending {
    table: Mutex<Table>,
    clock: ServerClock,
}

#[derive(Default)]
struct Table {
    by_namespace: HashMap<String, VecDeque<ClaimObject>>,
    /// How many namespaces were left when they were last tidied.
    left: usize,
}

impl Pending {
    pub(super) fn new(clock: ServerClock) -> Self {
        Self { table: Mutex::default(), clock }
    }

    /// Whether the namespace may have one more.
    pub(super) fn has_room(&self, namespace: &str, cache: &Cache) -> bool {
        let (mut table, now) = (self.table.lock(), self.clock.now());
        let claims = table.by_namespace.get_mut(namespace).filter(|claims| claims.len() >= MOST);
        claims.is_none_or(|claims| {
            claims.retain(|claim| is_under_way(claim, cache, now));
            claims.len() < MOST
        })
    }

    pub(super) fn add(&self, claim: ClaimObject, cache: &Cache) {
        let (mut table, now) = (self.table.lock(), self.clock.now());
        if table.by_namespace.len() >= NAMESPACES.max(2 * table.left) {
            table.tidy(cache, now);
        }
        let claims = table.by_namespace.entry(claim.spec.holder.namespace.clone()).or_default();
        for _ in 0..LOOKED_AT {
            let Some(oldest) = claims.pop_front() else { break };
            if is_under_way(&oldest, cache, now) {
                claims.push_back(oldest);
            }
        }
        claims.push_back(claim);
    }

    pub(super) fn remove(&self, claim: &ClaimObject) {
        if let Some(claims) = self.table.lock().by_namespace.get_mut(&claim.spec.holder.namespace) {
            claims.retain(|other| other.metadata.uid != claim.metadata.uid);
        }
    }
}

impl Table {
    fn tidy(&mut self, cache: &Cache, now: Timestamp) {
        self.by_namespace.retain(|_, claims| {
            claims.retain(|claim| is_under_way(claim, cache, now));
            !claims.is_empty()
        });
        self.left = self.by_namespace.len();
    }
}

fn is_under_way(claim: &ClaimObject, cache: &Cache, now: Timestamp) -> bool {
    let holder = &claim.spec.holder;
    let kind = by_name(&holder.kind).map_or("", |kind| kind.name);
    let live = match cache.find(kind, &holder.namespace, &holder.name) {
        Found::Present(live) => Some(live),
        Found::Absent | Found::Unknown => None,
    };
    matches!(claim.standing(live, now), Standing::UnderWay) && !cache.recently_deleted(&holder.uid)
}
