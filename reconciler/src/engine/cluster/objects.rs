//! The objects as the engine sees them: their names, a cache that may be behind, what this process wrote and the cache may not
//! show yet, and what is read out of an object whose type is not known.

use std::{collections::HashMap, fmt, time::Duration};

use concierge_runtime::cache::{Cache, Change, ChildKey};
use concierge_shared::{
    admission::{
        claim::Claim,
        lookup::{Found, Lookup},
    },
    index::Stored,
    kind::Kind,
    status::intent::Intent,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ApiResource;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::broadcast, time::Instant};

/// An object's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    pub kind: &'static str,
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: String,
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

/// A stored object that is not of its kind's form.
pub use concierge_runtime::cache::Unreadable;

/// A cache of objects, and what changes in it.
pub trait Objects: Lookup + 'static {
    /// The stored objects that are not of their kind's form, and so not among the others; of very many, some.
    fn unreadable(&self) -> Vec<Unreadable>;

    /// The changes from now on. A receiver that lags behind has to list everything again.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// All objects of a kind, in no order.
    fn all(&self, kind: &'static str) -> Vec<Stored>;
}

impl Objects for Cache {
    fn unreadable(&self) -> Vec<Unreadable> {
        self.unreadable()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes()
    }

    fn all(&self, kind: &'static str) -> Vec<Stored> {
        self.all(kind)
    }
}

/// Reads objects of one kind.
pub(crate) trait ObjectReader: Send + Sync {
    fn resource(&self) -> ApiResource;
    fn wake_digest(&self, object: &Stored) -> WakeDigest;
    /// Whether anybody has written a status.
    fn has_status(&self, object: &Stored) -> bool;
    fn is_ready(&self, object: &Stored) -> Option<bool>;
    /// The kind of which objects of this kind select some.
    fn selects(&self) -> Option<&'static str>;
    /// Whether `selector`, of this kind, selects an object with this metadata.
    fn is_selected(&self, selector: &Stored, object: &ObjectMeta) -> bool;
    /// Whether objects of this kind own objects of Kubernetes' own kinds.
    fn has_children(&self) -> bool;
    /// Whether a child of this name can be one of `owner`, which is of this kind.
    fn can_have_child(&self, owner: &Stored, child: &ChildKey) -> bool;
    /// Whether objects of this kind need Secrets at all.
    fn needs_secrets(&self) -> bool;
    fn secrets(&self, object: &Stored) -> Vec<(String, String)>;
    fn claims(&self, object: &Stored) -> Vec<Claim>;
    fn intent(&self, object: &Stored) -> Option<Intent>;
    /// Whether objects of this kind can have intents.
    fn has_intents(&self) -> bool;
    /// The object in this JSON; `None` when it is not of the kind's form.
    fn read(&self, object: &Value) -> Option<Stored>;
}

/// Digests of parts of an object. Which of them has changed decides who is woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WakeDigest {
    /// For the object's own reconciliation: everything but the status, which only we write.
    pub(crate) own: u64,
    /// For those that refer to it: its spec, labels and annotations, whether it is ready, and what it exports.
    pub(crate) outward: u64,
}

/// What the cache may not show yet: what writes of ours returned, and what was read since.
#[derive(Default)]
pub(crate) struct Newer(Mutex<HashMap<ObjectKey, Known>>);

struct Known {
    object: Stored,
    /// Whether we wrote it.
    ours: bool,
    since: Instant,
}

/// How long the cache may take to show our write. After that the object is gone: the answer to the write came after the news of its
/// deletion.
const GONE: Duration = Duration::from_secs(600);

impl Newer {
    /// Remembers what a write of ours returned.
    pub(crate) fn wrote(&self, object: Stored) {
        self.0.lock().insert(ObjectKey::from(&object), Known { object, ours: true, since: Instant::now() });
    }

    /// Remembers what was read from the API server, unless `cached` is as new.
    pub(crate) fn read(&self, object: Stored, cached: Option<&Stored>) {
        if cached.is_some_and(|cached| !is_older(cached.meta(), object.meta())) {
            return;
        }
        let mut all = self.0.lock();
        let key = ObjectKey::from(&object);
        if all.get(&key).is_none_or(|known| is_older(known.object.meta(), object.meta())) {
            all.insert(key, Known { object, ours: false, since: Instant::now() });
        }
    }

