//! Objects of one kind in memory, found by name, by reference, by claim or by a key of their own.
//!
//! The webhook's watch caches, the files of an offline check and the answers of live reads are all held in
//! this one structure, so a rule looks things up in the same way wherever it runs.

mod sorted;

use std::{
    any::Any,
    borrow::Borrow,
    collections::{BTreeSet, HashMap, HashSet, hash_map},
    hash::{Hash, Hasher},
    ops::Bound,
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use self::sorted::{SortKey, Sorted};
use crate::{
    admission::{claim::Claim, lookup::Query, reference::Reference},
    kind::Kind,
};

/// What an object refers to, claims, and is looked up by.
#[derive(Debug, Default)]
pub struct Facts {
    pub references: Vec<Reference>,
    pub claims: Vec<Claim>,
    /// Its own index keys.
    pub keys: Vec<String>,
}

/// An object of any kind, shared. One pointer, because it is held under each of its keys.
#[derive(Clone)]
pub struct Stored(Arc<Entry>);

#[derive(Clone)]
struct Entry {
    kind: &'static str,
    object: Arc<dyn AnyObject>,
    keys: Arc<[Arc<str>]>,
}

trait AnyObject: Any + Send + Sync {
    fn object_meta(&self) -> &ObjectMeta;
}

impl<K: Kind> AnyObject for K {
    fn object_meta(&self) -> &ObjectMeta {
        self.meta()
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind(), self.namespace(), self.name())
    }
}

impl Stored {
    /// `object` with what it is found by. The references' and claims' keys are made here.
    pub fn new<K: Kind>(kind: &'static str, object: Arc<K>, facts: Facts) -> Self {
        let namespace = object.meta().namespace.clone().unwrap_or_default();
        let references = facts.references.iter().map(|reference| reference.index_key(&namespace));
        let implied = facts.references.iter().filter_map(|reference| reference.implied_key(&namespace));
        let claims = facts.claims.iter().map(Claim::index_key);
        let keys = references.chain(implied).chain(claims).chain(facts.keys).map(Arc::from).collect();
        Self(Arc::new(Entry { kind, object, keys }))
    }

    pub fn kind(&self) -> &'static str {
        self.0.kind
    }

    pub fn meta(&self) -> &ObjectMeta {
        self.0.object.object_meta()
    }

    /// The object's name; empty when it has none yet.
    pub fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// The object's namespace; empty for a cluster-scoped object.
    pub fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    /// True when the object is found by this key.
    pub fn has_key(&self, key: &str) -> bool {
        self.0.keys.iter().any(|own| **own == *key)
    }

    /// The keys that the object is found by.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys.iter().map(|key| &**key)
    }

    /// True when only status and annotations differ between `self` and `other`, an earlier version of it.
    fn is_like(&self, other: &Self) -> bool {
        let (meta, before) = (self.meta(), other.meta());
        self.0.keys == other.0.keys
            && (&meta.uid, meta.generation, &meta.labels) == (&before.uid, before.generation, &before.labels)
            && self.terminating() == other.terminating()
    }

    /// What objects of a kind are ordered by: those that are being deleted come last.
    pub fn sort_key(&self) -> (bool, &str, &str) {
        (self.terminating(), self.namespace(), self.name())
    }

    /// True when both are the very same version of an object, in the same place in memory.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0.object, &other.0.object)
    }

    /// True while the object is being deleted.
    pub fn terminating(&self) -> bool {
        self.meta().deletion_timestamp.is_some()
    }

    /// The object as its kind's type; `None` when it is of another kind.
    pub fn get<K: Kind>(&self) -> Option<Arc<K>> {
        let object: Arc<dyn Any + Send + Sync> = self.0.object.clone();
        object.downcast().ok()
    }
}

/// An index of the objects of one kind.
#[derive(Debug, Default)]
pub struct Index {
    by_namespace: HashMap<Box<str>, Objects>,
    by_key: HashMap<Arc<str>, Holders>,
    /// How many objects there are.
    total: usize,
    /// How often an object was added, removed, or changed in more than its status and annotations.
    changes: u64,
}

/// The objects of a namespace.
#[derive(Debug, Default)]
struct Objects {
    by_name: HashSet<InNamespace>,
    /// The number of the last change there, among those of all namespaces: one that is empty for a while has none that was there before.
    edition: u64,
}

