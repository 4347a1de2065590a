//! The API server as the engine uses it: few verbs, any resource, JSON in and out.

use std::collections::BTreeMap;

use concierge_shared::kind::Kind;
use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::core::ApiResource;
use serde_json::Value;

use self::objects::ObjectKey;

pub mod kubernetes;
pub(crate) mod lists;
pub mod objects;

/// The field manager of everything the engine applies.
pub const FIELD_MANAGER: &str = "concierge";

/// An error of the API server, by what is certain about the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Nothing was written: the object is not as the precondition says.
    #[error("the object has changed meanwhile")]
    Conflict,
    /// Nothing was written: the object exists already.
    #[error("the object exists already")]
    Exists,
    /// Nothing was written: there is no such object.
    #[error("the object does not exist")]
    NotFound,
    /// Nothing was read or written: RBAC forbids it. An administrator may allow it at any time.
    #[error("the API server forbids it: {0}")]
    Forbidden(String),
    /// Nothing was written, nor will be: invalid.
    #[error("the API server refused: {0}")]
    Refused(String),
    /// Nobody knows whether it was written: the answer was a time-out, a reset or a 5xx.
    #[error("the API server did not answer as expected: {0}")]
    Unknown(String),
}

impl ClusterError {
    /// Whether the same write will fail again until a person changes something.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self, ClusterError::Forbidden(_) | ClusterError::Refused(_))
    }
}

/// An answer that is on its way.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, ClusterError>>;

/// One object of any resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub resource: ApiResource,
    /// The object's namespace; empty for a cluster-scoped object.
    pub namespace: String,
    pub name: String,
}

/// The resource of a kind.
pub fn resource_of<K: Kind>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// An event of an object, for people to read in `kubectl describe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEvent {
    /// The object it is about.
    pub key: ObjectKey,
    pub resource: ApiResource,
    pub uid: String,
    /// Whether somebody should look into it.
    pub warning: bool,
    /// Why: a word from the closed list [`concierge_shared::status::ConditionReason`].
    pub reason: String,
    /// What happened, in a sentence.
    pub message: String,
}

/// A change of metadata, as a merge patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataPatch {
    /// The version that is to be changed, and no other.
    pub resource_version: String,
    /// All finalizers, if they are to change.
    pub finalizers: Option<Vec<String>>,
    pub set_annotations: BTreeMap<String, String>,
    pub remove_annotations: Vec<String>,
}

impl MetadataPatch {
    /// True when it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.finalizers.is_none() && self.set_annotations.is_empty() && self.remove_annotations.is_empty()
    }

    /// The patch as JSON.
    pub fn to_json(&self) -> Value {
        let mut metadata = serde_json::Map::new();
        metadata.insert("resourceVersion".into(), self.resource_version.clone().into());
        if let Some(finalizers) = &self.finalizers {
            metadata.insert("finalizers".into(), finalizers.clone().into());
        }
        let set = self.set_annotations.iter().map(|(key, value)| (key, Value::from(value.as_str())));
        let removed = self.remove_annotations.iter().map(|key| (key, Value::Null));
        let annotations: BTreeMap<_, _> = set.chain(removed).collect();
        if !annotations.is_empty() {
            metadata.insert("annotations".into(), serde_json::json!(annotations));
        }
        serde_json::json!({ "metadata": metadata })
    }
}

/// The API server. No implementation repeats a request by itself, and each gives up in bounded time.
pub trait Cluster: Send + Sync + 'static {
    /// The clock of the API server, which sets creation times; `here` when that is not known.
    fn time(&self, here: Timestamp) -> Timestamp {
        here
    }

    /// The object as it is now, from a quorum; `None` when there is none. One that is nested too deep lacks its spec.
    fn get<'a>(&'a self, target: &'a Target) -> Answer<'a, Option<Value>>;

    /// The namespaces that are watched, each of which may be forbidden by itself; one empty name for all.
    fn namespaces(&self) -> Vec<String>;

    /// Shows `visit` each object of a resource as it is now, in `namespace`, or in all namespaces that are watched when it is
    /// empty. They are read page by page: no more than one page is in memory, beside what `visit` keeps. One that is nested too
    /// deep lacks its spec.
    fn for_each<'a>(
        &'a self,
        resource: &'a ApiResource,
        namespace: &'a str,
        visit: &'a mut (dyn FnMut(Value) + Send),
    ) -> Answer<'a, ()>;

    /// Stores a new object.
    fn create<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value>;

    /// Replaces an object; `metadata.resourceVersion` in `object` is the precondition.
    fn replace<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value>;

    /// Applies `object` under [`FIELD_MANAGER`], whatever others applied; creates it if need be.
    fn apply<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value>;

    /// Applies `status` under [`FIELD_MANAGER`] to the version `resource_version` and no other.
    fn apply_status<'a>(
        &'a self,
        target: &'a Target,
        resource_version: &'a str,
        status: &'a Value,
    ) -> Answer<'a, Value>;

    fn patch_metadata<'a>(&'a self, target: &'a Target, patch: &'a MetadataPatch) -> Answer<'a, Value>;

    /// Deletes an object if it still has this uid and version.
    fn delete<'a>(&'a self, target: &'a Target, uid: &'a str, resource_version: &'a str) -> Answer<'a, ()>;

    /// Shows `visit` each object of a resource with these labels in a namespace, or in any when it is empty, page by page.
    fn list_labelled<'a>(
        &'a self,
        resource: &'a ApiResource,
        namespace: &'a str,
        selector: &'a str,
        visit: &'a mut (dyn FnMut(Value) + Send),
    ) -> Answer<'a, ()>;

    /// Applies `object` under [`FIELD_MANAGER`]; creates it if need be. Without `force`, it is a conflict when others have set a field of
    /// it otherwise.
    fn apply_child<'a>(&'a self, target: &'a Target, object: &'a Value, force: bool) -> Answer<'a, Value>;

    /// Deletes an object if it still has this uid, whatever else has changed, and what depends on it afterwards; a Job goes after its pods.
    fn delete_by_uid<'a>(&'a self, target: &'a Target, uid: &'a str) -> Answer<'a, ()>;

    /// Emits an event. What fails here is logged by the caller and otherwise of no consequence.
    fn emit_event<'a>(&'a self, event: &'a ObjectEvent) -> Answer<'a, ()>;
}
