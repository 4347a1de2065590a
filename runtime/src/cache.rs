//! One watch per kind, and the look-ups that rules make in what it saw.
//!
//! Objects are kept as their kind's type, without managed fields and without kubectl's copy of them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use concierge_shared::{
    admission::{
        lookup::{Found, Lookup, Namespace, Selection},
        object::LAST_APPLIED_ANNOTATION,
        rule::RULES_ANNOTATION,
    },
    index::{Index, Stored},
    kind::{KINDS, Kind, Visitor, store, visit_kinds},
};
use futures::StreamExt;
use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, Resource,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::client::WATCH_SECONDS;

/// How long a watch may be broken before its cache is no longer believed.
const STALE_AFTER: Duration = Duration::from_secs(15);
/// How many objects a list brings at once. While they are decoded they take several times what is kept of them.
const PAGE: u32 = 100;
/// How many changes a slow reader may lag behind before it has to look at everything again.
const CHANGES: usize = 4096;
/// How many deleted objects are remembered.
const REMEMBERED: usize = 10_000;

/// Something happened to an object: created, changed, deleted, or listed again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The objects of all kinds, as the API server last told.
pub struct Cache {
    kinds: HashMap<&'static str, Shelf>,
    namespaces: RwLock<HashMap<String, Arc<Namespace>>>,
    health: Mutex<HashMap<String, Health>>,
    ready: watch::Sender<bool>,
    changes: broadcast::Sender<Change>,
    deleted: Mutex<Deleted>,
}

#[derive(Default)]
struct Shelf {
    index: RwLock<Index>,
    /// The health of the kind's watches taken together: whether the index may be believed.
    health: RwLock<Health>,
}

#[derive(Clone, Copy, Default)]
struct Health {
    synced: bool,
    broken_since: Option<Instant>,
}

#[derive(Default)]
struct Deleted {
    uids: HashSet<String>,
    order: VecDeque<String>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            kinds: KINDS.iter().map(|kind| (kind.name, Shelf::default())).collect(),
            namespaces: RwLock::default(),
            health: Mutex::default(),
            ready: watch::Sender::new(false),
            changes: broadcast::Sender::new(CHANGES),
            deleted: Mutex::default(),
        }
    }
}

impl Cache {
    /// Starts watching every kind in `namespaces` (all, when there are none) until `shutdown`.
    pub fn start(client: &Client, namespaces: &[String], shutdown: &CancellationToken) -> Arc<Self> {
        let cache = Arc::new(Self::default());
        let mut watches = Watches { cache: &cache, client, namespaces, shutdown };
        visit_kinds(&mut watches);
        watches.watch_namespaces();
        cache
    }

    /// The object of kind `K` and this name.
    pub fn get<K: Kind>(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.kinds.get(K::NAME)?.index.read().get(namespace, name)?.get()
    }

    /// All objects of kind `K`, in no order.
    pub fn all<K: Kind>(&self) -> Vec<Arc<K>> {
        let shelf = self.kinds.get(K::NAME);
        shelf.map(|shelf| shelf.index.read().iter().filter_map(Stored::get).collect()).unwrap_or_default()
    }

    /// How many objects of a kind there are.
    pub fn len(&self, kind: &str) -> usize {
        self.kinds.get(kind).map_or(0, |shelf| shelf.index.read().len())
    }

