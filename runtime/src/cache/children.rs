//! The objects of Kubernetes' own kinds that belong to objects of ours: one watch for each resource, all over the cluster, of what bears
//! the owner's uid as a label.
//!
//! Of each no more is kept than whose it is, a digest that tells whether it has changed, and how it is. Namespaces come and go beneath
//! such a watch without any effect on it.

mod health;
mod known;
mod project;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use concierge_shared::child::{Child, OWNER_UID_LABEL};
use kube::{
    Api, Client, Resource,
    core::{ApiResource, DynamicObject},
};
use parking_lot::RwLock;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

pub use self::{health::ChildHealth, known::Known, project::project};
use super::{
    health::{Health, Shared},
    spawn_until,
    watching::{Sink, Watching},
};
use crate::read::Read;

/// How many changes a slow reader may lag behind before it has to look at everything again.
const CHANGES: usize = 4096;

/// The name of a child.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildKey {
    pub resource: Child,
    /// Its namespace; empty for a Namespace.
    pub namespace: String,
    pub name: String,
}

/// `Deployment shop-main-pr-7/web`
impl fmt::Display for ChildKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.resource, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.resource, self.name),
        }
    }
}

/// What is kept of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildSeen {
    pub uid: String,
    /// The owner's uid, by its label.
    pub owner_uid: String,
    /// The owner's kind, namespace and name, by its annotation.
    pub owner: String,
    /// Differs when anything differs that matters to the owner.
    pub digest: u64,
    pub health: ChildHealth,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// Something happened to a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildChange {
    pub key: ChildKey,
    /// Its owner: the kind, namespace and name, by its annotation.
    pub owner: String,
    /// As it is now; `None` when it is gone.
    pub digest: Option<u64>,
}

impl ApiResourceOf for Child {
    fn api_resource(&self) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

/// A resource as kube's client names it.
pub trait ApiResourceOf {
    fn api_resource(&self) -> ApiResource;
}

/// The children of all objects, as the API server last told.
pub struct Children {
    watches: HashMap<Child, Arc<Health>>,
    known: RwLock<Known>,
    health: Arc<Shared>,
    changes: broadcast::Sender<ChildChange>,
}

impl Children {
    /// Starts watching `resources` until `shutdown`.
    pub fn start(
        client: &Client,
        resources: impl IntoIterator<Item = Child>,
        shutdown: &CancellationToken,
    ) -> Arc<Self> {
        let children = Arc::new(Self::new(resources));
        for (resource, health) in &children.watches {
            let api: Api<Read<DynamicObject>> = Api::all_with(client.clone(), &resource.api_resource());
            let sink = OfResource { resource: *resource, all: children.clone(), unseen: HashSet::new() };
            let watching = Watching::new(api, sink, health.clone()).labelled(OWNER_UID_LABEL);
            spawn_until(shutdown, watching.keep());
        }
        children
    }

    fn new(resources: impl IntoIterator<Item = Child>) -> Self {
        let health = Arc::<Shared>::default();
        let watch = |resource: Child| (resource, Health::new(resource.kind, None, &health));
        Self {
            watches: resources.into_iter().map(watch).collect(),
            known: RwLock::default(),
            changes: broadcast::Sender::new(CHANGES),
            health,
        }
    }

    /// The resources that are watched.
    pub fn resources(&self) -> impl Iterator<Item = Child> {
        self.watches.keys().copied()
    }

    /// True when what is known of a resource is what there is, but for a short delay.
    pub fn believes(&self, resource: Child) -> bool {
        self.watches.get(&resource).is_some_and(|watch| watch.believed())
    }

    /// The child of this name; `None` also when there is none with a mark of ours.
    pub fn get(&self, key: &ChildKey) -> Option<ChildSeen> {
        self.known.read().get(key).cloned()
    }

    /// The children of the object with this uid.
    pub fn of(&self, owner_uid: &str) -> Vec<(ChildKey, ChildSeen)> {
        self.known.read().of(owner_uid)
    }

    /// The changes from now on. A reader that lags too far behind must look at every owner again.
    pub fn changes(&self) -> broadcast::Receiver<ChildChange> {
        self.changes.subscribe()
    }

    /// Waits until everything has been listed that may be listed.
    pub async fn wait_synced(&self) {
        let settled = || self.watches.values().all(|watch| watch.settled());
        // The sender lives as long as `self`.
        let _ = self.health.changed.subscribe().wait_for(|()| settled()).await;
    }

    /// What can't be watched, and why; `Err` with what may not be believed for now.
    ///
    /// # Errors
    /// When a watch has not been listed yet or is broken.
    pub fn check(&self) -> Result<String, String> {
        let mut troubles: Vec<_> = self.watches.values().filter_map(|watch| watch.trouble()).collect();
        let off = |watch: &Arc<Health>| Some(format!("\n{watch} is off: {}", watch.refused()?));
        let mut off: Vec<_> = self.watches.values().filter_map(off).collect();
        troubles.sort();
        off.sort();
        if troubles.is_empty() { Ok(off.concat()) } else { Err(troubles.join(", ")) }
    }

    fn put(&self, key: ChildKey, seen: ChildSeen) {
        let changes = self.known.write().put(key, seen);
        changes.into_iter().for_each(|change| self.tell(change));
    }

    fn take_out(&self, key: &ChildKey) {
        let change = self.known.write().take_out(key);
        change.into_iter().for_each(|change| self.tell(change));
    }

    fn tell(&self, change: ChildChange) {
        // Nobody listens before the engine runs.
        let _ = self.changes.send(change);
    }
}

/// What is watched of one resource.
struct OfResource {
    resource: Child,
    all: Arc<Children>,
    /// What a list that is under way has not brought again.
    unseen: HashSet<ChildKey>,
}

impl OfResource {
    fn put(&self, object: Read<DynamicObject>) -> Option<ChildKey> {
        let (key, seen) = project(self.resource, &object.into_json())?;
        self.all.put(key.clone(), seen);
        Some(key)
    }

    fn key(&self, object: &Read<DynamicObject>) -> ChildKey {
        let (namespace, name) = super::key(object.meta());
        ChildKey { resource: self.resource, namespace, name }
    }
}

impl Sink<Read<DynamicObject>> for OfResource {
    fn begin(&mut self) {
        let known = self.all.known.read();
        self.unseen = known.children.keys().filter(|key| key.resource == self.resource).cloned().collect();
    }

    fn listed(&mut self, object: Read<DynamicObject>) {
        if let Some(key) = self.put(object) {
            self.unseen.remove(&key);
        }
    }

    fn complete(&mut self) {
        for key in std::mem::take(&mut self.unseen) {
            self.all.take_out(&key);
        }
    }

    /// Each was told of as it came: what it means is read from the API server where this watch is not believed.
    fn announce(&mut self) {}

    fn apply(&mut self, object: Read<DynamicObject>) {
        self.put(object);
    }

    fn delete(&mut self, object: Read<DynamicObject>) {
        self.all.take_out(&self.key(&object));
        self.unseen.remove(&self.key(&object));
    }
}

#[cfg(test)]
mod tests;
