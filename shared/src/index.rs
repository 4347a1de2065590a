//! Objects of one kind in memory, found by name, by reference, by claim or by a key of their own.
//!
//! The webhook's watch caches, the files of an offline check and the answers of live reads are all held in
//! this one structure, so a rule looks things up in the same way wherever it runs.

use std::{any::Any, collections::HashMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    admission::{claim::Claim, reference::Reference},
    kind::Kind,
};

/// What an object refers to, claims, and is looked up by.
#[derive(Debug, Default)]
pub struct Facts {
    /// Its references.
    pub references: Vec<Reference>,
    /// Its claims.
    pub claims: Vec<Claim>,
    /// Its own index keys.
    pub keys: Vec<String>,
}

/// An object of any kind, shared.
#[derive(Clone)]
pub struct Stored {
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
        write!(f, "{} {}/{}", self.kind, self.namespace(), self.name())
    }
}

impl Stored {
    /// `object` with what it is found by. The references' and claims' keys are made here.
    pub fn new<K: Kind>(kind: &'static str, object: Arc<K>, facts: Facts) -> Self {
        let namespace = object.meta().namespace.clone().unwrap_or_default();
        let references = facts.references.iter().map(|reference| reference.index_key(&namespace));
        let claims = facts.claims.iter().map(Claim::index_key);
        let keys = references.chain(claims).chain(facts.keys).map(Arc::from).collect();
        Self { kind, object, keys }
    }

    /// The object's kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The object's metadata.
    pub fn meta(&self) -> &ObjectMeta {
        self.object.object_meta()
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
        self.keys.iter().any(|own| **own == *key)
    }

    /// True while the object is being deleted.
    pub fn terminating(&self) -> bool {
        self.meta().deletion_timestamp.is_some()
    }

    /// The object as its kind's type; `None` when it is of another kind.
    pub fn get<K: Kind>(&self) -> Option<Arc<K>> {
        let object: Arc<dyn Any + Send + Sync> = self.object.clone();
        object.downcast().ok()
    }
}

/// An index of the objects of one kind.
#[derive(Debug, Default)]
pub struct Index {
    by_namespace: HashMap<Box<str>, HashMap<Box<str>, Stored>>,
    by_key: HashMap<Arc<str>, Vec<Stored>>,
}

impl Index {
    /// Puts `object` in, in place of an older one of the same name.
    pub fn insert(&mut self, object: Stored) {
        self.remove(object.namespace(), object.name());
        for key in object.keys.iter() {
            // Most keys have one holder: a claim's never has more for long.
            let holders = self.by_key.entry(key.clone()).or_insert_with(|| Vec::with_capacity(1));
            holders.push(object.clone());
        }
        let by_name = self.by_namespace.entry(object.namespace().into()).or_default();
        by_name.insert(object.name().into(), object);
    }

    /// Takes the object of this name out.
    pub fn remove(&mut self, namespace: &str, name: &str) -> Option<Stored> {
        let by_name = self.by_namespace.get_mut(namespace)?;
        let old = by_name.remove(name)?;
        if by_name.is_empty() {
            self.by_namespace.remove(namespace);
        }
        for key in old.keys.iter() {
            if let Some(holders) = self.by_key.get_mut(key) {
                holders.retain(|holder| !Arc::ptr_eq(&holder.object, &old.object));
                if holders.is_empty() {
                    self.by_key.remove(key);
                }
            }
        }
        Some(old)
    }

    /// The object of this name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Stored> {
        self.by_namespace.get(namespace)?.get(name)
    }

    /// The objects with this key.
    pub fn with_key(&self, key: &str) -> &[Stored] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// All objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.by_namespace.values().flat_map(HashMap::values)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.by_namespace.values().map(HashMap::len).sum()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.by_namespace.is_empty()
    }
}
