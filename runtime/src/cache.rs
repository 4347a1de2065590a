//! One watch per kind, and the look-ups that rules make in what it saw.
//!
//! Objects are kept as their kind's type, without [what nobody reads](Keep).

mod children;
mod health;
mod kept;
mod sinks;
mod unreadable;
mod watching;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use concierge_shared::{
    admission::lookup::{Found, Lookup, Namespace, NamespaceFound, Query, Selection, first_wanted},
    index::{Index, Stored},
    kind::{KINDS, Kind, visit_kinds},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

pub use children::{ApiResourceOf, ChildChange, ChildHealth, ChildKey, ChildSeen, Children, Known, project};
use health::{Health, Shared};
pub use kept::Keep;
use sinks::Watches;
use unreadable::AllUnreadable;
pub use unreadable::Unreadable;

/// How many changes a slow reader may lag behind before it has to look at everything again.
const CHANGES: usize = 4096;
/// How many deleted objects are remembered.
const REMEMBERED: usize = 10_000;

/// Something happened to an object: created, changed, deleted, or listed again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
}

/// The objects of all kinds, as the API server last told.
pub struct Cache {
    kinds: HashMap<&'static str, CachedKind>,
    namespaces: RwLock<HashMap<String, Arc<Namespace>>>,
    watch_of_namespaces: Arc<Health>,
    health: Arc<Shared>,
    changes: broadcast::Sender<Change>,
    deleted: Mutex<Deleted>,
    unreadable: AllUnreadable,
    keep: Keep,
}

struct CachedKind {
    index: RwLock<Index>,
    /// One watch of all namespaces, or one for each that is watched.
    watches: Vec<Arc<Health>>,
}

#[derive(Default)]
struct Deleted {
    uids: HashSet<String>,
    order: VecDeque<String>,
}

impl Cache {
    /// Starts watching every kind in `namespaces` (all, when there are none) until `shutdown`. The client should not repeat requests by
    /// itself: the watches do, and know what a failure means.
    pub fn start(
        client: &Client,
        namespaces: &[String],
        keep: Keep,
        shutdown: &CancellationToken,
    ) -> Arc<Self> {
        let cache = Arc::new(Self::new(namespaces, keep));
        let mut watches = Watches { cache: &cache, client, shutdown };
        visit_kinds(&mut watches);
        watches.watch_namespaces();
        cache
    }

    fn new(namespaces: &[String], keep: Keep) -> Self {
        let all = Arc::<Shared>::default();
        let health = |kind, namespace| Health::new(kind, namespace, &all);
        let watches = |kind| match namespaces {
            [] => vec![health(kind, None)],
            some => some.iter().map(|namespace| health(kind, Some(namespace.clone()))).collect(),
        };
        let cached = |kind| CachedKind { index: RwLock::default(), watches: watches(kind) };
        Self {
            kinds: KINDS.iter().map(|kind| (kind.name, cached(kind.name))).collect(),
            namespaces: RwLock::default(),
            watch_of_namespaces: health("Namespace", None),
            health: all,
            changes: broadcast::Sender::new(CHANGES),
            deleted: Mutex::default(),
            unreadable: AllUnreadable::default(),
            keep,
        }
    }

    /// The object of kind `K` and this name.
    pub fn get<K: Kind>(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.kinds.get(K::NAME)?.index.read().get(namespace, name)?.get()
    }

    /// The stored objects that are not of their kind's form; of very many, some.
    pub fn unreadable(&self) -> Vec<Unreadable> {
        self.unreadable.get()
    }

    /// All objects of a kind, in no order.
    pub fn all(&self, kind: &str) -> Vec<Stored> {
        self.kinds.get(kind).map(|cached| cached.index.read().iter().cloned().collect()).unwrap_or_default()
    }

    /// How many objects of a kind there are.
    pub fn len(&self, kind: &str) -> usize {
        self.kinds.get(kind).map_or(0, |cached| cached.index.read().len())
    }

    /// The changes from now on. A reader that lags too far behind must look at everything again.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// True once everything has been listed that may be listed.
    pub fn synced(&self) -> bool {
        self.watches().all(|watch| watch.settled())
    }

    /// Waits until everything has been listed that may be listed.
    pub async fn wait_synced(&self) {
        // The sender lives as long as `self`.
        let _ = self.health.changed.subscribe().wait_for(|()| self.synced()).await;
    }

    /// `Ok` when every kind that can be watched may be believed, with what can't be watched and why; else what may not be believed.
    ///
    /// # Errors
    /// When a watch has not been listed yet or is broken, or when no kind can be watched.
    pub fn check(&self) -> Result<String, String> {
        let mut troubles: Vec<_> = self.watches().filter_map(|watch| watch.trouble()).collect();
        let off = self.watches().filter_map(|watch| Some(format!("{watch} is off: {}", watch.refused()?)));
        let mut off: Vec<_> = off.collect();
        troubles.sort();
        off.sort();
        let none =
            !self.kinds.values().flat_map(|cached| &cached.watches).any(|watch| watch.refused().is_none());
        match (troubles.as_slice(), off.as_slice()) {
            ([], off) if none => Err(off.join("\n")),
            ([], []) => Ok("ok".to_owned()),
            ([], off) => Ok(format!("ok\n{}", off.join("\n"))),
            (troubles, _) => Err(troubles.join(", ")),
        }
    }

    /// True when all that is cached of a kind may be believed.
    pub fn believes(&self, kind: &str) -> bool {
        self.kinds.get(kind).is_some_and(|cached| cached.watches.iter().all(|watch| watch.believed()))
    }

    fn watches(&self) -> impl Iterator<Item = &Arc<Health>> {
        self.kinds.values().flat_map(|cached| &cached.watches).chain([&self.watch_of_namespaces])
    }