/// The objects with one key. Most keys have one holder, but a store has ten thousand pets: adding or removing one must not go through the
/// others.
#[derive(Debug)]
enum Holders {
    One(Stored),
    #[expect(clippy::box_collection, reason = "it makes the many keys with one holder smaller")]
    Many(Box<BTreeSet<Sorted>>),
}

/// An object, found by its name among those of its namespace.
#[derive(Debug)]
struct InNamespace(Stored);

impl Borrow<str> for InNamespace {
    fn borrow(&self) -> &str {
        self.0.name()
    }
}

impl Hash for InNamespace {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name().hash(state);
    }
}

impl PartialEq for InNamespace {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for InNamespace {}

impl Holders {
    fn insert(&mut self, object: Stored) {
        if let Self::One(one) = self {
            *self = Self::Many(Box::new(BTreeSet::from([Sorted(one.clone())])));
        }
        if let Self::Many(many) = self {
            many.insert(Sorted(object));
        }
    }

    /// Takes an object out; true when none is left.
    fn remove(&mut self, object: &Stored) -> bool {
        let Self::Many(many) = self else { return true };
        many.remove(&object.sort_key() as &dyn SortKey);
        if let (Some(Sorted(last)), 1) = (many.first(), many.len()) {
            *self = Self::One(last.clone());
        }
        false
    }

    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.len(),
        }
    }

    /// Those that are being deleted, or those that are not, in `namespace`, or all when it is empty, by namespace and name.
    fn iter<'a>(&'a self, terminating: bool, namespace: &'a str) -> impl Iterator<Item = &'a Stored> {
        let (one, many) = match self {
            Self::One(one) => (Some(one), None),
            Self::Many(many) => {
                let first: &dyn SortKey = &(terminating, namespace, "");
                (None, Some(many.range::<dyn SortKey, _>((Bound::Included(first), Bound::Unbounded))))
            }
        };
        let all = one.into_iter().chain(many.into_iter().flatten().map(|Sorted(object)| object));
        all.take_while(move |object| {
            object.terminating() == terminating && (namespace.is_empty() || object.namespace() == namespace)
        })
    }
}

impl Index {
    /// Puts `object` in, in place of an older one of the same name.
    pub fn insert(&mut self, object: Stored) {
        let before = self.edition_in(object.namespace());
        let old = self.remove(object.namespace(), object.name());
        let is_like = old.as_ref().is_some_and(|old| old.is_like(&object));
        let object = self.with_known_keys(object, old.filter(|_| is_like));
        for key in object.0.keys.iter() {
            match self.by_key.entry(key.clone()) {
                hash_map::Entry::Vacant(none) => drop(none.insert(Holders::One(object.clone()))),
                hash_map::Entry::Occupied(mut holders) => holders.get_mut().insert(object.clone()),
            }
        }
        self.total += 1;
        self.changes += 1;
        let objects = self.by_namespace.entry(object.namespace().into()).or_default();
        objects.edition = if is_like { before } else { self.changes };
        objects.by_name.insert(InNamespace(object));
    }

    /// `object` with its keys taken from `like`, or from other objects: ten thousand pets of a store share one copy of its key.
    fn with_known_keys(&self, mut object: Stored, like: Option<Stored>) -> Stored {
        let known = |key: &Arc<str>| self.by_key.get_key_value(key).map_or(key, |(known, _)| known).clone();
        let keys = match like {
            Some(like) => like.0.keys.clone(),
            None => object.0.keys.iter().map(known).collect(),
        };
        Arc::make_mut(&mut object.0).keys = keys;
        object
    }

    /// Takes the object of this name out.
    pub fn remove(&mut self, namespace: &str, name: &str) -> Option<Stored> {
        let objects = self.by_namespace.get_mut(namespace)?;
        let InNamespace(old) = objects.by_name.take(name)?;
        self.total -= 1;
        self.changes += 1;
        objects.edition = self.changes;
        if objects.by_name.is_empty() {
            self.by_namespace.remove(namespace);
        }
        for key in old.0.keys.iter() {
            if self.by_key.get_mut(key).is_some_and(|holders| holders.remove(&old)) {
                self.by_key.remove(key);
            }
        }
        Some(old)
    }