    /// The newer of `cached` and what is known.
    pub(crate) fn newer(&self, key: &ObjectKey, cached: Stored) -> Stored {
        match self.0.lock().get(key) {
            Some(known) if is_older(cached.meta(), known.object.meta()) => known.object.clone(),
            Some(_) | None => cached,
        }
    }

    /// Forgets what is no newer than `cached`; true when that is what a write of ours returned, so that there is nothing new in it.
    pub(crate) fn caught_up(&self, key: &ObjectKey, cached: &Stored) -> bool {
        let mut all = self.0.lock();
        if all.get(key).is_none_or(|known| is_older(cached.meta(), known.object.meta())) {
            return false;
        }
        let version = |object: &Stored| (object.meta().uid.clone(), object.meta().resource_version.clone());
        all.remove(key).is_some_and(|known| known.ours && version(&known.object) == version(cached))
    }

    /// Forgets what the cache shows by now: the answer to a write may have come after the news of it.
    pub(crate) fn prune(&self, cached: impl Fn(&ObjectKey) -> Found) {
        let keys: Vec<_> = self.0.lock().keys().cloned().collect();
        // Outside of the lock: reading the cache may take it again.
        for key in keys {
            match cached(&key) {
                Found::Present(cached) => drop(self.caught_up(&key, &cached)),
                Found::Absent => {
                    self.0.lock().retain(|one, known| *one != key || known.since.elapsed() < GONE)
                }
                Found::Unknown => {}
            }
        }
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }

    /// The newer versions of a kind's objects. They are few, because the cache is not far behind.
    pub(crate) fn of_kind(&self, kind: &str) -> HashMap<ObjectKey, Stored> {
        let all = self.0.lock();
        let of_kind = all.iter().filter(|(key, _)| key.kind == kind);
        of_kind.map(|(key, known)| (key.clone(), known.object.clone())).collect()
    }
}

/// The metadata of an object, also of one that is otherwise not of its kind's form.
pub(crate) fn metadata_of(object: &Value) -> ObjectMeta {
    serde_json::from_value(object["metadata"].clone()).unwrap_or_default()
}

/// True when `one` is an older version of the same object as `other`.
pub(crate) fn is_older(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    let version =
        |meta: &ObjectMeta| meta.resource_version.as_deref().and_then(|text| text.parse::<u128>().ok());
    match (version(one), version(other)) {
        (Some(a), Some(b)) => one.uid == other.uid && a < b,
        // Versions that are no numbers can't be compared; every write has a precondition, so the cache will do.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use concierge_shared::{kind::store, pets::Pet};
    use serde_json::json;

    use super::*;

    fn pet(uid: &str, version: u32) -> Stored {
        let pet: Pet = serde_json::from_value(json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet",
            "metadata": { "name": "rex", "namespace": "default", "uid": uid, "resourceVersion": version.to_string() },
            "spec": { "id": 1, "name": "Rex" },
        }))
        .unwrap();
        store(Arc::new(pet))
    }

    fn key() -> ObjectKey {
        ObjectKey::new("Pet", "default", "rex")
    }

    fn versions(newer: &Newer) -> Vec<String> {
        let all = newer.of_kind("Pet").into_values();
        all.filter_map(|object| object.meta().resource_version.clone()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_own_write_is_known_until_the_cache_shows_it() {
        let newer = Newer::default();
        newer.wrote(pet("a", 10));
        newer.prune(|_| Found::Present(pet("a", 9)));
        assert_eq!(newer.newer(&key(), pet("a", 9)).meta().resource_version.as_deref(), Some("10"));
        newer.prune(|_| Found::Unknown);
        assert_eq!(versions(&newer), ["10"], "a cache that is not believed shows nothing");
        newer.prune(|_| Found::Present(pet("a", 10)));
        assert!(versions(&newer).is_empty());
        newer.wrote(pet("a", 11));
        newer.prune(|_| Found::Present(pet("b", 12)));
        assert!(versions(&newer).is_empty(), "another object has its name by now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_was_answered_after_the_news_of_the_objects_end_is_forgotten() {
        let newer = Newer::default();
        newer.wrote(pet("a", 10));
        newer.prune(|_| Found::Absent);
        assert_eq!(versions(&newer), ["10"], "it may be new");
        tokio::time::advance(GONE).await;
        newer.prune(|_| Found::Absent);
        assert!(versions(&newer).is_empty());
    }
}
