//! What of an object is kept in memory.

use std::sync::Arc;

use concierge_shared::{
    admission::object::LAST_APPLIED_ANNOTATION,
    index::Stored,
    kind::{Kind, reads_label, store},
    status::{Condition, ConditionReason, Conditions},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Begins the annotations that mean something to us.
const OURS: &str = "concierge.dev/";

/// What a program reads of the objects that it caches. Managed fields and kubectl's copy of the object nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything else.
    Objects,
    /// What rules read: no conditions but those with a reason that rules read, no finalizers, no owners but those of the kind's own group, no labels and annotations but those
    /// that mean something.
    ForRules,
}

impl Keep {
    /// What is kept of `object`, as an index stores it.
    pub fn store<K: Kind>(self, mut object: K) -> Stored {
        self.trim(&mut object);
        store(Arc::new(object))
    }

    /// Takes the rest out of `object`.
    fn trim<K: Kind>(self, object: &mut K) {
        object.abridge();
        let meta = object.meta_mut();
        meta.managed_fields = None;
        match self {
            Keep::Objects => retain(&mut meta.annotations, |key| key != LAST_APPLIED_ANNOTATION),
            Keep::ForRules => {
                trim_meta(meta, K::READ_LABELS, &K::group(&()));
                if let Some(status) = object.status_mut() {
                    trim_conditions(status.conditions_mut(), K::READ_REASONS);
                }
            }
        }
    }
}

fn trim_conditions(conditions: &mut Vec<Condition>, reasons: &[ConditionReason]) {
    conditions.retain(|one| reasons.iter().any(|reason| reason.as_str() == one.reason));
    conditions.shrink_to_fit();
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
    use concierge_shared::s3::{Bucket, User};
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
    fn rules_can_tell_whose_a_bucket_is() {
        let condition = |kind: &str, reason: &str| {
            json!({"type": kind, "status": "False", "reason": reason, "message": "",
                   "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        let bucket = json!({
            "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "Bucket", "metadata": { "name": "photos" },
            "spec": { "name": "photos", "providerRef": { "name": "p" } },
            "status": { "conditions": [condition("Synced", "Transient"), condition("Valid", "Conflict")] },
        });
        let mut bucket: Bucket = serde_json::from_value(bucket).unwrap();
        Keep::ForRules.trim(&mut bucket);
        assert!(bucket.is_anothers());
        let mut status = bucket.status.unwrap();
        assert_eq!(status.conditions.len(), 1);
        (status.conditions, status.owned_by_other) = (Vec::new(), Some(true));
        bucket.status = Some(status);
        Keep::ForRules.trim(&mut bucket);
        assert!(bucket.is_anothers());
        let before =
            json!({ "conditions": [condition("Synced", "Transient"), condition("Ready", "OwnedByOther")] });
        bucket.status = serde_json::from_value(before).unwrap();
        Keep::ForRules.trim(&mut bucket);
        assert!(bucket.is_anothers(), "as it was written before there was a field");
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
