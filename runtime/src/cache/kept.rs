//! What of an object is kept in memory.

use concierge_shared::{
    admission::object::LAST_APPLIED_ANNOTATION,
    kind::{Kind, reads_label},
    status::Conditions,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Begins the annotations that mean something to us.
const OURS: &str = "concierge.dev/";

/// What a program reads of the objects that it caches. Managed fields and kubectl's copy of the object nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything else.
    Objects,
    /// What rules read: no conditions, no finalizers, no owners but those of the kind's own group, no labels and annotations but those
    /// that mean something.
    ForRules,
}

impl Keep {
    /// Takes the rest out of `object`.
    pub(super) fn trim<K: Kind>(self, object: &mut K) {
        object.abridge();
        let meta = object.meta_mut();
        meta.managed_fields = None;
        match self {
            Keep::Objects => retain(&mut meta.annotations, |key| key != LAST_APPLIED_ANNOTATION),
            Keep::ForRules => {
                trim_meta(meta, K::READ_LABELS, &K::group(&()));
                if let Some(status) = object.status_mut() {
                    *status.conditions_mut() = Vec::new();
                }
            }
        }
    }
}

fn trim_meta(meta: &mut ObjectMeta, labels: &[&str], group: &str) {
    retain(&mut meta.annotations, |key| key.starts_with(OURS));
    retain(&mut meta.labels, |key| reads_label(labels, key));
    meta.finalizers = None;
    // What was made for an object is told from what only has its name.
    if let Some(owners) = &mut meta.owner_references {
        owners.retain(|owner| owner.api_version.split('/').next() == Some(group));
    }
    meta.owner_references = meta.owner_references.take().filter(|owners| !owners.is_empty());
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

#[cfg(test)]
mod tests {
    use concierge_shared::s3::User;
    use serde_json::{Value, json};

    use super::*;

    fn owners_kept(owners: Value) -> Vec<String> {
        let user = json!({
            "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "User",
            "metadata": { "name": "web-user", "ownerReferences": owners },
            "spec": { "name": "web", "providerRef": { "name": "p" } },
        });
        let mut user: User = serde_json::from_value(user).unwrap();
        Keep::ForRules.trim(&mut user);
        let kept = user.metadata.owner_references;
        assert_ne!(kept, Some(Vec::new()));
        kept.unwrap_or_default().into_iter().map(|owner| owner.name).collect()
    }

    #[test]
    fn rules_can_tell_what_was_made_for_an_object_of_the_same_group() {
        let bucket =
            json!({ "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "Bucket", "name": "web", "uid": "1" });
        let release =
            json!({ "apiVersion": "helm.example/v1", "kind": "Release", "name": "shop", "uid": "2" });
        assert_eq!(owners_kept(json!([release, bucket])), ["web"]);
        assert!(owners_kept(json!([release])).is_empty());
    }
}
