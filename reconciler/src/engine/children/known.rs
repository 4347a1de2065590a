//! What this process knows of children without a request: what their watches show, and which of them it found to be as they are wanted.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use concierge_runtime::cache::{ChildChange, ChildKey, ChildSeen, Children, project};
use concierge_shared::{admission::lookup::Found, child::Child, kind::Kind};
use k8s_openapi::api::core::v1::Namespace;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::broadcast, time::Instant};

use super::{diff::differences, wanted::Wanted};
use crate::engine::{cluster::objects::ObjectKey, retry::Failure, shared::Shared};

/// How many corrections of a child within [`HOUR`] are made at once.
const AT_ONCE: u32 = 3;
const HOUR: Duration = Duration::from_secs(3600);
/// How long the corrections after these wait: at first, and at most.
const WAITS: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(600)];

/// A cache of children, and what changes in it.
pub trait ChildCache: Send + Sync + 'static {
    /// Whether the watch of a resource is up to date, apart from a short delay.
    fn believes(&self, resource: Child) -> bool;

    /// The child of this name, if it bears a mark of ours.
    fn find(&self, key: &ChildKey) -> Option<ChildSeen>;

    /// The children of the object with this uid.
    fn children_of(&self, owner_uid: &str) -> Vec<(ChildKey, ChildSeen)>;

    /// The changes from now on. A receiver that lags behind has to look at every owner again.
    fn child_changes(&self) -> broadcast::Receiver<ChildChange>;
}

impl ChildCache for Children {
    fn believes(&self, resource: Child) -> bool {
        self.believes(resource)
    }

    fn find(&self, key: &ChildKey) -> Option<ChildSeen> {
        self.get(key)
    }

    fn children_of(&self, owner_uid: &str) -> Vec<(ChildKey, ChildSeen)> {
        self.of(owner_uid)
    }

    fn child_changes(&self) -> broadcast::Receiver<ChildChange> {
        self.changes()
    }
}

/// The children that this process found to be as they are wanted, and how often it corrected others.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// A child that had all that was wanted: the digests of what was wanted, and of the child.
    verified: Mutex<HashMap<ChildKey, (String, u64)>>,
    /// By uid, how often a child was set back lately, and when last.
    corrections: Mutex<HashMap<String, (u32, Instant)>>,
}

impl Remembered {
    /// Notes the child `object` as it was read, or was when it had been applied, if it has all that is wanted.
    pub(super) fn note_applied(&self, wanted: &Wanted, object: &Value) {
        let Some((key, seen)) = project(wanted.key.resource, object) else { return };
        let has_all =
            differences(key.resource, &wanted.object, object).is_empty() && wanted.was_applied(object);
        if has_all {
            self.verified.lock().insert(key, (wanted.digest.clone(), seen.digest));
        }
    }

    pub(super) fn is_verified(&self, key: &ChildKey, wanted: &str, seen: u64) -> bool {
        self.verified.lock().get(key).is_some_and(|(of, at)| of == wanted && *at == seen)
    }

    /// True when the change is the effect of our own write.
    pub(crate) fn is_known(&self, change: &ChildChange) -> bool {
        let mut verified = self.verified.lock();
        let known = verified.get(&change.key).is_some_and(|(_, seen)| Some(*seen) == change.digest);
        if !known {
            verified.remove(&change.key);
        }
        known
    }

    /// Forgets everything at the end of a term.
    pub(crate) fn clear(&self) {
        self.verified.lock().clear();
        self.corrections.lock().clear();
    }

    /// Counts a correction of the child with this uid.
    pub(super) fn count_correction(&self, uid: &str) {
        let mut all = self.corrections.lock();
        all.retain(|_, (_, last)| last.elapsed() < HOUR);
        let (count, last) = all.entry(uid.to_owned()).or_insert((0, Instant::now()));
        (*count, *last) = (count.saturating_add(1), Instant::now());
    }

    /// Allows a correction of the child with this uid, or returns how long it has to wait because somebody undoes each one.
    pub(super) fn may_correct(&self, key: &ChildKey, uid: &str, told: &str) -> Result<(), Failure> {
        let all = self.corrections.lock();
        let Some((count, last)) = all.get(uid).filter(|(count, _)| *count >= AT_ONCE) else { return Ok(()) };
        let wait = WAITS[0].saturating_mul(1 << (count - AT_ONCE).min(8)).min(WAITS[1]);
        let left = wait.saturating_sub(last.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        let message = format!("{key} is changed again and again ({told}); stop whoever changes it");
        Err(Failure::Throttled { message, retry_after: Some(left) })
    }
}

/// Those of `found` that can be children of `owner`. Its mark alone proves nothing: whoever may label anything can write it, and would
/// keep the owner from going.
pub(super) fn in_place<K: Kind>(
    owner: &K,
    mut found: Vec<(ChildKey, ChildSeen)>,
) -> Vec<(ChildKey, ChildSeen)> {
    let (named, name) = (owner.child_namespaces(), ObjectKey::of(owner).to_string());
    let is_ours = |key: &ChildKey, seen: &ChildSeen| match named.is_empty() {
        true => seen.owner == name,
        false => named.contains(&key.name),
    };
    found.retain(|(key, seen)| !key.namespace.is_empty() || is_ours(key, seen));
    let own = owner.meta().namespace.clone().filter(|_| named.is_empty());
    let namespaces =
        found.iter().filter(|(key, _)| key.namespace.is_empty()).map(|(key, _)| key.name.clone());
    let namespaces: HashSet<_> = namespaces.chain(own).collect();
    found.retain(|(key, _)| key.namespace.is_empty() || namespaces.contains(&key.namespace));
    found
}

/// Whether objects of this kind own Namespaces.
pub(crate) fn owns_namespaces<K: Kind>() -> bool {
    K::CHILDREN.contains(&Child::of::<Namespace>())
}

/// Whether a child of this name can be [in place](in_place) where it names `owner`. An owner that names no Namespaces may have it in any:
/// what is in a Namespace may be told of before the Namespace itself.
pub(crate) fn can_be_of<K: Kind>(owner: &K, key: &ChildKey) -> bool {
    let named = owner.child_namespaces();
    match (key.namespace.is_empty(), named.is_empty()) {
        (true, false) => named.contains(&key.name),
        (false, false) => named.contains(&key.namespace),
        (_, true) => owns_namespaces::<K>() || owner.meta().namespace.as_ref() == Some(&key.namespace),
    }
}

/// The owner that a child names (`Environment shop-main/pr-7`), where it can be a child of that one. `None` when its kind is not reconciled
/// here.
pub(crate) fn owner_of(shared: &Shared, change: &ChildChange) -> Option<ObjectKey> {
    let (kind, name) = change.owner.split_once(' ')?;
    let (namespace, name) = name.split_once('/')?;
    let (kind, reader) = shared.kinds.get_key_value(kind)?;
    let can_be = match shared.objects.find(kind, namespace, name) {
        Found::Present(owner) => reader.can_have_child(&owner, &change.key),
        Found::Absent => false,
        Found::Unknown => true,
    };
    can_be.then(|| ObjectKey::new(kind, namespace, name))
}
