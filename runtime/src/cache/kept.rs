//! What of an object is kept in memory.

use concierge_shared::{admission::object::LAST_APPLIED_ANNOTATION, kind::Kind, status::Conditions};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Begins the annotations that mean something to us.
const OURS: &str = "concierge.dev/";

/// What a program reads of the objects that it caches. Managed fields and kubectl's copy of the object nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything else.
    Objects,
    /// What rules read: no conditions, no finalizers or owners, no labels and annotations but those that mean something.
    ForRules,
}

impl Keep {
    /// Takes the rest out of `object`.
    pub(super) fn trim<K: Kind>(self, object: &mut K) {
        let meta = object.meta_mut();
        meta.managed_fields = None;
        match self {
            Keep::Objects => retain(&mut meta.annotations, |key| key != LAST_APPLIED_ANNOTATION),
            Keep::ForRules => {
                trim_meta(meta, K::READ_LABELS);
                if let Some(status) = object.status_mut() {
                    *status.conditions_mut() = Vec::new();
                }
            }
        }
    }
}

fn trim_meta(meta: &mut ObjectMeta, labels: &[&str]) {
    retain(&mut meta.annotations, |key| key.starts_with(OURS));
    retain(&mut meta.labels, |key| labels.contains(&key));
    meta.finalizers = None;
    meta.owner_references = None;
    meta.generate_name = None;
}

/// An empty map takes as much as a full one.
fn retain(texts: &mut Option<std::collections::BTreeMap<String, String>>, wanted: impl Fn(&str) -> bool) {
    let Some(map) = texts else { return };
    map.retain(|key, _| wanted(key));
    if map.is_empty() {
        *texts = None;
    }
}
