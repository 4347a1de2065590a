//! The objects as the engine sees them: a cache that may be behind.

use concierge_runtime::cache::{Cache, Change};
use concierge_shared::{
    admission::lookup::Lookup,
    kind::{Kind, Visitor, visit_kinds},
};
use tokio::sync::broadcast;

use super::key::ObjectKey;

/// A cache of objects, and what changes in it.
pub trait Objects: Lookup + 'static {
    /// The changes from now on. Whoever lags behind looks at everything again.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// The names of all objects of a kind.
    fn names(&self, kind: &'static str) -> Vec<ObjectKey>;

    /// True once everything has been listed.
    fn synced(&self) -> bool;
}

impl Objects for Cache {
    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes()
    }

    fn names(&self, kind: &'static str) -> Vec<ObjectKey> {
        let mut names = Names { cache: self, kind, found: Vec::new() };
        visit_kinds(&mut names);
        names.found
    }

    fn synced(&self) -> bool {
        self.synced()
    }
}

struct Names<'a> {
    cache: &'a Cache,
    kind: &'static str,
    found: Vec<ObjectKey>,
}

impl Visitor for Names<'_> {
    fn visit<K: Kind>(&mut self) {
        if K::NAME == self.kind {
            let objects = self.cache.all::<K>();
            self.found.extend(objects.iter().map(|object| ObjectKey::of(object.as_ref())));
        }
    }
}
