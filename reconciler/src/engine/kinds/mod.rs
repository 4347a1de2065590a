//! The kinds that an engine reconciles, each a reconciler without its types.

pub(crate) mod checks;
pub(crate) mod plan;
pub(crate) mod reconcile;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
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
use serde::Deserialize;
use serde_json::Value;

use self::reconcile::{Reconcile, StatusOf};
use crate::engine::{
    children::{ChildKey, can_be_of},
    cluster::{
        objects::{ObjectKey, ObjectReader, WakeDigest},
        resource_of,
    },
    context::Context,
    run::Run,
    schedule::queue::Lane,
    shared::Shared,
};

/// The reconcilers of an engine.
#[derive(Default)]
pub struct Kinds {
    pub(crate) readers: HashMap<&'static str, Arc<dyn ObjectReader>>,
    pub(crate) runners: HashMap<&'static str, Arc<dyn KindRunner>>,
}

impl Kinds {
    /// With the reconciler of one more kind.
    pub fn with<R: Reconcile>(mut self, reconciler: R) -> Self {
        let typed = Arc::new(Typed(Arc::new(reconciler)));
        self.readers.insert(R::Kind::NAME, typed.clone());
        self.runners.insert(R::Kind::NAME, typed);
        self
    }
}

/// Reconciles objects of one kind.
pub(crate) trait KindRunner: Send + Sync {
    /// Runs over an object once. Returns how long until it is due again, or `None` until something wakes it.
    fn run(
        &self,
        shared: Arc<Shared>,
        key: ObjectKey,
        lane: Lane,
        id: String,
        fencing_token: String,
    ) -> BoxFuture<'static, Option<(Lane, Duration)>>;
    /// The objects to wake when this one changes, of which there are one or two versions.
    fn wakes(&self, shared: &Arc<Shared>, versions: &[&Stored]) -> Vec<ObjectKey>;
    /// The objects to wake when what others see of this one changes, of which there are one or two versions.
    fn onlookers(&self, shared: &Arc<Shared>, versions: &[&Stored]) -> Vec<ObjectKey>;
}

struct Typed<R>(Arc<R>);

impl<R: Reconcile> KindRunner for Typed<R> {
    fn run(
        &self,
        shared: Arc<Shared>,
        key: ObjectKey,
        lane: Lane,
        id: String,
        fencing_token: String,
    ) -> BoxFuture<'static, Option<(Lane, Duration)>> {
        let ctx = Context::new(shared, key, lane, id);
        Box::pin(Run::execute(self.0.clone(), ctx, fencing_token))
    }

    fn wakes(&self, shared: &Arc<Shared>, versions: &[&Stored]) -> Vec<ObjectKey> {
        let Some(object) = versions.last() else { return Vec::new() };
        let typed: Vec<_> = versions.iter().filter_map(|version| version.get::<R::Kind>()).collect();
        let targets = typed.iter().flat_map(|version| version.references()).map(|reference| {
            let namespace = reference.namespace.unwrap_or_else(|| object.namespace().to_owned());
            ObjectKey::new(reference.kind, namespace, reference.name)
        });
        let owners = versions.iter().flat_map(|version| owners(shared, version));
        let ctx = context_of(shared, object);
        let of_kind: Vec<_> = typed.iter().map(|version| &**version).collect();
        targets.chain(owners).chain(self.0.wakes(&ctx, &of_kind)).collect()
    }

    fn onlookers(&self, shared: &Arc<Shared>, versions: &[&Stored]) -> Vec<ObjectKey> {
        let Some(object) = versions.last() else { return Vec::new() };
        let typed: Vec<_> = versions.iter().filter_map(|version| version.get::<R::Kind>()).collect();
        let of_kind: Vec<_> = typed.iter().map(|version| &**version).collect();
        self.0.onlookers(&context_of(shared, object), &of_kind)
    }
}

fn context_of(shared: &Arc<Shared>, object: &Stored) -> Context {
    Context::new(shared.clone(), ObjectKey::from(object), Lane::Change, String::new())
}

/// The objects that own `object`: they keep it as it should be, may wait until it is ready or gone, and tell of it.
pub(crate) fn owners(shared: &Shared, object: &Stored) -> Vec<ObjectKey> {
    let owners = object.meta().owner_references.iter().flatten();
    let known = owners.filter_map(|owner| {
        let is_it = |reader: &Arc<dyn ObjectReader>| {
            let resource = reader.resource();
            resource.kind == owner.kind && resource.api_version == owner.api_version
        };
        let (kind, _) = shared.kinds.iter().find(|(_, reader)| is_it(reader))?;
        Some(ObjectKey::new(kind, object.namespace(), owner.name.clone()))
    });
    known.collect()
}

impl<R: Reconcile> ObjectReader for Typed<R> {
    fn resource(&self) -> ApiResource {
        resource_of::<R::Kind>()
    }

    fn wake_digest(&self, object: &Stored) -> WakeDigest {
        let meta = object.meta();
        let exports = object.get::<R::Kind>().map(|object| self.0.exports(&object));
        let owners: Vec<_> = meta.owner_references.iter().flatten().map(|owner| &owner.uid).collect();
        WakeDigest {
            own: digest((essence(meta), &meta.finalizers, owners)),
            outward: digest((essence(meta), self.is_ready(object), exports)),
        }
    }

    fn has_status(&self, object: &Stored) -> bool {
        object.get::<R::Kind>().is_some_and(|object| object.status().is_some())
    }

    fn is_ready(&self, object: &Stored) -> Option<bool> {
        let object = object.get::<R::Kind>()?;
        let ready =
            object.status().and_then(|status| status.condition(ConditionType::Ready.as_str()).cloned());
        Some(ready.is_some_and(|ready| {
            ready.status == "True" && ready.observed_generation == object.meta().generation
        }))
    }

    fn selects(&self) -> Option<&'static str> {
        R::Kind::SELECTS
    }

    fn is_selected(&self, selector: &Stored, object: &ObjectMeta) -> bool {
        selector.get::<R::Kind>().is_some_and(|selector| selector.selects(object))
    }

    fn has_children(&self) -> bool {
        !R::Kind::CHILDREN.is_empty()
    }

    fn can_have_child(&self, owner: &Stored, child: &ChildKey) -> bool {
        owner.get::<R::Kind>().is_some_and(|owner| can_be_of(&*owner, child))
    }

    fn needs_secrets(&self) -> bool {
        R::NEEDS_SECRETS
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

    fn read(&self, object: &Value) -> Option<Stored> {
        let mut object = R::Kind::deserialize(object).ok()?;
        object.abridge();
        Some(store(Arc::new(object)))
    }
}

fn essence(meta: &ObjectMeta) -> impl Hash {
    let deleting = meta.deletion_timestamp.is_some();
    (&meta.uid, meta.generation, deleting, &meta.labels, &meta.annotations)
}

/// Tells whether something is as it was, in this process.
pub(crate) fn digest(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
