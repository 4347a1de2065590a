//! Looking things up, wherever they are: in a cluster's cache, in files on disk, or nowhere.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::rule::{Enforcement, EnforcementError, RULES_ANNOTATION};
use crate::{
    child::OWNER_UID_LABEL,
    index::{Index, Stored},
    kind::Kind,
};

/// Whether an object is there.
#[derive(Clone, Debug)]
pub enum Found {
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
    /// What of its annotation can't be read, and so means nothing.
    pub mistakes: Vec<EnforcementError>,
    /// The uid of the object that it was made for.
    pub owner: Option<String>,
}

/// Whether a namespace is there.
#[derive(Clone, Debug)]
pub enum NamespaceFound {
    Present(Arc<Namespace>),
    /// It is not, as far as is known.
    Absent,
    /// Nobody here can tell.
    Unknown,
}

impl Namespace {
    /// What `annotation`, if there is one, says about rules.
    pub fn read(annotation: Option<&str>, terminating: bool) -> Self {
        let (enforcement, mistakes) = Enforcement::read(annotation.unwrap_or_default());
        Self { enforcement, terminating, mistakes, owner: None }
    }

    /// What the metadata of a namespace says.
    pub fn of(meta: &ObjectMeta) -> Self {
        let text = |texts: &Option<std::collections::BTreeMap<String, String>>, key| {
            texts.as_ref().and_then(|texts| texts.get(key)).cloned()
        };
        let annotation = text(&meta.annotations, RULES_ANNOTATION);
        let read = Self::read(annotation.as_deref(), meta.deletion_timestamp.is_some());
        Self { owner: text(&meta.labels, OWNER_UID_LABEL), ..read }
    }
}

/// Which objects of a kind are looked for: those with an index key.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub kind: &'static str,
    /// Empty for all.
    pub namespace: &'a str,
    pub key: &'a str,
    /// Whether those count that are being deleted.
    pub terminating: bool,
}

impl<'a> Query<'a> {
    /// Those that are not being deleted. However many others there are, none of them is looked at.
    pub const fn alive(kind: &'static str, namespace: &'a str, key: &'a str) -> Self {
        Self { kind, namespace, key, terminating: false }
    }

    /// All of them.
    pub const fn all(kind: &'static str, namespace: &'a str, key: &'a str) -> Self {
        Self { kind, namespace, key, terminating: true }
    }

    /// Whether an object is among them, that has the key.
    pub(super) fn finds(&self, object: &Stored) -> bool {
        (self.namespace.is_empty() || object.namespace() == self.namespace)
            && (self.terminating || !object.terminating())
    }
}

/// The objects around the one under review.
pub trait Lookup: Send + Sync {
    /// The object of this kind and name.
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found;

    /// The objects of this kind with an index key.
    fn select(&self, kind: &'static str, key: &str) -> Selection;

    /// The same of a key that only objects of one namespace have, so that it can be read again there.
    fn select_in(&self, kind: &'static str, _namespace: &str, key: &str) -> Selection {
        self.select(kind, key)
    }

    /// The first `limit` objects that a query finds and that are `wanted`, by namespace and name; last those that are being deleted.
    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        let mut selection = self.select_in(query.kind, query.namespace, query.key);
        selection.objects.retain(|object| query.finds(object) && wanted(object));
        shorten(&mut selection.objects, limit);
        selection
    }

    /// How many objects of this kind have an index key; `None` when nobody here can tell.
    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        let selection = self.select(kind, key);
        selection.complete.then_some(selection.objects.len())
    }

    /// The same of a key that only objects of one namespace have.
    fn count_in(&self, kind: &'static str, _namespace: &str, key: &str) -> Option<usize> {
        self.count(kind, key)
    }

    /// How many objects of this kind are in a namespace, or in all when it is empty; `None` when nobody here can tell.
    fn count_all(&self, _kind: &'static str, _namespace: &str) -> Option<usize> {
        None
    }

    /// A number that changes whenever an object of this kind and namespace is created, deleted, or changed in more than its status and
    /// annotations; `None` when nobody here can tell.
    fn edition_in(&self, _kind: &'static str, _namespace: &str) -> Option<u64> {
        None
    }

    /// The namespace; the default one when nothing is known.
    fn namespace(&self, name: &str) -> Arc<Namespace>;

    /// Whether there is a namespace of this name.
    fn find_namespace(&self, _name: &str) -> NamespaceFound {
        NamespaceFound::Unknown
    }

    /// Whether whoever makes the request may read this object, be it there or not; `None` when nobody here can tell.
    fn may_read(&self, _kind: &'static str, _namespace: &str, _name: &str) -> Option<bool> {
        None
    }
}

