//! The objects as the engine sees them: their names, and a cache that may be behind.

use std::fmt;

use concierge_runtime::cache::{Cache, Change};
use concierge_shared::{
    admission::lookup::Lookup,
    index::Stored,
    kind::{Kind, Visitor, visit_kinds},
};
use tokio::sync::broadcast;

/// An object's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// The object of this kind, namespace and name.
    pub fn new(kind: &'static str, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The name of `object`.
    pub fn of<K: Kind>(object: &K) -> Self {
        let meta = object.meta();
        Self::new(K::NAME, meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
    }
}

impl From<Change> for ObjectKey {
    fn from(change: Change) -> Self {
        Self { kind: change.kind, namespace: change.namespace, name: change.name }
    }
}

impl From<&Stored> for ObjectKey {
    fn from(object: &Stored) -> Self {
        Self::new(object.kind(), object.namespace(), object.name())
    }
}

/// `Pet default/rex`
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// A cache of objects, and what changes in it.
pub trait Objects: Lookup + 'static {
    /// The changes from now on. A receiver that lags behind has to list everything again.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// The names of all objects of a kind.
    fn names(&self, kind: &'static str) -> Vec<ObjectKey>;
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
