//! Live reads, which confirm a refusal that rests on a cache.

use std::{collections::HashMap, sync::Arc};

use super::lookup::{Found, Lookup, Namespace, NamespaceFound, Need, Query, Selection, shorten};
use crate::index::{Index, Stored};

/// The results of live reads, in front of the lookup that they correct.
pub struct Fresh<'a> {
    behind: &'a dyn Lookup,
    /// By kind, namespace and name; `None` when it does not exist.
    objects: HashMap<(&'static str, String, String), Option<Stored>>,
    /// Whole lists, by kind and namespace.
    lists: HashMap<(&'static str, String), Index>,
    namespaces: HashMap<String, NamespaceFound>,
    /// What whoever asks may read, by kind, namespace and name.
    permissions: HashMap<(&'static str, String, String), bool>,
}

impl<'a> Fresh<'a> {
    /// Nothing read yet.
    pub fn new(behind: &'a dyn Lookup) -> Self {
        Self {
            behind,
            objects: HashMap::new(),
            lists: HashMap::new(),
            namespaces: HashMap::new(),
            permissions: HashMap::new(),
        }
    }

    /// Takes in a namespace, or that there is none of this name.
    pub fn insert_namespace(&mut self, name: &str, read: Option<Namespace>) {
        let found = read.map_or(NamespaceFound::Absent, |read| NamespaceFound::Present(Arc::new(read)));
        self.namespaces.insert(name.to_owned(), found);
    }

    /// Takes in whether whoever asks may read an object.
    pub fn insert_permission(&mut self, kind: &'static str, namespace: &str, name: &str, may: bool) {
        self.permissions.insert((kind, namespace.to_owned(), name.to_owned()), may);
    }

    /// Takes in what was read of `need`, and whether that is all there is.
    pub fn insert(&mut self, need: &Need, read: Vec<Stored>, complete: bool) {
        match need {
            Need::Object { kind, namespace, name } => {
                let object = read.into_iter().next();
                self.objects.insert((kind, namespace.clone(), name.clone()), object);
            }
            Need::List { kind, namespace } if complete => {
                let mut index = Index::default();
                read.into_iter().for_each(|object| index.insert(object));
                self.lists.insert((kind, namespace.clone()), index);
            }
            // Each is known now, though not whether there are others.
            Need::List { kind, .. } => {
                let key = |object: &Stored| (*kind, object.namespace().to_owned(), object.name().to_owned());
                self.objects.extend(read.into_iter().map(|object| (key(&object), Some(object))));
            }
            // These are no objects of ours.
            Need::Namespace { .. } | Need::Permission { .. } => {}
        }
    }

    fn list(&self, kind: &'static str, namespace: &str) -> Option<&Index> {
        let of = |namespace: &str| self.lists.get(&(kind, namespace.to_owned()));
        of(namespace).or_else(|| of(""))
    }

    /// The objects of a kind that were read one by one.
    fn read(&self, kind: &'static str) -> impl Iterator<Item = (&str, &str, Option<&Stored>)> {
        let of_kind = self.objects.iter().filter(move |((of, ..), _)| *of == kind);
        of_kind.map(|((_, namespace, name), object)| (&**namespace, &**name, object.as_ref()))
    }

    /// Whether the cached lookup has this object among those with `key`.
    fn is_counted_behind(&self, kind: &'static str, namespace: &str, name: &str, key: &str) -> bool {
        let found = self.behind.find(kind, namespace, name);
        matches!(found, Found::Present(object) if object.has_key(key))
    }
}

impl Lookup for Fresh<'_> {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        if let Some(read) = self.objects.get(&(kind, namespace.to_owned(), name.to_owned())) {
            return read.clone().map_or(Found::Absent, Found::Present);
        }
        match self.list(kind, namespace) {
            Some(list) => list.get(namespace, name).cloned().map_or(Found::Absent, Found::Present),
            None => self.behind.find(kind, namespace, name),
        }
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        self.select_in(kind, "", key)
    }

    fn select_in(&self, kind: &'static str, namespace: &str, key: &str) -> Selection {
        if let Some(list) = self.list(kind, namespace) {
            return Selection { objects: list.with_key("", key).cloned().collect(), complete: true };
        }
        let mut behind = self.behind.select_in(kind, namespace, key);
        for (namespace, name, object) in self.read(kind) {
            behind.objects.retain(|other| other.name() != name || other.namespace() != namespace);
            behind.objects.extend(object.filter(|object| object.has_key(key)).cloned());
        }
        behind
    }

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        let Query { kind, key, .. } = query;
        if let Some(list) = self.list(kind, query.namespace) {
            return Selection { objects: list.first(query, limit, wanted), complete: true };
        }
        let is_read = |object: &Stored| {
            self.objects.contains_key(&(kind, object.namespace().to_owned(), object.name().to_owned()))
        };
        // So many more that enough are left: a cache that is asked again takes out four times as many.
        let more = limit.saturating_add(self.read(kind).count());
        let mut selection = self.behind.first(query, more, wanted);
        selection.objects.retain(|object| !is_read(object));
        let read = self.read(kind).filter_map(|(.., object)| object);
        let read = read.filter(|object| object.has_key(key) && query.finds(object) && wanted(object));
        selection.objects.extend(read.cloned());
        shorten(&mut selection.objects, limit);
        selection
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.count_in(kind, "", key)
    }

    fn count_in(&self, kind: &'static str, namespace: &str, key: &str) -> Option<usize> {
        if let Some(list) = self.list(kind, namespace) {
            return Some(list.count(key));
        }
        let behind = self.behind.count_in(kind, namespace, key)?;
        let (mut more, mut fewer) = (0, 0);
        for (namespace, name, object) in self.read(kind) {
            more += usize::from(object.is_some_and(|object| object.has_key(key)));
            fewer += usize::from(self.is_counted_behind(kind, namespace, name, key));
        }
        Some((behind + more).saturating_sub(fewer))
    }

    fn count_all(&self, kind: &'static str, namespace: &str) -> Option<usize> {
        self.behind.count_all(kind, namespace)
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.behind.namespace(name)
    }

    fn find_namespace(&self, name: &str) -> NamespaceFound {
        self.namespaces.get(name).cloned().unwrap_or_else(|| self.behind.find_namespace(name))
    }

    fn may_read(&self, kind: &'static str, namespace: &str, name: &str) -> Option<bool> {
        let key = (kind, namespace.to_owned(), name.to_owned());
        self.permissions.get(&key).copied().or_else(|| self.behind.may_read(kind, namespace, name))
    }
}
