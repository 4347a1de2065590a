//! What we wrote ourselves and the cache may not have seen yet.

use std::{collections::HashMap, sync::Arc};

use concierge_shared::{
    index::{Facts, Stored},
    kind::Kind,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use parking_lot::Mutex;

use super::key::ObjectKey;

/// The newest version of each object that a write of ours returned.
#[derive(Default)]
pub(crate) struct Latest(Mutex<HashMap<ObjectKey, Stored>>);

impl Latest {
    /// Remembers what a write returned.
    pub(crate) fn wrote<K: Kind>(&self, object: Arc<K>) {
        let key = ObjectKey::of(object.as_ref());
        self.0.lock().insert(key, Stored::new(K::NAME, object, Facts::default()));
    }

    /// The newer of `cached` and what was written. A newer one in the cache makes the written one forgotten.
    pub(crate) fn newer(&self, key: &ObjectKey, cached: Stored) -> Stored {
        let mut all = self.0.lock();
        match all.get(key) {
            Some(written) if is_older(cached.meta(), written.meta()) => written.clone(),
            Some(_) => {
                all.remove(key);
                cached
            }
            None => cached,
        }
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
