//! One process's cache, which sees what happens after a while.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::engine::{
    children::ChildCache,
    cluster::objects::{Objects, Unreadable},
};
use concierge_runtime::cache::{Change, ChildChange, ChildKey, ChildSeen, Known, project};
use concierge_shared::{
    admission::lookup::{Found, Lookup, Namespace, NamespaceFound, Query, Selection, World, first_wanted},
    child::Child,
    index::Stored,
    kind::KindInfo,
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    sync::broadcast,
    time::{Instant, sleep_until},
};

use super::server::{Entry, Server};

/// A cache that is behind by `lag`.
pub struct View {
    server: Arc<Server>,
    kinds: &'static [KindInfo],
    lag: Duration,
    seen: Mutex<Seen>,
    changes: broadcast::Sender<Change>,
    child_changes: broadcast::Sender<ChildChange>,
}

#[derive(Default)]
struct Seen {
    world: World,
    children: Known,
    unreadable: Vec<Unreadable>,
    entries: usize,
}

impl View {
    /// A cache of objects of `kinds`, which tells one by one of no more than `most` changes that came together.
    pub fn new(server: Arc<Server>, kinds: &'static [KindInfo], lag: Duration, most: usize) -> Arc<Self> {
        let (changes, child_changes) = (broadcast::Sender::new(most), broadcast::Sender::new(most));
        let view = Self { server, kinds, lag, seen: Mutex::default(), changes, child_changes };
        view.catch_up();
        Arc::new(view)
    }

    /// Tells of changes as they come into sight, until dropped.
    pub async fn follow(self: Arc<Self>) {
        let mut grown = self.server.grown();
        loop {
            for change in self.catch_up() {
                match change {
                    Told::Object(change) => drop(self.changes.send(change)),
                    Told::Child(change) => drop(self.child_changes.send(change)),
                }
            }
            let next = self.server.time_of(self.seen.lock().entries).map(|at| at + self.lag);
            let due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Ok(()) = grown.changed() => {}
                () = due => {}
            }
        }
    }

    fn catch_up(&self) -> Vec<Told> {
        let mut seen = self.seen.lock();
        let visible = |entry: &Entry| entry.at + self.lag <= Instant::now();
        let entries = self.server.log_from(seen.entries);
        entries.into_iter().take_while(visible).flat_map(|entry| seen.take(self.kinds, entry)).collect()
    }
}

/// What is told of one change.
enum Told {
    Object(Change),
    Child(ChildChange),
}

impl Seen {
    fn take(&mut self, kinds: &'static [KindInfo], entry: Entry) -> Vec<Told> {
        self.entries += 1;
        let mut children = kinds.iter().flat_map(|kind| kind.children);
        if let Some(resource) = children.find(|child| child.kind == entry.name.0) {
            return self.take_child(*resource, entry).into_iter().map(Told::Child).collect();
        }
        self.take_object(kinds, entry).into_iter().map(Told::Object).collect()
    }

    fn take_child(&mut self, resource: Child, entry: Entry) -> Vec<ChildChange> {
        let (_, namespace, name) = entry.name;
        match entry.object.and_then(|object| project(resource, &object)) {
            Some((key, seen)) => self.children.put(key, seen),
            None => self.children.take_out(&ChildKey { resource, namespace, name }).into_iter().collect(),
        }
    }

    fn take_object(&mut self, kinds: &'static [KindInfo], entry: Entry) -> Option<Change> {
        let (kind, namespace, name) = entry.name;
        let kind = kinds.iter().find(|one| one.name == kind)?;
        let is_it =
            |one: &Unreadable| (one.kind, &one.namespace, &one.name) == (kind.name, &namespace, &name);
        self.unreadable.retain(|one| !is_it(one));
        let uid = |object: &Value| object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        match entry.object.map(|object| (uid(&object), (kind.keep)(object))) {
            Some((_, Ok(object))) => self.world.insert(object),
            Some((uid, Err(error))) => {
                self.world.remove(kind.name, &namespace, &name);
                let (namespace, name, error) = (namespace.clone(), name.clone(), error.to_string());
                self.unreadable.push(Unreadable { kind: kind.name, namespace, name, uid, error });
            }
            None => self.world.remove(kind.name, &namespace, &name),
        }
        Some(Change { kind: kind.name, namespace, name })
    }
}

impl Lookup for View {
    fn find_namespace(&self, name: &str) -> NamespaceFound {
        let stored = self.server.stored(&("Namespace".into(), String::new(), name.to_owned()));
        let metadata = stored.map(|object| serde_json::from_value(object["metadata"].clone()).unwrap());
        metadata.map_or(NamespaceFound::Absent, |metadata| {
            NamespaceFound::Present(Arc::new(Namespace::of(&metadata)))
        })
    }

    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        if self.server.is_blind(kind) {
            return Found::Unknown;
        }
        self.server.count_reads(1);
        self.seen.lock().world.find(kind, namespace, name)
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        if self.server.is_blind(kind) {
            return Selection::default();
        }
        let selection = self.seen.lock().world.select(kind, key);
        self.server.count_reads(selection.objects.len());
        selection
    }

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        if self.server.is_blind(query.kind) {
            return Selection::default();
        }
        let counted = |object: &Stored| {
            self.server.count_reads(1);
            wanted(object)
        };
        let first = |many| self.seen.lock().world.first(query, many, &|_| true).objects;
        Selection { objects: first_wanted(limit, &counted, first), complete: true }
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        if self.server.is_blind(kind) {
            return None;
        }
        self.seen.lock().world.count(kind, key)
    }

    fn edition_in(&self, kind: &'static str, namespace: &str) -> Option<u64> {
        self.seen.lock().world.edition_in(kind, namespace)
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.seen.lock().world.namespace(name)
    }
}

impl Objects for View {
    fn unreadable(&self) -> Vec<Unreadable> {
        self.seen.lock().unreadable.clone()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    fn all(&self, kind: &'static str) -> Vec<Stored> {
        self.seen.lock().world.all(kind)
    }
}

impl ChildCache for View {
    fn believes(&self, resource: Child) -> bool {
        !self.server.is_blind(resource.kind)
    }

    fn find(&self, key: &ChildKey) -> Option<ChildSeen> {
        self.seen.lock().children.get(key).cloned()
    }

    fn children_of(&self, owner_uid: &str) -> Vec<(ChildKey, ChildSeen)> {
        self.seen.lock().children.of(owner_uid)
    }

    fn child_changes(&self) -> broadcast::Receiver<ChildChange> {
        self.child_changes.subscribe()
    }
}
