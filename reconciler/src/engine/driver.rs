//! A reconciler without its types.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use concierge_shared::{
    admission::claim::Claim,
    index::Stored,
    kind::{Kind, store},
    status::{ConditionType, Conditions, intent::Intent},
};
use futures::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Resource,
    core::{ApiResource, object::HasStatus},
};
use serde_json::Value;

use super::{
    cluster::resource_of,
    hub::Hub,
    key::ObjectKey,
    next::Verdict,
    pass::Pass,
    reconcile::{Reconcile, StatusOf},
    work::Work,
};

/// The reconcilers of an engine.
#[derive(Default)]
pub struct Kinds(pub(crate) HashMap<&'static str, Arc<dyn Driver>>);

impl Kinds {
    /// With the reconciler of one more kind.
    pub fn with<R: Reconcile>(mut self, reconciler: R) -> Self {
        self.0.insert(R::Kind::NAME, Arc::new(Typed(Arc::new(reconciler))));
        self
    }
}

/// A reconciler without its types.
pub(crate) trait Driver: Send + Sync {
    fn resource(&self) -> ApiResource;
    /// Goes over an object once.
    fn pass(&self, hub: Arc<Hub>, key: ObjectKey, id: String, token: String) -> BoxFuture<'static, Verdict>;
    /// What of an object matters to whom.
    fn face(&self, object: &Stored) -> Face;
    fn is_ready(&self, object: &Stored) -> Option<bool>;
    /// The objects to wake when this one changes.
    fn wakes(&self, hub: &Arc<Hub>, object: &Stored) -> Vec<ObjectKey>;
    fn secrets(&self, object: &Stored) -> Vec<(String, String)>;
    fn claims(&self, object: &Stored) -> Vec<Claim>;
    fn intent(&self, object: &Stored) -> Option<Intent>;
    /// Whether objects of this kind can have intents.
    fn has_intents(&self) -> bool;
    /// The object in this JSON; `None` when it is not of the kind's form.
    fn read(&self, object: Value) -> Option<Stored>;
}

/// What of an object matters to whom, as digests that can be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Face {
    /// To the object's own reconciliation: everything but the status, which only we write.
    pub(crate) own: u64,
    /// To those that refer to it: its spec, labels and annotations, whether it is ready, and what it exports.
    pub(crate) outward: u64,
}

struct Typed<R>(Arc<R>);

impl<R: Reconcile> Driver for Typed<R> {
    fn resource(&self) -> ApiResource {
        resource_of::<R::Kind>()
    }

    fn pass(&self, hub: Arc<Hub>, key: ObjectKey, id: String, token: String) -> BoxFuture<'static, Verdict> {
        let pass = Pass::new(hub, key, id);
        Box::pin(Work::run(self.0.clone(), pass, token))
    }

    fn face(&self, object: &Stored) -> Face {
        let meta = object.meta();
        let exports = object.get::<R::Kind>().map(|object| self.0.exports(&object));
        Face {
            own: digest((essence(meta), &meta.finalizers)),
            outward: digest((essence(meta), self.is_ready(object), exports)),
        }
    }

    fn is_ready(&self, object: &Stored) -> Option<bool> {
        let object = object.get::<R::Kind>()?;
        let ready =
            object.status().and_then(|status| status.condition(ConditionType::Ready.as_str()).cloned());
        Some(ready.is_some_and(|ready| {
            ready.status == "True" && ready.observed_generation == object.meta().generation
        }))
    }

    fn wakes(&self, hub: &Arc<Hub>, object: &Stored) -> Vec<ObjectKey> {
        let Some(typed) = object.get::<R::Kind>() else { return Vec::new() };
        let targets = typed.references().into_iter().map(|reference| {
            let namespace = reference.namespace.unwrap_or_else(|| object.namespace().to_owned());
            ObjectKey::new(reference.kind, namespace, reference.name)
        });
        let pass = Pass::new(hub.clone(), ObjectKey::from(object), String::new());
        targets.chain(self.0.wakes(&pass, &typed)).collect()
    }

    fn secrets(&self, object: &Stored) -> Vec<(String, String)> {
        object.get::<R::Kind>().map(|object| self.0.secrets(&object)).unwrap_or_default()
    }

    fn claims(&self, object: &Stored) -> Vec<Claim> {
        object.get::<R::Kind>().map(|object| object.claims()).unwrap_or_default()
    }

    fn intent(&self, object: &Stored) -> Option<Intent> {
        object.get::<R::Kind>()?.status()?.intent().cloned()
    }

    fn has_intents(&self) -> bool {
        StatusOf::<R>::default().intent_mut().is_some()
    }

    fn read(&self, object: Value) -> Option<Stored> {
        Some(store(Arc::new(serde_json::from_value::<R::Kind>(object).ok()?)))
    }
}

fn essence(meta: &ObjectMeta) -> impl Hash {
    let deleting = meta.deletion_timestamp.is_some();
    (meta.uid.clone(), meta.generation, deleting, meta.labels.clone(), meta.annotations.clone())
}

fn digest(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