/// Something a [`Lookup`] should read afresh before a request is refused because of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    Object {
        kind: &'static str,
        namespace: String,
        name: String,
    },
    /// The objects of a kind in a namespace, in all namespaces when it is empty, but no more than
    /// [`Need::LIMIT`]: when there are more, nothing follows from those that were read.
    List {
        kind: &'static str,
        namespace: String,
    },
    Namespace {
        name: String,
    },
    /// Whether whoever makes the request may read this object.
    Permission {
        kind: &'static str,
        namespace: String,
        name: String,
    },
}

impl Need {
    /// The most objects that are listed. A list of all of a large namespace would take more memory than a
    /// replica has, as often as somebody is refused.
    pub const LIMIT: u32 = 500;

    /// The kind of what is to be read.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Object { kind, .. } | Self::List { kind, .. } | Self::Permission { kind, .. } => kind,
            Self::Namespace { .. } => "Namespace",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { kind, namespace, name } => write!(f, "{kind} {namespace}/{name}"),
            Self::List { kind, namespace } if namespace.is_empty() => write!(f, "the {kind} objects"),
            Self::List { kind, namespace } => write!(f, "the {kind} objects of namespace {namespace}"),
            Self::Namespace { name } => write!(f, "namespace {name}"),
            Self::Permission { kind, namespace, name } => {
                write!(f, "whether you may read {kind} {namespace}/{name}")
            }
        }
    }
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
    /// What whoever asks may not read, by kind and namespace. Files say nothing of rights: then all may be read.
    hidden: HashSet<(&'static str, String)>,
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

    /// All objects of a kind, in no order.
    pub fn all(&self, kind: &str) -> Vec<Stored> {
        self.kinds.get(kind).into_iter().flat_map(Index::iter).cloned().collect()
    }

    /// Adds a namespace.
    pub fn insert_namespace(&mut self, name: impl Into<String>, namespace: Namespace) {
        self.namespaces.insert(name.into(), Arc::new(namespace));
    }

    /// Lets whoever asks read no object of this kind in `namespace`.
    pub fn hide(&mut self, kind: &'static str, namespace: &str) {
        self.hidden.insert((kind, namespace.to_owned()));
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
        let objects = self.kinds.get(kind).into_iter().flat_map(|index| index.with_key("", key));
        Selection { objects: objects.cloned().collect(), complete: true }
    }

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        let objects = self.kinds.get(query.kind).map(|index| index.first(query, limit, wanted));
        Selection { objects: objects.unwrap_or_default(), complete: true }
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        Some(self.kinds.get(kind).map_or(0, |index| index.count(key)))
    }

    fn count_all(&self, kind: &'static str, namespace: &str) -> Option<usize> {
        Some(self.kinds.get(kind).map_or(0, |index| index.count_all(namespace)))
    }

    fn edition_in(&self, kind: &'static str, namespace: &str) -> Option<u64> {
        Some(self.kinds.get(kind).map_or(0, |index| index.edition_in(namespace)))
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.namespaces.get(name).cloned().unwrap_or_default()
    }

    fn find_namespace(&self, name: &str) -> NamespaceFound {
        let found = self.namespaces.get(name).cloned();
        found.map_or(NamespaceFound::Absent, NamespaceFound::Present)
    }

    fn may_read(&self, kind: &'static str, namespace: &str, _name: &str) -> Option<bool> {
        Some(!self.hidden.contains(&(kind, namespace.to_owned())))
    }
}

