//! Looking things up, wherever they are: in a cluster's cache, in files on disk, or nowhere.

use std::{collections::HashMap, sync::Arc};

use super::rule::Enforcement;
use crate::{
    index::{Index, Stored},
    kind::Kind,
};

/// Whether an object is there.
#[derive(Clone, Debug)]
pub enum Found {
    /// It is.
    Present(Stored),
    /// It is not, as far as is known.
    Absent,
    /// Nobody here can tell: the cache is not synced, stale, or there is none.
    Unknown,
}

/// Objects with a key.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those that are known.
    pub objects: Vec<Stored>,
    /// Whether there can be others.
    pub complete: bool,
}

/// What is known of a namespace.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    /// The rule levels that its annotation sets.
    pub enforcement: Enforcement,
    /// True while it is being deleted, with everything in it.
    pub terminating: bool,
}

/// The objects around the one under review.
pub trait Lookup: Send + Sync {
    /// The object of this kind and name.
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found;

    /// The objects of this kind with an index key.
    fn select(&self, kind: &'static str, key: &str) -> Selection;

    /// How many objects of this kind have an index key; `None` when nobody here can tell.
    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        let selection = self.select(kind, key);
        selection.complete.then_some(selection.objects.len())
    }

    /// The namespace; the default one when nothing is known.
    fn namespace(&self, name: &str) -> Arc<Namespace>;
}

/// Something a [`Lookup`] should read afresh before a request is refused because of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// One object.
    Object {
        /// Its kind.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// All objects of a kind in a namespace; in all namespaces when it is empty.
    List {
        /// Their kind.
        kind: &'static str,
        /// Their namespace.
        namespace: String,
    },
}

/// A lookup that knows nothing.
#[derive(Debug, Default)]
pub struct Nothing;

impl Lookup for Nothing {
    fn find(&self, _: &'static str, _: &str, _: &str) -> Found {
        Found::Unknown
    }

    fn select(&self, _: &'static str, _: &str) -> Selection {
        Selection::default()
    }

    fn namespace(&self, _: &str) -> Arc<Namespace> {
        Arc::default()
    }
}

/// A lookup in objects given all at once: the files of an offline check. What is not among them does not exist.
#[derive(Debug, Default)]
pub struct World {
    kinds: HashMap<&'static str, Index>,
    namespaces: HashMap<String, Arc<Namespace>>,
}

impl World {
    /// Adds an object.
    pub fn insert(&mut self, object: Stored) {
        self.kinds.entry(object.kind()).or_default().insert(object);
    }

    /// Takes an object out.
    pub fn remove(&mut self, kind: &'static str, namespace: &str, name: &str) {
        if let Some(index) = self.kinds.get_mut(kind) {
            index.remove(namespace, name);
        }
    }

    /// Adds a namespace.
    pub fn insert_namespace(&mut self, name: impl Into<String>, namespace: Namespace) {
        self.namespaces.insert(name.into(), Arc::new(namespace));
    }
}

impl Lookup for World {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        match self.kinds.get(kind).and_then(|index| index.get(namespace, name)) {
            Some(object) => Found::Present(object.clone()),
            None => Found::Absent,
        }
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        let objects = self.kinds.get(kind).map_or(&[][..], |index| index.with_key(key)).to_vec();
        Selection { objects, complete: true }
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        Some(self.kinds.get(kind).map_or(0, |index| index.with_key(key).len()))
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.namespaces.get(name).cloned().unwrap_or_default()
    }
}

/// What live reads said, in front of a lookup that they correct.
pub struct Fresh<'a> {
    /// The lookup behind.
    pub behind: &'a dyn Lookup,
    /// Single objects as they were read; `None` when they do not exist.
    pub objects: HashMap<(&'static str, String, String), Option<Stored>>,
    /// Whole lists as they were read, by kind and namespace.
    pub lists: HashMap<(&'static str, String), Index>,
}

impl<'a> Fresh<'a> {
    /// Nothing read yet.
    pub fn new(behind: &'a dyn Lookup) -> Self {
        Self { behind, objects: HashMap::new(), lists: HashMap::new() }
    }
}

impl Lookup for Fresh<'_> {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        match self.objects.get(&(kind, namespace.to_owned(), name.to_owned())) {
            Some(Some(object)) => Found::Present(object.clone()),
            Some(None) => Found::Absent,
            None => self.behind.find(kind, namespace, name),
        }
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        let lists: Vec<_> = self.lists.iter().filter(|((listed, _), _)| *listed == kind).collect();
        if !lists.is_empty() {
            let objects = lists.iter().flat_map(|(_, index)| index.with_key(key)).cloned().collect();
            return Selection { objects, complete: true };
        }
        let mut behind = self.behind.select(kind, key);
        behind.objects.retain(|object| {
            let read = self.objects.get(&(kind, object.namespace().to_owned(), object.name().to_owned()));
            !matches!(read, Some(None))
        });
        behind
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.behind.namespace(name)
    }
}

/// Typed look-ups on any [`Lookup`].
pub trait LookupExt {
    /// The objects of kind `K` with an index key, and whether they are all.
    fn select_as<K: Kind>(&self, key: &str) -> (Vec<Arc<K>>, bool);
}

impl LookupExt for dyn Lookup + '_ {
    fn select_as<K: Kind>(&self, key: &str) -> (Vec<Arc<K>>, bool) {
        let selection = self.select(K::NAME, key);
        (selection.objects.iter().filter_map(Stored::get).collect(), selection.complete)
    }
}
