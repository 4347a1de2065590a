//! Which pets their store has no room for: of more than maxPets, the newest.

use std::collections::HashMap;

use concierge_shared::{
    admission::{lookup::Lookup, reference::referrers_key},
    index::Stored,
    kind::Kind,
    pets::{Pet, PetStore, Stores},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use parking_lot::Mutex;

/// For how many overfull stores it is remembered which pets came too late.
const REMEMBERED: usize = 1000;

/// Pets are counted for each run. Only when a store is overfull they are put in order, and only once until pets or stores of its namespace
/// change.
#[derive(Default)]
pub(super) struct Capacity(Mutex<HashMap<String, Overfull>>);

struct Overfull {
    /// Of pets and of stores.
    editions: [Option<u64>; 2],
    /// The oldest pet that came too late.
    first: Seniority,
}

type Seniority = (Option<Timestamp>, Option<String>);

impl Capacity {
    /// Whether `pet`, which belongs to `store`, is not among the oldest that it has room for.
    pub(super) fn is_short_for(
        &self,
        lookup: &dyn Lookup,
        stores: &Stores,
        store: &PetStore,
        pet: &Pet,
    ) -> bool {
        if stores.count_pets(lookup, store) <= store.max_pets() {
            return false;
        }
        let uid = store.metadata.uid.clone().unwrap_or_default();
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let editions = [Pet::NAME, PetStore::NAME].map(|kind| lookup.edition_in(kind, namespace));
        let of_pet = seniority(&pet.metadata);
        if let Some(known) = self.0.lock().get(&uid)
            && known.editions == editions
            && editions.iter().all(Option::is_some)
        {
            return of_pet >= known.first;
        }
        let Some(first) = first_too_late(lookup, stores, store) else { return false };
        let too_late = of_pet >= first;
        let mut all = self.0.lock();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(uid, Overfull { editions, first });
        too_late
    }
}

fn first_too_late(lookup: &dyn Lookup, stores: &Stores, store: &PetStore) -> Option<Seniority> {
    let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
    let named = referrers_key(PetStore::NAME, namespace, store.name());
    let mut pets = lookup.select_in(Pet::NAME, namespace, &named).objects;
    pets.extend(stores.free_pets(lookup, store));
    if pets.len() <= store.max_pets() {
        return None;
    }
    let by_age = |one: &Stored, other: &Stored| age(one.meta()).cmp(&age(other.meta()));
    let (_, first, _) = pets.select_nth_unstable_by(store.max_pets(), by_age);
    Some(seniority(first.meta()))
}

fn age(meta: &ObjectMeta) -> (Option<Timestamp>, Option<&str>) {
    (meta.creation_timestamp.as_ref().map(|time| time.0), meta.uid.as_deref())
}

fn seniority(meta: &ObjectMeta) -> Seniority {
    let (created, uid) = age(meta);
    (created, uid.map(str::to_owned))
}
