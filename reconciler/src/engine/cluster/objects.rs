//! The objects as the engine sees them: their names, a cache that may be behind, what this process wrote and the cache may not
//! show yet, and what is read out of an object whose type is not known.

use std::{collections::HashMap, fmt, sync::Arc};

use concierge_runtime::cache::{Cache, Change};
use concierge_shared::{
    admission::{claim::Claim, lookup::Lookup},
    index::{Facts, Stored},
    kind::{Kind, Visitor, visit_kinds},
    status::intent::Intent,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ApiResource;
use parking_lot::Mutex;
use serde_json::Value;
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

/// Reads objects of one kind.
pub(crate) trait ObjectReader: Send + Sync {
    fn resource(&self) -> ApiResource;
    fn wake_digest(&self, object: &Stored) -> WakeDigest;
    /// Whether anybody has written a status.
    fn has_status(&self, object: &Stored) -> bool;
    fn is_ready(&self, object: &Stored) -> Option<bool>;
    /// Whether objects of this kind need Secrets at all.
    fn needs_secrets(&self) -> bool;
    fn secrets(&self, object: &Stored) -> Vec<(String, String)>;
    fn claims(&self, object: &Stored) -> Vec<Claim>;
    fn intent(&self, object: &Stored) -> Option<Intent>;
    /// Whether objects of this kind can have intents.
    fn has_intents(&self) -> bool;
    /// The object in this JSON; `None` when it is not of the kind's form.
    fn read(&self, object: Value) -> Option<Stored>;
}

/// Digests of what of an object matters to whom: who has to be woken follows from which one has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WakeDigest {
    /// To the object's own reconciliation: everything but the status, which only we write.
    pub(crate) own: u64,
    /// To those that refer to it: its spec, labels and annotations, whether it is ready, and what it exports.
    pub(crate) outward: u64,
}

/// The newest version of each object that a write of ours returned.
#[derive(Default)]
pub(crate) struct OwnWrites(Mutex<HashMap<ObjectKey, Stored>>);

impl OwnWrites {
    /// Remembers what a write returned.
    pub(crate) fn wrote<K: Kind>(&self, object: Arc<K>) {
        let key = ObjectKey::of(object.as_ref());
        self.0.lock().insert(key, Stored::new(K::NAME, object, Facts::default()));
    }

    /// The newer of `cached` and what was written.
    pub(crate) fn newer(&self, key: &ObjectKey, cached: Stored) -> Stored {
        match self.0.lock().get(key) {
            Some(written) if is_older(cached.meta(), written.meta()) => written.clone(),
            Some(_) | None => cached,
        }
    }

    /// True when `cached` is what a write of ours returned: there is nothing new in it.
    pub(crate) fn is_ours(&self, key: &ObjectKey, cached: &Stored) -> bool {
        let all = self.0.lock();
        let version = |object: &Stored| (object.meta().uid.clone(), object.meta().resource_version.clone());
        all.get(key).is_some_and(|written| version(written) == version(cached))
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

/// True when `one` is an older version of the same object as `other`.
fn is_older(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    let version =
        |meta: &ObjectMeta| meta.resource_version.as_deref().and_then(|text| text.parse::<u128>().ok());
    match (version(one), version(other)) {
        (Some(a), Some(b)) => one.uid == other.uid && a < b,
        // Versions that are no numbers can't be compared; every write has a precondition, so the cache will do.
        _ => false,
    }
}
