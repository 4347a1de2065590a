//! Which object.

use std::fmt;

use concierge_runtime::cache::Change;
use concierge_shared::{index::Stored, kind::Kind};

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
