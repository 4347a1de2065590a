//! What is kept of a child, out of the whole object.

use std::hash::{DefaultHasher, Hash, Hasher};

use concierge_shared::child::{Child, OWNER_ANNOTATION, OWNER_UID_LABEL};
use serde_json::Value;

use super::{ChildKey, ChildSeen, health::health_of};

/// The resources of which the status says how the child is. That of others tells no owner anything: a ResourceQuota's changes with
/// every pod.
const TELLING_STATUS: [&str; 6] =
    ["Namespace", "Deployment", "StatefulSet", "Job", "Pod", "PersistentVolumeClaim"];

/// The longest `Kind namespace/name`. Whoever may label anything can write more, and all of it would be kept.
const LONGEST_OWNER: usize = 512;

/// The name of `object`, and what is kept of it; `None` when it bears no mark of ours.
pub fn project(resource: Child, object: &Value) -> Option<(ChildKey, ChildSeen)> {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let owner_uid = metadata["labels"][OWNER_UID_LABEL].as_str()?.to_owned();
    let key = ChildKey { resource, namespace: text(&metadata["namespace"]), name: text(&metadata["name"]) };
    let owner = text(&metadata["annotations"][OWNER_ANNOTATION]);
    let seen = ChildSeen {
        uid: text(&metadata["uid"]),
        owner_uid,
        owner: if owner.len() > LONGEST_OWNER { String::new() } else { owner },
        digest: digest(resource, object),
        health: health_of(resource.kind, object),
        terminating: !metadata["deletionTimestamp"].is_null(),
    };
    Some((key, seen))
}

/// Of everything but what changes without anything having changed, and what lists leave out.
fn digest(resource: Child, object: &Value) -> u64 {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
        if !TELLING_STATUS.contains(&resource.kind) {
            fields.remove("status");
        }
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    let mut hasher = DefaultHasher::new();
    object.to_string().hash(&mut hasher);
    hasher.finish()
}
