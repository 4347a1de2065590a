//! A simulated API server: versions, preconditions, generations, finalizers, and faults on demand.

mod connection;
mod native;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use concierge_reconciler::engine::{
    ObjectKey,
    cluster::{ClusterError, ObjectEvent, Target},
};
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, ReentrantMutex};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

pub use self::connection::Connection;
use super::MINUTE;
pub use super::trouble::{Fault, Trouble};

/// Kind, namespace and name.
pub type Name = (String, String, String);

/// One change, as a watch would tell it.
#[derive(Clone)]
pub struct Entry {
    /// When it was written.
    pub at: Instant,
    /// What was written: kind, namespace and name.
    pub name: Name,
    /// The object, unless it was removed.
    pub object: Option<Value>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Name, Value>,
    version: u64,
    log: Vec<Entry>,
    writes: Vec<(&'static str, Name)>,
    events: Vec<ObjectEvent>,
    faults: VecDeque<(&'static str, Fault)>,
}

/// The API server.
pub struct Server {
    began: (Instant, Timestamp),
    state: Mutex<State>,
    /// Held from reading an object until what became of it is stored: users and processes write at the same time.
    pub(super) writing: ReentrantMutex<()>,
    trouble: Mutex<Trouble>,
    grown: watch::Sender<usize>,
    reads: AtomicU64,
    /// By kind.
    lists: Mutex<BTreeMap<String, usize>>,
    stepped: Mutex<SignedDuration>,
}

impl Server {
    /// One without objects, whose clock begins at a certain noon.
    pub fn new() -> Arc<Self> {
        let (state, trouble) = (Mutex::default(), Mutex::default());
        Arc::new(Self {
            began: (Instant::now(), "2026-11-21T12:00:00Z".parse().unwrap()),
            state,
            writing: ReentrantMutex::default(),
            trouble,
            grown: watch::Sender::new(0),
            reads: AtomicU64::new(0),
            lists: Mutex::default(),
            stepped: Mutex::default(),
        })
    }

    /// How many objects were shown to somebody who looked something up, here or in a cache of what is here.
    pub fn reads(&self) -> u64 {
        self.reads.load(Relaxed)
    }

    /// How often somebody began to list all objects of a kind, in a namespace or in all.
    pub fn lists(&self, kind: &str) -> usize {
        self.lists.lock().get(kind).copied().unwrap_or_default()
    }

    /// Somebody was shown so many objects.
    pub(super) fn count_reads(&self, objects: usize) {
        self.reads.fetch_add(objects as u64, Relaxed);
    }

    /// Lets something go wrong, or mends it.
    pub fn trouble(&self, change: impl FnOnce(&mut Trouble)) {
        change(&mut self.trouble.lock());
    }

    /// Whether the caches of this kind are not believed.
    pub fn is_blind(&self, kind: &str) -> bool {
        self.trouble.lock().blind.contains(kind)
    }

    /// Its present time.
    pub fn now(&self) -> Timestamp {
        let (instant, noon) = self.began;
        noon.checked_add(instant.elapsed()).unwrap().checked_add(*self.stepped.lock()).unwrap()
    }

    /// Sets the clock of the cluster's machines forward or back, and nobody else's.
    pub fn step_clock(&self, by: SignedDuration) {
        *self.stepped.lock() += by;
    }

    pub(super) fn delete(&self, who: &'static str, name: Name, mut object: Value) {
        if finalizers(&object).is_empty() {
            self.remove(who, name);
        } else if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = self.now().to_string().into();
            self.store(who, name, object);
        }
    }

    pub(super) fn stored(&self, name: &Name) -> Option<Value> {
        self.state.lock().objects.get(name).cloned()
    }

    pub(super) fn next_uid(&self) -> String {
        format!("uid-{}", self.state.lock().version + 1)
    }

    /// An object as it is stored.
    pub fn read(&self, key: &ObjectKey) -> Option<Value> {
        self.inspect(key, Value::clone)
    }

    /// The same without a copy: tests ask after every write.
    pub(super) fn inspect<T>(&self, key: &ObjectKey, inspect: impl FnOnce(&Value) -> T) -> Option<T> {
        self.state.lock().objects.get(&full(key)).map(inspect)
    }

    /// All objects of a kind.
    pub fn of_kind(&self, kind: &str) -> Vec<Value> {
        let state = self.state.lock();
        state.objects.iter().filter(|((of, _, _), _)| of == kind).map(|(_, object)| object.clone()).collect()
    }

    pub(super) fn in_namespace(&self, namespace: &str) -> Vec<(Name, Value)> {
        let state = self.state.lock();
        let inside = state.objects.iter().filter(|((_, of, _), _)| of == namespace);
        inside.map(|(name, object)| (name.clone(), object.clone())).collect()
    }

    /// How many writes of ours there were, leases apart.
    pub fn writes(&self) -> usize {
        self.state.lock().writes.iter().filter(|(who, _)| *who != "user").count()
    }

    /// The events that were told.
    pub fn events(&self) -> Vec<ObjectEvent> {
        self.state.lock().events.clone()
    }

    /// Lets the next write of this verb fail.
    pub fn fail_next(&self, verb: &'static str, fault: Fault) {
        self.state.lock().faults.push_back((verb, fault));
    }

    /// No write fails any more.
    pub fn mend(&self) {
        self.state.lock().faults.clear();
    }

    /// The changes from the `from`th on.
    pub fn log_from(&self, from: usize) -> Vec<Entry> {
        self.state.lock().log[from..].to_vec()
    }

    /// When the `nth` change was written, if it was.
    pub fn time_of(&self, nth: usize) -> Option<Instant> {
        self.state.lock().log.get(nth).map(|entry| entry.at)
    }

    /// Tells when there are more changes.
    pub fn grown(&self) -> watch::Receiver<usize> {
        self.grown.subscribe()
    }

    /// Waits until `done`, which is asked after every write and once a minute, and says true; false when that takes longer than `most`.
    pub async fn until(&self, most: Duration, done: impl Fn() -> bool) -> bool {
        let end = Instant::now() + most;
        let mut grown = self.grown();
        while !done() {
            if Instant::now() >= end {
                return false;
            }
            let _ = timeout_at(end.min(Instant::now() + MINUTE), grown.changed()).await;
        }
        true
    }

    pub(super) fn store(&self, who: &'static str, name: Name, mut object: Value) -> Value {
        let _alone = self.writing.lock();
        let mut state = self.state.lock();
        state.version += 1;
        object["metadata"]["resourceVersion"] = state.version.to_string().into();
        state.log(who, &name, Some(&object));
        state.objects.insert(name, object.clone());
        self.tell(state.log.len());
        object
    }

    pub(super) fn remove(&self, who: &'static str, name: Name) {
        let _alone = self.writing.lock();
        let mut state = self.state.lock();
        state.version += 1;
        state.objects.remove(&name);
        state.log(who, &name, None);
        self.tell(state.log.len());
    }

    fn tell(&self, entries: usize) {
        self.grown.send_if_modified(|known| std::mem::replace(known, entries) != entries);
    }

    pub(super) fn fault(&self, verb: &'static str) -> Option<Fault> {
        let mut state = self.state.lock();
        let at = state.faults.iter().position(|(of, _)| *of == verb)?;
        state.faults.remove(at).map(|(_, fault)| fault)
    }

    /// A write with its precondition, and with the fault that is due.
    fn write(
        &self,
        verb: &'static str,
        target: &Target,
        version: Option<&str>,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, ClusterError> {
        let _alone = self.writing.lock();
        let fault = self.fault(verb);
        let unclear = || ClusterError::Unknown("the connection broke off".into());
        if fault == Some(Fault::Lost) {
            return Err(unclear());
        }
        let name = (target.resource.kind.clone(), target.namespace.clone(), target.name.clone());
        let Some(mut object) = self.state.lock().objects.get(&name).cloned() else {
            return Err(ClusterError::NotFound);
        };
        if version.is_some_and(|version| object["metadata"]["resourceVersion"] != version) {
            return Err(ClusterError::Conflict);
        }
        let before = object.clone();
        change(&mut object);
        let stored = if before == object {
            object
        } else if !object["metadata"]["deletionTimestamp"].is_null() && finalizers(&object).is_empty() {
            self.remove(verb, name);
            object
        } else {
            self.store(verb, name, object)
        };
        if fault == Some(Fault::Unanswered) { Err(unclear()) } else { Ok(stored) }
    }
}

impl State {
    fn log(&mut self, who: &'static str, name: &Name, object: Option<&Value>) {
        // Nobody watches leases.
        if name.0 == "Lease" {
            return;
        }
        self.writes.push((who, name.clone()));
        self.log.push(Entry { at: Instant::now(), name: name.clone(), object: object.cloned() });
    }
}

pub(super) fn full(key: &ObjectKey) -> Name {
    (key.kind.to_owned(), key.namespace.clone(), key.name.clone())
}

pub(super) fn name_of(object: &Value) -> Name {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

/// The finalizers that an object bears.
pub fn finalizers(object: &Value) -> Vec<String> {
    let all = object["metadata"]["finalizers"].as_array().into_iter().flatten();
    all.filter_map(|one| one.as_str().map(str::to_owned)).collect()
}