    /// The changes from now on. A reader that lags too far behind must look at everything again.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// True once everything has been listed.
    pub fn synced(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until everything has been listed.
    pub async fn wait_synced(&self) {
        // The sender lives as long as `self`.
        let _ = self.ready.subscribe().wait_for(|synced| *synced).await;
    }

    /// `Ok` when every kind may be believed; else which may not and why.
    pub fn check(&self) -> Result<(), String> {
        let health = self.health.lock();
        let wrong = health.iter().filter_map(|(name, health)| match health.broken_since {
            _ if !health.synced => Some(format!("{name} not listed yet")),
            Some(since) if since.elapsed() > STALE_AFTER => Some(format!("watch of {name} broken")),
            _ => None,
        });
        let mut wrong: Vec<_> = wrong.collect();
        wrong.sort();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
    }

    /// True when an object with this uid is known to have been deleted not long ago.
    pub fn recently_deleted(&self, uid: &str) -> bool {
        self.deleted.lock().uids.contains(uid)
    }

    fn believed(&self, kind: &str) -> Option<&Shelf> {
        let shelf = self.kinds.get(kind)?;
        let health = *shelf.health.read();
        let stale = health.broken_since.is_some_and(|since| since.elapsed() > STALE_AFTER);
        (health.synced && !stale).then_some(shelf)
    }

    fn apply<K: Kind>(&self, mut object: K) {
        prune(object.meta_mut());
        let stored = store(Arc::new(object));
        let change = change(K::NAME, stored.meta());
        if let Some(shelf) = self.kinds.get(K::NAME) {
            shelf.index.write().insert(stored);
        }
        self.tell(change);
    }

    fn remove(&self, kind: &'static str, meta: &ObjectMeta) {
        let change = change(kind, meta);
        if let Some(shelf) = self.kinds.get(kind) {
            shelf.index.write().remove(&change.namespace, &change.name);
        }
        self.deleted.lock().remember(meta.uid.clone());
        self.tell(change);
    }

    /// Takes out of `kind` what is in `namespace` and was not `seen` in a complete list.
    fn retain(&self, kind: &'static str, namespace: Option<&str>, seen: &HashSet<(String, String)>) {
        let Some(shelf) = self.kinds.get(kind) else { return };
        let in_scope = |object: &&Stored| namespace.is_none_or(|one| object.namespace() == one);
        let key = |object: &Stored| (object.namespace().to_owned(), object.name().to_owned());
        let gone: Vec<_> = {
            let index = shelf.index.read();
            index.iter().filter(in_scope).filter(|object| !seen.contains(&key(object))).cloned().collect()
        };
        for object in gone {
            self.remove(kind, object.meta());
        }
    }

    fn tell(&self, change: Change) {
        // Nobody listens in the webhook.
        let _ = self.changes.send(change);
    }

    fn report(&self, watch: &str, kind: &str, event: Result<bool, ()>) {
        let mut all = self.health.lock();
        let health = all.entry(watch.to_owned()).or_default();
        match event {
            Ok(listed) => *health = Health { synced: health.synced || listed, broken_since: None },
            Err(()) => health.broken_since = health.broken_since.or_else(|| Some(Instant::now())),
        }
        let of_kind = all.iter().filter(|(name, _)| name.split('@').next() == Some(kind));
        let whole = Health { synced: true, broken_since: None };
        let together = of_kind.fold(whole, |together, (_, health)| Health {
            synced: together.synced && health.synced,
            broken_since: together.broken_since.or(health.broken_since),
        });
        if let Some(shelf) = self.kinds.get(kind) {
            *shelf.health.write() = together;
        }
        let synced = all.values().all(|health| health.synced);
        drop(all);
        self.ready.send_if_modified(|ready| !std::mem::replace(ready, synced) && synced);
    }
}

impl Lookup for Cache {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        let Some(shelf) = self.believed(kind) else { return Found::Unknown };
        match shelf.index.read().get(namespace, name) {
            Some(object) => Found::Present(object.clone()),
            None => Found::Absent,
        }
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        let Some(shelf) = self.believed(kind) else { return Selection::default() };
        Selection { objects: shelf.index.read().with_key(key).to_vec(), complete: true }
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.believed(kind).map(|shelf| shelf.index.read().with_key(key).len())
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.namespaces.read().get(name).cloned().unwrap_or_default()
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

/// Starts the watches.
struct Watches<'a> {
    cache: &'a Arc<Cache>,
    client: &'a Client,
    namespaces: &'a [String],
    shutdown: &'a CancellationToken,
}

impl Visitor for Watches<'_> {
    fn visit<K: Kind>(&mut self) {
        if self.namespaces.is_empty() {
            self.watch::<K>(None);
        }
        for namespace in self.namespaces {
            self.watch::<K>(Some(namespace.clone()));
        }
    }
}

