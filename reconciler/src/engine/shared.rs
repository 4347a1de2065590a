//! What all runs share.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use concierge_shared::{
    admission::{lookup::Found, rule::Enforcement},
    group,
    index::Stored,
};
use tokio::sync::watch;

use super::{
    account::Accounts,
    children::{ChildCache, Remembered},
    cluster::{
        Cluster, ClusterError, Target,
        lists::{Lists, Visit},
        objects::{Newer, ObjectKey, ObjectReader, Objects},
    },
    lease::Term,
    metrics::Metrics,
    once::calls::Calls,
    retry::BackOff,
    run::unwritten::Unwritten,
    schedule::queue::Queue,
    seams::{Clock, CrashPoint, Hook, Random},
};

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs at a time, over all accounts.
    pub concurrency: usize,
    /// How long a remote call may take. Shorter than the lease.
    pub request_timeout: Duration,
    /// How long a lease lasts, and so how long another leader's calls may still be under way.
    pub lease_duration: Duration,
    /// How long a service may take until a list shows the effect of a call, should its answer be lost.
    pub settle: Duration,
    /// Look, publish the plan, and change nothing.
    pub observe_only: bool,
    /// The operator's rule levels for the whole cluster.
    pub enforcement: Enforcement,
    /// What the operator set about the rules.
    pub rules: group::Settings,
}

/// What the engine needs from outside, and tests replace.
pub struct Dependencies {
    /// The API server.
    pub cluster: Arc<dyn Cluster>,
    pub objects: Arc<dyn Objects>,
    /// The objects of Kubernetes' own kinds that belong to ours.
    pub children: Arc<dyn ChildCache>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Leadership; `None` while another replica leads.
    pub term: watch::Receiver<Option<Term>>,
    /// Is told of each step; `None` in production.
    pub hook: Option<Arc<dyn Hook>>,
}

/// What all runs share.
pub(crate) struct Shared {
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) child_cache: Arc<dyn ChildCache>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) term: watch::Receiver<Option<Term>>,
    pub(crate) hook: Option<Arc<dyn Hook>>,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    pub(crate) queue: Arc<Queue>,
    pub(crate) accounts: Accounts,
    pub(crate) back_off: BackOff,
    pub(crate) newer: Newer,
    pub(crate) unwritten: Unwritten,
    /// What is known of children.
    pub(crate) remembered: Remembered,
    pub(crate) calls: Calls,
    pub(crate) lists: Lists,
    /// Held while an object lets its Secrets go: of two that share one and go together, one has to be the last.
    pub(crate) releasing: tokio::sync::Mutex<()>,
    /// What tells this cluster from any other, once it is known.
    pub(crate) cluster_uid: OnceLock<String>,
    /// The kinds that this engine reconciles.
    pub(crate) kinds: HashMap<&'static str, Arc<dyn ObjectReader>>,
}

impl Shared {
    pub(crate) async fn reached(&self, point: CrashPoint, key: &ObjectKey) {
        if let Some(hook) = &self.hook {
            hook.reached(point, key).await;
        }
    }

    /// The object as the API server names it; `None` for a kind that is not reconciled here.
    pub(crate) fn target(&self, key: &ObjectKey) -> Option<Target> {
        let resource = self.kinds.get(key.kind)?.resource();
        Some(Target { resource, namespace: key.namespace.clone(), name: key.name.clone() })
    }

    /// Shows `visit` each object of a kind as it is stored now, in `namespace` or in all when it is empty.
    ///
    /// # Errors
    /// When the API server does not tell. Of a kind that is not installed there are no objects.
    pub(crate) async fn list(
        &self,
        kind: &'static str,
        namespace: &str,
        visit: Visit,
    ) -> Result<(), ClusterError> {
        let Some(reader) = self.kinds.get(kind) else { return Ok(()) };
        match self.lists.read(&self.cluster, (kind, reader), namespace, visit).await {
            Err(ClusterError::NotFound) => Ok(()),
            read => read,
        }
    }

    /// Whether an object is ready; `None` when that can't be told, or its kind is not reconciled here.
    pub(crate) fn is_ready(&self, object: &Stored) -> Option<bool> {
        self.kinds.get(object.kind())?.is_ready(object)
    }

    /// The object of this name, as far as the cache knows.
    pub(crate) fn find(&self, key: &ObjectKey) -> Option<Stored> {
        match self.objects.find(key.kind, &key.namespace, &key.name) {
            Found::Present(object) => Some(object),
            Found::Absent | Found::Unknown => None,
        }
    }

    /// All objects that are reconciled here, as far as the cache knows.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Arc<dyn ObjectReader>, Stored)> {
        self.kinds.iter().flat_map(move |(kind, reader)| {
            self.objects.all(kind).into_iter().map(move |object| (reader, object))
        })
    }

    /// Sets the gauges that follow from the cache.
    pub(crate) fn count_objects(&self) {
        let objects = self.all().map(|(reader, object)| {
            let intent = reader.intent(&object).map(|intent| intent.state);
            (object.kind(), reader.is_ready(&object) == Some(true), intent)
        });
        self.metrics.count_objects(self.kinds.keys().copied(), objects);
        self.metrics.queue_depth.set(i64::try_from(self.queue.due()).unwrap_or(i64::MAX));
    }
}
