//! A child as its owner wants it.

use concierge_runtime::cache::{ApiResourceOf, ChildKey};
use concierge_shared::{
    child::{APPLIED_ANNOTATION, Child, OWNER_ANNOTATION, OWNER_UID_LABEL},
    common::words::hex,
    kind::Kind,
};
use k8s_openapi::{Metadata, Resource, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::engine::{
    cluster::{Target, objects::ObjectKey},
    retry::Failure,
};

/// The label by which what we make is found.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "concierge");

/// A child as its owner wants it. Fields that are not in it are left to others.
#[derive(Clone, PartialEq)]
pub struct Wanted {
    pub(super) key: ChildKey,
    /// With the owner's mark, as it is applied.
    pub(super) object: Value,
    /// A digest of the rest of it.
    pub(super) digest: String,
}

impl Wanted {
    /// `object`, which from then on belongs to `owner`. Its status is nobody's wish.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for a resource that is not among the kind's [children](Kind::CHILDREN), an object without a name, and an owner
    /// that is not stored.
    pub fn new<K, T>(owner: &K, object: &T) -> Result<Self, Failure>
    where
        K: Kind,
        T: Resource + Metadata<Ty = ObjectMeta> + Serialize,
    {
        let resource = Child::of::<T>();
        if !K::CHILDREN.contains(&resource) {
            return Err(Failure::Invalid(format!("{} declares no {resource} as a child", K::NAME)));
        }
        let metadata = object.metadata();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let key = ChildKey { resource, namespace: text(&metadata.namespace), name: text(&metadata.name) };
        if key.name.is_empty() {
            return Err(Failure::Invalid(format!("a {resource} that is to be made has no name")));
        }
        let object = serde_json::to_value(object).map_err(|error| Failure::Invalid(error.to_string()))?;
        Self::marked(key, object, &mark(owner)?)
    }

    fn marked(key: ChildKey, mut object: Value, (uid, owner): &(String, String)) -> Result<Self, Failure> {
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        let metadata = &mut object["metadata"];
        metadata["labels"][OWNER_UID_LABEL] = uid.as_str().into();
        metadata["labels"][MANAGED_BY.0] = MANAGED_BY.1.into();
        metadata["annotations"][OWNER_ANNOTATION] = owner.as_str().into();
        let digest = hex(&Sha256::digest(object.to_string())[..8]);
        object["metadata"]["annotations"][APPLIED_ANNOTATION] = digest.as_str().into();
        Ok(Self { key, object, digest })
    }

    pub fn key(&self) -> &ChildKey {
        &self.key
    }

    /// True when this, and nothing else, was what was applied last to `object`.
    pub(super) fn was_applied(&self, object: &Value) -> bool {
        object["metadata"]["annotations"][APPLIED_ANNOTATION].as_str() == Some(&self.digest)
    }

    pub(super) fn target(&self) -> Target {
        target_of(&self.key)
    }
}

/// Never what is in it: it may be a Secret.
impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wanted({}, {})", self.key, self.digest)
    }
}

pub(super) fn target_of(key: &ChildKey) -> Target {
    Target { resource: key.resource.api_resource(), namespace: key.namespace.clone(), name: key.name.clone() }
}

/// What the children of `owner` bear: its uid, and its name.
pub(super) fn mark<K: Kind>(owner: &K) -> Result<(String, String), Failure> {
    let uid = owner.meta().uid.clone().filter(|uid| !uid.is_empty());
    let uid = uid.ok_or_else(|| Failure::Invalid("the object has no uid".into()))?;
    Ok((uid, ObjectKey::of(owner).to_string()))
}

/// True when `object` bears the mark of the object with this uid.
pub(super) fn bears_mark(object: &Value, uid: &str) -> bool {
    object["metadata"]["labels"][OWNER_UID_LABEL].as_str() == Some(uid)
}
