//! What is watched, and what becomes in the cache of what the watches tell.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use concierge_shared::{
    admission::{lookup::Namespace, rule::RULES_ANNOTATION},
    kind::{Kind, Visitor},
};
use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, Resource, core::PartialObjectMeta};
use tokio_util::sync::CancellationToken;

use super::{
    Cache, Change, key, name_of, spawn_until,
    watching::{Sink, Watching},
};
use crate::read::Read;

/// Starts the watches.
pub(super) struct Watches<'a> {
    pub(super) cache: &'a Arc<Cache>,
    pub(super) client: &'a Client,
    pub(super) shutdown: &'a CancellationToken,
}

impl Visitor for Watches<'_> {
    fn visit<K: Kind>(&mut self) {
        for health in self.cache.kinds.get(K::NAME).into_iter().flat_map(|cached| &cached.watches) {
            let api: Api<Read<K>> = match &health.namespace {
                Some(namespace) => Api::namespaced(self.client.clone(), namespace),
                None => Api::all(self.client.clone()),
            };
            let namespace = health.namespace.clone();
            let sink = Objects { cache: self.cache.clone(), namespace, listing: None };
            self.spawn(Watching::new(api, sink, health.clone()).keep());
        }
    }
}

impl Watches<'_> {
    pub(super) fn watch_namespaces(&self) {
        let api: Api<Read<NamespaceMeta>> = Api::all(self.client.clone());
        let sink = Namespaces { cache: self.cache.clone(), listed: HashMap::new() };
        self.spawn(Watching::new(api, sink, self.cache.watch_of_namespaces.clone()).keep());
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        spawn_until(self.shutdown, task);
    }
}

/// What is watched of a kind.
struct Objects {
    cache: Arc<Cache>,
    namespace: Option<String>,
    /// The list that is under way.
    listing: Option<Listing>,
}

/// The first list of a kind finds nothing in the cache, so however large it is, no second copy of all names is made.
struct Listing {
    /// What was there before, and has not come again.
    unseen: HashSet<(String, String)>,
    /// What is not there any more, or can't be read.
    gone: Vec<(String, String)>,
}

impl<K: Kind> Sink<Read<K>> for Objects {
    fn begin(&mut self) {
        self.cache.unreadable.begin(K::NAME, self.namespace.as_deref());
        let unseen = self.cache.names(K::NAME, self.namespace.as_deref()).into_iter().collect();
        self.listing = Some(Listing { unseen, gone: Vec::new() });
    }

    fn listed(&mut self, object: Read<K>) {
        if let Some(listing) = self.listing.as_mut().filter(|listing| !listing.unseen.is_empty()) {
            listing.unseen.remove(&key(object.meta()));
        }
        self.apply(object);
    }

    fn complete(&mut self) {
        let Some(listing) = &mut self.listing else { return };
        for (namespace, name) in std::mem::take(&mut listing.unseen) {
            self.cache.forget(K::NAME, &namespace, &name);
            listing.gone.push((namespace, name));
        }
    }

    /// Tells of all that changed during the list: until now it was not believed, so nobody acted on it.
    fn announce(&mut self) {
        let Some(Listing { gone, .. }) = self.listing.take() else { return };
        if self.cache.changes.receiver_count() == 0 {
            return;
        }
        for (namespace, name) in self.cache.names(K::NAME, self.namespace.as_deref()).into_iter().chain(gone)
        {
            self.cache.tell(Change { kind: K::NAME, namespace, name });
        }
    }

    /// Stores an object. One that is not of its kind's form is logged and left out.
    fn apply(&mut self, object: Read<K>) {
        match object.0 {
            Ok(object) => {
                self.cache.unreadable.note(K::NAME, object.meta(), None);
                self.cache.apply(object);
            }
            Err(invalid) => {
                let (metadata, error) = (invalid.metadata, invalid.error);
                self.cache.unreadable.note(K::NAME, &metadata, Some(&error));
                let (namespace, name) = key(&metadata);
                tracing::warn!(kind = K::NAME, namespace, name, error, "a stored object can't be read");
                self.take_out::<K>(&metadata);
            }
        }
    }

    fn delete(&mut self, object: Read<K>) {
        self.cache.unreadable.note(K::NAME, object.meta(), None);
        self.take_out::<K>(object.meta());
    }
}

impl Objects {
    fn take_out<K: Kind>(&mut self, meta: &ObjectMeta) {
        self.cache.remove(K::NAME, meta);
        if let Some(listing) = &mut self.listing {
            listing.gone.push(key(meta));
        }
    }
}

/// Of a namespace nothing else is read.
type NamespaceMeta = PartialObjectMeta<core::Namespace>;

/// What is watched of namespaces.
struct Namespaces {
    cache: Arc<Cache>,
    listed: HashMap<String, Arc<Namespace>>,
}

impl Sink<Read<NamespaceMeta>> for Namespaces {
    fn begin(&mut self) {
        self.listed.clear();
    }

    fn listed(&mut self, object: Read<NamespaceMeta>) {
        self.listed.insert(name_of(object.meta()), facts(object.meta()));
    }

    fn complete(&mut self) {
        *self.cache.namespaces.write() = std::mem::take(&mut self.listed);
    }

    fn announce(&mut self) {}

    fn apply(&mut self, object: Read<NamespaceMeta>) {
        self.cache.namespaces.write().insert(name_of(object.meta()), facts(object.meta()));
    }

    fn delete(&mut self, object: Read<NamespaceMeta>) {
        self.cache.namespaces.write().remove(&name_of(object.meta()));
    }
}

fn facts(meta: &ObjectMeta) -> Arc<Namespace> {
    let namespace = Namespace::of(meta);
    for error in &namespace.mistakes {
        tracing::warn!(namespace = name_of(meta), %error, "the annotation {RULES_ANNOTATION} is wrong");
    }
    Arc::new(namespace)
}