    /// True when there is a namespace of this name, as far as is known.
    pub fn knows_namespace(&self, name: &str) -> bool {
        self.namespaces.read().contains_key(name)
    }

    /// True when an object with this uid is known to have been deleted not long ago.
    pub fn recently_deleted(&self, uid: &str) -> bool {
        self.deleted.lock().uids.contains(uid)
    }

    fn apply<K: Kind>(&self, object: K) {
        let stored = self.keep.store(object);
        let change = change(K::NAME, stored.meta());
        if let Some(cached) = self.kinds.get(K::NAME) {
            cached.index.write().insert(stored);
        }
        self.tell(change);
    }

    fn remove(&self, kind: &'static str, meta: &ObjectMeta) {
        let change = change(kind, meta);
        if let Some(cached) = self.kinds.get(kind) {
            cached.index.write().remove(&change.namespace, &change.name);
        }
        self.deleted.lock().remember(meta.uid.clone());
        self.tell(change);
    }

    /// Removes an object that a complete list did not contain.
    fn forget(&self, kind: &'static str, namespace: &str, name: &str) {
        let found = self.kinds.get(kind).and_then(|cached| cached.index.read().get(namespace, name).cloned());
        if let Some(object) = found {
            self.remove(kind, object.meta());
        }
    }

    /// The names of a kind's objects in `namespace`, or in all.
    fn names(&self, kind: &'static str, namespace: Option<&str>) -> Vec<(String, String)> {
        let Some(cached) = self.kinds.get(kind) else { return Vec::new() };
        let index = cached.index.read();
        let in_scope = index.iter().filter(|object| namespace.is_none_or(|one| object.namespace() == one));
        in_scope.map(|object| (object.namespace().to_owned(), object.name().to_owned())).collect()
    }

    fn tell(&self, change: Change) {
        // Nobody listens in the webhook.
        let _ = self.changes.send(change);
    }

    /// True when the kind was listed in all namespaces that are watched and exist. One that is gone takes the right to list it with it.
    fn complete(&self, cached: &CachedKind) -> bool {
        cached.watches.iter().all(|watch| {
            watch.believed() || watch.namespace.as_deref().is_some_and(|namespace| self.is_gone(namespace))
        })
    }

    fn is_gone(&self, namespace: &str) -> bool {
        self.watch_of_namespaces.believed() && !self.namespaces.read().contains_key(namespace)
    }
}

impl CachedKind {
    /// True when what is known of this namespace is what there is.
    fn believed_in(&self, namespace: &str) -> bool {
        let covers = |watch: &&Arc<Health>| watch.namespace.as_deref().is_none_or(|one| one == namespace);
        self.watches.iter().filter(covers).all(|watch| watch.believed())
    }
}

impl Lookup for Cache {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        let Some(cached) = self.kinds.get(kind) else { return Found::Unknown };
        if !cached.believed_in(namespace) {
            return Found::Unknown;
        }
        match cached.index.read().get(namespace, name) {
            Some(object) => Found::Present(object.clone()),
            None => Found::Absent,
        }
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        let Some(cached) = self.kinds.get(kind) else { return Selection::default() };
        let complete = self.complete(cached);
        Selection { objects: cached.index.read().with_key("", key).cloned().collect(), complete }
    }

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        let Some(cached) = self.kinds.get(query.kind) else { return Selection::default() };
        let complete = match query.namespace {
            "" => self.complete(cached),
            namespace => cached.believed_in(namespace),
        };
        let first = |many| cached.index.read().first(query, many, &|_| true);
        Selection { objects: first_wanted(limit, wanted, first), complete }
    }

    fn select_in(&self, kind: &'static str, namespace: &str, key: &str) -> Selection {
        let Some(cached) = self.kinds.get(kind) else { return Selection::default() };
        let complete = cached.believed_in(namespace);
        Selection { objects: cached.index.read().with_key(namespace, key).cloned().collect(), complete }
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        let cached = self.kinds.get(kind)?;
        self.complete(cached).then(|| cached.index.read().count(key))
    }

    fn count_in(&self, kind: &'static str, namespace: &str, key: &str) -> Option<usize> {
        let cached = self.kinds.get(kind)?;
        cached.believed_in(namespace).then(|| cached.index.read().count(key))
    }

    fn count_all(&self, kind: &'static str, namespace: &str) -> Option<usize> {
        Some(self.kinds.get(kind)?.index.read().count_all(namespace))
    }

    fn edition_in(&self, kind: &'static str, namespace: &str) -> Option<u64> {
        Some(self.kinds.get(kind)?.index.read().edition_in(namespace))
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.namespaces.read().get(name).cloned().unwrap_or_default()
    }

    fn find_namespace(&self, name: &str) -> NamespaceFound {
        match self.namespaces.read().get(name).cloned() {
            _ if !self.watch_of_namespaces.believed() => NamespaceFound::Unknown,
            Some(found) => NamespaceFound::Present(found),
            None => NamespaceFound::Absent,
        }
    }
}

impl Deleted {
    fn remember(&mut self, uid: Option<String>) {
        let Some(uid) = uid else { return };
        if self.uids.insert(uid.clone()) {
            self.order.push_back(uid);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.uids.remove(&oldest);
        }
    }
}

fn spawn_until(shutdown: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = task => {}
        }
    });
}

fn key(meta: &ObjectMeta) -> (String, String) {
    (meta.namespace.clone().unwrap_or_default(), name_of(meta))
}

fn name_of(meta: &ObjectMeta) -> String {
    meta.name.clone().unwrap_or_default()
}

fn change(kind: &'static str, meta: &ObjectMeta) -> Change {
    let (namespace, name) = key(meta);
    Change { kind, namespace, name }
}