    /// The object of this name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Stored> {
        self.by_namespace.get(namespace)?.by_name.get(name).map(|InNamespace(object)| object)
    }

    /// The objects with this key in `namespace`, or in all when it is empty, by namespace and name; first those that are not being deleted.
    pub fn with_key<'a>(&'a self, namespace: &'a str, key: &str) -> impl Iterator<Item = &'a Stored> {
        let holders = self.by_key.get(key).into_iter();
        holders.flat_map(move |holders| holders.iter(false, namespace).chain(holders.iter(true, namespace)))
    }

    /// The first `limit` that a query finds and that are `wanted`.
    pub fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Vec<Stored> {
        let found = self.with_key(query.namespace, query.key);
        // Those that are being deleted come last: who doesn't look for them goes through none.
        let found = found.take_while(|object| query.terminating || !object.terminating());
        found.filter(|object| wanted(object)).take(limit).cloned().collect()
    }

    /// How many objects have this key.
    pub fn count(&self, key: &str) -> usize {
        self.by_key.get(key).map_or(0, Holders::len)
    }

    /// How many objects there are in `namespace`, or in all when it is empty.
    pub fn count_all(&self, namespace: &str) -> usize {
        match namespace {
            "" => self.total,
            namespace => self.by_namespace.get(namespace).map_or(0, |objects| objects.by_name.len()),
        }
    }

    /// A number that changes whenever an object of a namespace is added, removed, or changed in more than its status and annotations.
    pub fn edition_in(&self, namespace: &str) -> u64 {
        self.by_namespace.get(namespace).map_or(0, |objects| objects.edition)
    }

    /// All objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.by_namespace.values().flat_map(|objects| &objects.by_name).map(|InNamespace(object)| object)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.total
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.by_namespace.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kind::store, pets::Pet};

    fn pet(namespace: &str, name: &str, store_name: &str) -> Stored {
        let json = serde_json::json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"id": 1, "name": name, "storeRef": {"name": store_name}},
        });
        store(Arc::new(serde_json::from_value::<Pet>(json).unwrap()))
    }

    fn check(index: &Index, namespace: &str, expect: &[&str]) {
        let names: Vec<_> =
            index.with_key(namespace, "claim:pets.pet.unique-id=1").map(Stored::name).collect();
        assert_eq!(names, expect, "{namespace:?}");
    }

    #[test]
    fn holders_are_found_by_namespace_and_in_order_whatever_comes_and_goes() {
        let mut index = Index::default();
        for (namespace, name) in [("zoo", "b"), ("bar", "c"), ("zoo", "a"), ("zoo", "a")] {
            index.insert(pet(namespace, name, "shop"));
        }
        check(&index, "", &["c", "a", "b"]);
        check(&index, "zoo", &["a", "b"]);
        check(&index, "ba", &[]);
        assert_eq!((index.count_all("zoo"), index.count_all("ba"), index.count_all("")), (2, 0, 3));
        index.insert(pet("zoo", "a", "other"));
        assert_eq!(index.count("ref:PetStore/zoo/shop"), 1);
        index.remove("bar", "c");
        index.remove("zoo", "b");
        check(&index, "", &["a"]);
        check(&index, "bar", &[]);
        index.remove("zoo", "a");
        check(&index, "", &[]);
        assert!(index.is_empty() && index.by_key.is_empty());
        assert_eq!(index.len(), 0);
    }

    #[test]
    fn what_is_derived_from_objects_holds_until_more_than_a_status_has_changed() {
        let mut index = Index::default();
        let mut editions = vec![index.edition_in("zoo")];
        let mut change = |index: &mut Index, what: &str, is_new: bool| {
            let known = editions.contains(&index.edition_in("zoo"));
            assert_eq!(known, !is_new, "{what}");
            editions.push(index.edition_in("zoo"));
        };
        index.insert(pet("zoo", "a", "shop"));
        change(&mut index, "came", true);
        let mut told = (*pet("zoo", "a", "shop").get::<Pet>().unwrap()).clone();
        told.status = Some(crate::pets::PetStatus { store: Some("shop".into()), ..Default::default() });
        index.insert(store(Arc::new(told)));
        change(&mut index, "status", false);
        assert_eq!(index.with_key("zoo", "ref:PetStore/zoo/shop").count(), 1);
        index.insert(pet("zoo", "a", "other"));
        change(&mut index, "moved", true);
        index.insert(pet("zoo", "b", "other"));
        change(&mut index, "another came", true);
        index.remove("zoo", "a");
        change(&mut index, "went", true);
        index.insert(pet("bar", "a", "shop"));
        change(&mut index, "elsewhere", false);
        index.remove("zoo", "b");
        index.insert(pet("zoo", "a", "shop"));
        change(&mut index, "all went, and one came", true);
    }
}
