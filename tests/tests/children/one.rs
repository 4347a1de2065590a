//! The cache of a cluster with one object of ours.

use std::sync::Arc;

use anyhow::Result;
use concierge_reconciler::engine::cluster::objects::{Objects, Unreadable};
use concierge_runtime::cache::Change;
use concierge_shared::{
    admission::lookup::{Found, Lookup, Namespace, Query, Selection, World},
    index::Stored,
    kind::{Kind, store},
};
use kube::Api;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::yard::Yard;

/// One object, and whoever wants to hear of it.
pub(crate) struct One {
    world: Mutex<World>,
    changes: broadcast::Sender<Change>,
}

impl One {
    pub(crate) fn new(yard: Yard) -> Arc<Self> {
        let mut world = World::default();
        world.insert(store(Arc::new(yard)));
        Arc::new(Self { world: Mutex::new(world), changes: broadcast::Sender::new(16) })
    }

    /// Reads the object again.
    pub(crate) async fn refresh(&self, yards: &Api<Yard>) -> Result<()> {
        let yard = yards.get("one").await?;
        self.world.lock().insert(store(Arc::new(yard)));
        let (kind, namespace, name) = (Yard::NAME, "default".to_owned(), "one".to_owned());
        // Nobody listens while no engine runs.
        let _ = self.changes.send(Change { kind, namespace, name });
        Ok(())
    }
}

impl Lookup for One {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        self.world.lock().find(kind, namespace, name)
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        self.world.lock().select(kind, key)
    }

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        self.world.lock().first(query, limit, wanted)
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.world.lock().count(kind, key)
    }

    fn edition_in(&self, kind: &'static str, namespace: &str) -> Option<u64> {
        self.world.lock().edition_in(kind, namespace)
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.world.lock().namespace(name)
    }
}

impl Objects for One {
    fn unreadable(&self) -> Vec<Unreadable> {
        Vec::new()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    fn all(&self, kind: &'static str) -> Vec<Stored> {
        self.world.lock().all(kind)
    }
}
