//! Which store a pet belongs to.
//!
//! The one that its label names, else the one that its `spec.storeRef` names, else the namespace's only one,
//! else the first, by name, whose tags allow it.

use std::sync::Arc;

use super::{Pet, PetStore, STORE_LABEL};
use crate::{
    admission::{
        lookup::{Lookup, LookupExt},
        reference::referrers_key,
    },
    field::{FieldPath, at},
    index::Stored,
    kind::Kind,
};

/// The store that a pet names, and the field that names it.
pub fn explicit_store(pet: &Pet) -> Option<(FieldPath, &str)> {
    let label = pet.metadata.labels.as_ref().and_then(|labels| labels.get(STORE_LABEL));
    match (label, &pet.spec.store_ref) {
        (Some(name), _) => Some((at("metadata.labels").key(STORE_LABEL), name)),
        (None, Some(store)) => Some((at("spec.storeRef.name"), &store.name)),
        (None, None) => None,
    }
}

/// The key of all stores of a namespace.
pub fn stores_key(namespace: &str) -> String {
    format!("stores-of:{namespace}")
}

/// The key of a namespace's pets that name no store.
pub fn free_pets_key(namespace: &str) -> String {
    format!("free-pets-of:{namespace}")
}

/// The stores of a namespace, ordered by name.
#[derive(Debug)]
pub struct Stores(Vec<Arc<PetStore>>);

impl Stores {
    /// The stores of `namespace` in `lookup`.
    pub fn of(lookup: &dyn Lookup, namespace: &str) -> Self {
        let mut stores = lookup.select_as::<PetStore>(namespace, &stores_key(namespace));
        stores.retain(|store| store.metadata.deletion_timestamp.is_none());
        stores.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        Self(stores)
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when a pet that names no store has several to choose from.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// All tags that some store allows, for messages.
    pub fn all_allowed_tags(&self) -> Vec<&str> {
        let mut tags: Vec<_> =
            self.0.iter().flat_map(|store| store.allowed_tags()).map(String::as_str).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// The store that `pet` belongs to; `None` when there is none, or none that it names, or none of several
    /// allows it.
    pub fn store_of(&self, pet: &Pet) -> Option<&Arc<PetStore>> {
        match (explicit_store(pet), self.0.as_slice()) {
            (Some((_, name)), stores) => {
                stores.iter().find(|store| store.metadata.name.as_deref() == Some(name))
            }
            (None, [only]) => Some(only),
            (None, several) => several.iter().find(|store| store.allows(pet.spec.tag.as_deref())),
        }
    }

    /// How many pets belong to `store`.
    pub fn count_pets(&self, lookup: &dyn Lookup, store: &PetStore) -> usize {
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let count = |key: String| lookup.count_in(Pet::NAME, namespace, &key).unwrap_or_default();
        let free = match self.are_several() {
            false => count(free_pets_key(namespace)),
            true => self.free_pets(lookup, store).len(),
        };
        count(referrers_key(PetStore::NAME, namespace, store.name())) + free
    }

    /// The pets that belong to `store`.
    pub fn pets(&self, lookup: &dyn Lookup, store: &PetStore) -> Vec<Stored> {
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let key = referrers_key(PetStore::NAME, namespace, store.name());
        let mut pets = lookup.select_in(Pet::NAME, namespace, &key).objects;
        pets.extend(self.free_pets(lookup, store));
        pets
    }

    /// The pets that name no store and belong to `store`.
    pub fn free_pets(&self, lookup: &dyn Lookup, store: &PetStore) -> Vec<Stored> {
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let mut pets = lookup.select_in(Pet::NAME, namespace, &free_pets_key(namespace)).objects;
        pets.retain(|stored| {
            let owner = stored.get::<Pet>().and_then(|pet| self.store_of(&pet).cloned());
            owner.is_some_and(|owner| owner.metadata.name == store.metadata.name)
        });
        pets
    }
}
