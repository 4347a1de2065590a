//! Which store a pet belongs to.
//!
//! The one that its label names, else the one that its `spec.storeRef` names, else the namespace's only one,
//! else the first, by name, whose tags allow it.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{Pet, PetStore, STORE_LABEL};
use crate::{
    admission::{
        lookup::{Found, Looked, Lookup, LookupExt, Query},
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

/// The key of a namespace's pets that name no store and have this tag, or none.
pub fn free_pets_tag_key(namespace: &str, tag: Option<&str>) -> String {
    match tag {
        Some(tag) => format!("free-pets-of:{namespace}#{tag}"),
        None => format!("free-pets-without-tag-of:{namespace}"),
    }
}

/// The key of the pets that name a store and have this tag, or none.
pub fn named_pets_tag_key(namespace: &str, store: &str, tag: Option<&str>) -> String {
    match tag {
        Some(tag) => format!("pets-of:{namespace}/{store}#{tag}"),
        None => format!("pets-without-tag-of:{namespace}/{store}"),
    }
}

/// Among how many stores of a namespace, the first by name, a pet that names none can come to belong.
const STORES: usize = 100;

/// Among how many of a store's pets those are looked for whose tags it refuses.
const LOOKED_AT: usize = 100;

/// Among how many pets that name no store those are looked for that come to a store which takes whatever tags are left.
const WALKED: usize = 500;

/// The first stores of a namespace, ordered by name.
#[derive(Debug)]
pub struct Stores(Vec<Arc<PetStore>>);

/// Which pets that name no store belong to this one of several stores.
struct Share<'a> {
    store: &'a PetStore,
    /// Whether pets without a tag do.
    untagged: bool,
    /// Whether pets with a tag can.
    tagged: bool,
    /// The tags that go to stores before it.
    taken: HashSet<&'a str>,
}

impl Stores {
    /// The first stores of `namespace` in `lookup`.
    pub fn of(lookup: &dyn Lookup, namespace: &str) -> Self {
        Self(lookup.first_as::<PetStore>(namespace, &stores_key(namespace), STORES))
    }

    /// The first stores of a pet's namespace, and the one that it names, wherever that is in the order.
    pub fn around(lookup: &dyn Lookup, namespace: &str, pet: &Pet) -> Self {
        let mut stores = Self::of(lookup, namespace);
        if let Some((_, name)) = explicit_store(pet)
            && stores.0.len() == STORES
            && let Found::Present(stored) = lookup.find(PetStore::NAME, namespace, name)
            && !stored.terminating()
            && stores.0.iter().all(|store| store.name() != name)
        {
            stores.0.extend(stored.get());
        }
        stores
    }

    /// Those among which a pet that names none can choose.
    pub fn iter(&self) -> impl Iterator<Item = &PetStore> {
        self.0.iter().map(|store| &**store)
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

    /// How many pets belong to `store`, without a look at one of them.
    pub fn count_pets(&self, lookup: &dyn Lookup, store: &PetStore) -> usize {
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let named = referrers_key(PetStore::NAME, namespace, store.name());
        let named = lookup.count_in(Pet::NAME, namespace, &named).unwrap_or_default();
        named + self.count_free_pets(lookup, store)
    }

    fn count_free_pets(&self, lookup: &dyn Lookup, store: &PetStore) -> usize {
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let count = |key: &str| lookup.count_in(Pet::NAME, namespace, key).unwrap_or_default();
        if !self.are_several() {
            return count(&free_pets_key(namespace));
        }
        let share = self.share(store);
        let with = |tag: Option<&str>| count(&free_pets_tag_key(namespace, tag));
        let untagged = if share.untagged { with(None) } else { 0 };
        let tagged = match (share.tagged, store.allowed_tags()) {
            (false, _) => 0,
            (true, []) => {
                let elsewhere = share.taken.iter().map(|tag| with(Some(tag))).sum::<usize>() + with(None);
                count(&free_pets_key(namespace)).saturating_sub(elsewhere)
            }
            (true, allowed) => {
                let own: HashSet<_> = allowed.iter().map(String::as_str).collect();
                own.difference(&share.taken).map(|tag| with(Some(tag))).sum()
            }
        };
        untagged + tagged
    }

    /// How many of the pets that belong to `store` have a tag that it does not allow, without a look at one of them. A pet that
    /// can choose among several stores comes to none that refuses it.
    pub fn count_refused(&self, lookup: &dyn Lookup, store: &PetStore) -> usize {
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let count = |key: String| lookup.count_in(Pet::NAME, namespace, &key).unwrap_or_default();
        let with = |tag: Option<&str>| {
            let free = if self.are_several() { 0 } else { count(free_pets_tag_key(namespace, tag)) };
            free + count(named_pets_tag_key(namespace, store.name(), tag))
        };
        match (store.allowed_tags(), store.requires_tag()) {
            ([], requires_tag) => {
                if requires_tag {
                    with(None)
                } else {
                    0
                }
            }
            (allowed, requires_tag) => {
                let free = if self.are_several() { 0 } else { count(free_pets_key(namespace)) };
                let all = free + count(referrers_key(PetStore::NAME, namespace, store.name()));
                let untagged = if requires_tag { 0 } else { with(None) };
                let allowed: HashSet<_> = allowed.iter().map(String::as_str).collect();
                all.saturating_sub(untagged + allowed.into_iter().map(|tag| with(Some(tag))).sum::<usize>())
            }
        }
    }

    /// Those of them that are among the first of the store's pets by name. All are not looked at: each says so of itself.
    pub fn first_refused(&self, lookup: &dyn Lookup, store: &PetStore) -> Vec<Stored> {
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let first =
            |key: &str| lookup.first(Query::all(Pet::NAME, namespace, key), LOOKED_AT, &|_| true).objects;
        let mut pets = first(&referrers_key(PetStore::NAME, namespace, store.name()));
        if !self.are_several() {
            pets.extend(first(&free_pets_key(namespace)));
        }
        let is_refused =
            |pet: &Stored| pet.get::<Pet>().is_some_and(|pet| !store.allows(pet.spec.tag.as_deref()));
        pets.retain(is_refused);
        pets
    }

    /// The pets that name no store and belong to `store`.
    pub fn free_pets(&self, lookup: &dyn Lookup, store: &PetStore) -> Vec<Stored> {
        self.free(lookup, store, true, usize::MAX, usize::MAX).found
    }

    /// The first `limit` of them that are not being deleted, as far as they are found without a look at all pets of other stores.
    pub fn first_free_pets(&self, lookup: &dyn Lookup, store: &PetStore, limit: usize) -> Looked {
        self.free(lookup, store, false, WALKED, limit)
    }

    fn free(
        &self,
        lookup: &dyn Lookup,
        store: &PetStore,
        terminating: bool,
        among: usize,
        limit: usize,
    ) -> Looked {
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let all = |key: &str, limit| {
            let query = Query { kind: Pet::NAME, namespace, key, terminating };
            lookup.first(query, limit, &|_| true).objects
        };
        let of = |found: Vec<Stored>| Looked { count: found.len(), found, unseen: false };
        if !self.are_several() {
            return of(all(&free_pets_key(namespace), limit));
        }
        let share = self.share(store);
        if let Some(tags) = share.tags() {
            // By tag, so that nobody looks at those of the other stores.
            return of(tags.into_iter().fold(Vec::new(), |mut pets, tag| {
                pets.extend(all(&free_pets_tag_key(namespace, tag), limit - pets.len()));
                pets
            }));
        }
        let belongs = |stored: &Stored| stored.get::<Pet>().is_some_and(|pet| share.has(&pet));
        let count = self.count_free_pets(lookup, store);
        let query = Query { kind: Pet::NAME, namespace, key: &free_pets_key(namespace), terminating };
        // Without any, or once all are found, nobody looks further.
        let looked = lookup.first_among(query, if count > 0 { among } else { 0 }, limit.min(count), &belongs);
        Looked { unseen: looked.unseen && looked.found.len() < count, ..looked }
    }

    fn share<'a>(&'a self, store: &'a PetStore) -> Share<'a> {
        let before = || self.0.iter().take_while(|other| other.name() != store.name());
        Share {
            store,
            untagged: store.allows(None) && !before().any(|other| other.allows(None)),
            tagged: before().all(|other| !other.allowed_tags().is_empty()),
            taken: before().flat_map(|other| other.allowed_tags()).map(String::as_str).collect(),
        }
    }
}

impl<'a> Share<'a> {
    /// The tags of its pets, `None` for those without; nothing when it takes whatever tag is left.
    fn tags(&self) -> Option<Vec<Option<&'a str>>> {
        let mut tags: Vec<_> = self.untagged.then_some(None).into_iter().collect();
        match (self.tagged, self.store.allowed_tags()) {
            (false, _) => {}
            (true, []) => return None,
            (true, allowed) => {
                let own: BTreeSet<_> = allowed.iter().map(String::as_str).collect();
                tags.extend(own.into_iter().filter(|tag| !self.taken.contains(tag)).map(Some));
            }
        }
        Some(tags)
    }

    fn has(&self, pet: &Pet) -> bool {
        match pet.spec.tag.as_deref() {
            None => self.untagged,
            Some(tag) => self.tagged && !self.taken.contains(tag) && self.store.allows(Some(tag)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{admission::lookup::World, kind::store};

    fn pet_store(name: &str, tags: &[&str], require_tag: bool) -> PetStore {
        let json = json!({
            "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
            "metadata": {"namespace": "zoo", "name": name},
            "spec": {"name": name, "config": {"allowedTags": tags, "requireTag": require_tag}},
        });
        serde_json::from_value(json).unwrap()
    }

    fn pet(id: usize, tag: Option<&str>) -> Pet {
        let json = json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet",
            "metadata": {"namespace": "zoo", "name": format!("pet-{id}")},
            "spec": {"id": id, "name": "Pet", "tag": tag},
        });
        serde_json::from_value(json).unwrap()
    }

    /// Whatever the stores: what is counted by tag is what comes out when each pet is asked for its store.
    #[test]
    fn counting_by_tag_is_counting_pets() {
        let choices: [(&[&str], bool); 6] = [
            (&[], false),
            (&[], true),
            (&["cat"], false),
            (&["cat", "dog"], true),
            (&["dog", "dog"], false),
            (&["owl"], true),
        ];
        for case in 0..choices.len().pow(3) {
            let chosen = [case % 6, case / 6 % 6, case / 36].map(|choice| choices[choice]);
            let mut world = World::default();
            for (name, (tags, require)) in ["a", "b", "c"].into_iter().zip(chosen) {
                world.insert(store(Arc::new(pet_store(name, tags, require))));
            }
            for (id, tag) in [None, Some("cat"), Some("dog"), Some("dog"), Some("fish"), Some("owl")]
                .into_iter()
                .enumerate()
            {
                world.insert(store(Arc::new(pet(id, tag))));
            }
            let stores = Stores::of(&world, "zoo");
            let pets = (&world as &dyn Lookup).select_as::<Pet>("zoo", &free_pets_key("zoo"));
            for one in &stores.0 {
                let belong =
                    pets.iter().filter(|pet| stores.store_of(pet).is_some_and(|of| of.name() == one.name()));
                let belong: Vec<_> = belong.filter_map(|pet| pet.metadata.name.clone()).collect();
                assert_eq!(stores.count_pets(&world, one), belong.len(), "{chosen:?} {}", one.name());
                let free = stores.free_pets(&world, one);
                assert_eq!(
                    free.iter().map(Stored::name).collect::<HashSet<_>>(),
                    belong.iter().map(String::as_str).collect()
                );
            }
        }
    }

    #[test]
    fn a_store_that_takes_what_is_left_is_not_empty_because_the_pets_of_others_come_first() {
        let mut world = World::default();
        let rest = pet_store("rest", &[], false);
        world.insert(store(Arc::new(pet_store("cats", &["cat"], true))));
        world.insert(store(Arc::new(rest.clone())));
        for id in 0..WALKED + 100 {
            world.insert(store(Arc::new(pet(id, Some("cat")))));
        }
        let look = |world: &World| Stores::of(world, "zoo").first_free_pets(world, &rest, 10);
        assert_eq!(
            (look(&world).count, look(&world).unseen),
            (0, false),
            "the counts tell that there is none"
        );
        world.insert(store(Arc::new(pet(999, Some("dog")))));
        let Looked { found, count, unseen } = look(&world);
        assert_eq!((found.len(), count, unseen), (0, WALKED, true), "it comes last");
        let stores = Stores::of(&world, "zoo");
        assert_eq!(stores.free_pets(&world, &rest).len(), 1);
        world.remove(Pet::NAME, "zoo", "pet-999");
        world.insert(store(Arc::new(pet(0, Some("dog")))));
        assert_eq!((look(&world).found.len(), look(&world).unseen), (1, false), "it comes first, and is all");
    }

    #[test]
    fn pets_whose_tags_their_store_does_not_allow_are_counted_and_found() {
        let choices: [(&[&str], bool, usize); 6] = [
            (&[], false, 0),
            (&[], true, 2),
            (&["cat"], false, 6),
            (&["cat"], true, 8),
            (&["cat", "cat", "dog"], true, 4),
            (&["cat", "dog", "fish"], false, 0),
        ];
        for (tags, require_tag, expect) in choices {
            let mut world = World::default();
            let shop = pet_store("shop", tags, require_tag);
            world.insert(store(Arc::new(shop.clone())));
            for (id, tag) in
                [None, Some("cat"), Some("dog"), Some("dog"), Some("fish")].into_iter().enumerate()
            {
                world.insert(store(Arc::new(pet(id, tag))));
                let mut named = pet(id + 10, tag);
                named.metadata.labels = Some([(STORE_LABEL.to_owned(), "shop".to_owned())].into());
                world.insert(store(Arc::new(named)));
            }
            let refused = |world: &World| {
                let stores = Stores::of(world, "zoo");
                let count = stores.count_refused(world, &shop);
                assert_eq!(stores.first_refused(world, &shop).len(), count);
                count
            };
            assert_eq!(refused(&world), expect, "{tags:?} {require_tag}");
            // Then only those that name it can be refused.
            world.insert(store(Arc::new(pet_store("other", &["bird"], true))));
            assert_eq!(refused(&world), expect / 2, "{tags:?} {require_tag}, of two");
        }
    }
}