/// Keeps the first `limit` objects, in the order of an index.
pub(super) fn shorten(objects: &mut Vec<Stored>, limit: usize) {
    objects.sort_unstable_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    objects.truncate(limit);
}

/// What was found among the first objects of a query.
#[derive(Debug, Default)]
pub struct Looked {
    /// Those that are wanted.
    pub found: Vec<Stored>,
    /// How many were looked at.
    pub count: usize,
    /// Whether there are more, which nobody looked at although too few were found.
    pub unseen: bool,
}

impl Extend<Looked> for Looked {
    fn extend<T: IntoIterator<Item = Looked>>(&mut self, all: T) {
        for Looked { found, count, unseen } in all {
            self.found.extend(found);
            self.count += count;
            self.unseen |= unseen;
        }
    }
}

impl FromIterator<Looked> for Looked {
    fn from_iter<T: IntoIterator<Item = Looked>>(all: T) -> Self {
        let mut looked = Self::default();
        looked.extend(all);
        looked
    }
}

/// The first `limit` objects that are `wanted`, where `first` gives the first of all, as many as it is asked for. For caches behind a lock:
/// `wanted` may look up other objects, which must not happen while the lock is held.
pub fn first_wanted(
    limit: usize,
    wanted: &dyn Fn(&Stored) -> bool,
    first: impl Fn(usize) -> Vec<Stored>,
) -> Vec<Stored> {
    look(limit, usize::MAX, wanted, first).found
}

/// The same of no more than the first `among`.
fn look(
    limit: usize,
    among: usize,
    wanted: &dyn Fn(&Stored) -> bool,
    first: impl Fn(usize) -> Vec<Stored>,
) -> Looked {
    let mut many = limit.max(FIRST_LOOK).min(among);
    loop {
        // With one more, which tells whether there are others.
        let mut some = first(many.saturating_add(1));
        let are_more = some.len() > many;
        some.truncate(many);
        let count = some.len();
        let found: Vec<_> = some.into_iter().filter(wanted).take(limit).collect();
        let are_enough = found.len() == limit;
        if are_enough || !are_more || many == among {
            return Looked { found, count, unseen: are_more && !are_enough };
        }
        many = many.saturating_mul(4).min(among);
    }
}

/// How many objects are looked at before more are taken out of a cache.
const FIRST_LOOK: usize = 16;

/// Typed look-ups on any [`Lookup`].
pub trait LookupExt {
    /// The objects of kind `K` in a namespace with an index key.
    fn select_as<K: Kind>(&self, namespace: &str, key: &str) -> Vec<Arc<K>>;

    /// The first `limit` of them by name that are not being deleted.
    fn first_as<K: Kind>(&self, namespace: &str, key: &str, limit: usize) -> Vec<Arc<K>>;

    /// The first `limit` objects that are `wanted` of the first `among` that a query finds: whoever stores thousands that are not wanted
    /// makes no request and no run dear that looks for others.
    fn first_among(
        &self,
        query: Query<'_>,
        among: usize,
        limit: usize,
        wanted: &dyn Fn(&Stored) -> bool,
    ) -> Looked;
}

impl LookupExt for dyn Lookup + '_ {
    fn select_as<K: Kind>(&self, namespace: &str, key: &str) -> Vec<Arc<K>> {
        self.select_in(K::NAME, namespace, key).objects.iter().filter_map(Stored::get).collect()
    }

    fn first_as<K: Kind>(&self, namespace: &str, key: &str, limit: usize) -> Vec<Arc<K>> {
        let query = Query::alive(K::NAME, namespace, key);
        self.first(query, limit, &|_| true).objects.iter().filter_map(Stored::get).collect()
    }

    fn first_among(
        &self,
        query: Query<'_>,
        among: usize,
        limit: usize,
        wanted: &dyn Fn(&Stored) -> bool,
    ) -> Looked {
        look(limit, among, wanted, |many| self.first(query, many, &|_| true).objects)
    }
}

#[cfg(test)]
mod tests;