impl Watches<'_> {
    fn watch<K: Kind>(&self, namespace: Option<String>) {
        let name = format!("{}@{}", K::NAME, namespace.as_deref().unwrap_or_default());
        self.cache.health.lock().insert(name.clone(), Health::default());
        let api: Api<DeserializeGuard<K>> = match &namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let events = watcher(api, watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS));
        let cache = self.cache.clone();
        self.spawn(async move {
            let mut seen = HashSet::new();
            let mut events = pin!(events.default_backoff());
            while let Some(event) = events.next().await {
                let listed = matches!(event, Ok(Event::InitDone));
                cache.report(
                    &name,
                    K::NAME,
                    event.as_ref().map(|_| listed).map_err(|error| log(&name, error)),
                );
                match event {
                    // A list that broke off may have left some.
                    Ok(Event::Init) => seen.clear(),
                    Ok(Event::InitApply(object)) => {
                        seen.insert(key(object.meta()));
                        take::<K>(&cache, object);
                    }
                    Ok(Event::InitDone) => {
                        cache.retain(K::NAME, namespace.as_deref(), &std::mem::take(&mut seen));
                    }
                    Ok(Event::Apply(object)) => take::<K>(&cache, object),
                    Ok(Event::Delete(object)) => cache.remove(K::NAME, object.meta()),
                    Err(_) => {}
                }
            }
        });
    }

    fn watch_namespaces(&self) {
        let name = "Namespace@".to_owned();
        self.cache.health.lock().insert(name.clone(), Health::default());
        let api: Api<PartialObjectMeta<core::Namespace>> = Api::all(self.client.clone());
        let events = watcher(api, watcher::Config::default().timeout(WATCH_SECONDS));
        let cache = self.cache.clone();
        self.spawn(async move {
            let mut events = pin!(events.default_backoff());
            let mut listed = HashMap::new();
            while let Some(event) = events.next().await {
                let done = matches!(event, Ok(Event::InitDone));
                match event {
                    Ok(Event::Init) => listed.clear(),
                    Ok(Event::InitApply(object)) => {
                        drop(listed.insert(name_of(&object.metadata), facts(&object.metadata)))
                    }
                    Ok(Event::InitDone) => *cache.namespaces.write() = std::mem::take(&mut listed),
                    Ok(Event::Apply(object)) => {
                        cache.namespaces.write().insert(name_of(&object.metadata), facts(&object.metadata));
                    }
                    Ok(Event::Delete(object)) => {
                        drop(cache.namespaces.write().remove(&name_of(&object.metadata)))
                    }
                    Err(error) => {
                        log(&name, &error);
                        cache.report(&name, "Namespace", Err(()));
                        continue;
                    }
                }
                cache.report(&name, "Namespace", Ok(done));
            }
        });
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = task => {}
            }
        });
    }
}

/// Puts an object in; one that is not of its kind's form is said to be so, and looked past.
fn take<K: Kind>(cache: &Cache, object: DeserializeGuard<K>) {
    match object.0 {
        Ok(object) => cache.apply(object),
        Err(invalid) => {
            let (namespace, name) = key(&invalid.metadata);
            tracing::warn!(
                kind = K::NAME,
                namespace,
                name,
                error = invalid.error,
                "a stored object can't be read"
            );
            cache.remove(K::NAME, &invalid.metadata);
        }
    }
}

fn log(watch: &str, error: &watcher::Error) {
    tracing::warn!(watch, error = %Chain(error), "a watch failed; it is tried again");
}

/// An error with its causes, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
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

fn prune(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED_ANNOTATION);
    }
}

fn facts(meta: &ObjectMeta) -> Arc<Namespace> {
    let text = meta.annotations.as_ref().and_then(|annotations| annotations.get(RULES_ANNOTATION));
    let enforcement = text.map(|text| text.parse()).transpose().unwrap_or_else(|error| {
        tracing::warn!(namespace = name_of(meta), %error, "the annotation {RULES_ANNOTATION} can't be read");
        None
    });
    let terminating = meta.deletion_timestamp.is_some();
    Arc::new(Namespace { enforcement: enforcement.unwrap_or_default(), terminating })
}
