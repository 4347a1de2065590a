//! What this process wrote and the cache may not show yet.

use std::{collections::HashMap, sync::Arc};

use concierge_shared::{
    index::{Facts, Stored},
    kind::Kind,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use parking_lot::Mutex;

use super::objects::ObjectKey;

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
