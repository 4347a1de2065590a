//! A pet.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{PetStore, STORE_LABEL, alphabet, binding, check_alphabet, explicit_store};
use crate::{
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, trimmed},
        envelope::Operation,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
    },
    field::at,
    kind::Kind,
    pets::Stores,
    rules, status,
};

/// What a pet is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "petstore.example.com",
    version = "v1",
    kind = "Pet",
    plural = "pets",
    namespaced,
    status = "PetStatus",
    category = "animals",
    doc = "A pet, with an id that no other pet in the cluster has.",
    printcolumn(name = "Pet-ID", type_ = "integer", json_path = ".spec.id"),
    printcolumn(name = "Pet-Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Tag", type_ = "string", json_path = ".spec.tag"),
    printcolumn(name = "Store", type_ = "string", json_path = ".status.store"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PetSpec {
    /// The pet's id, unique in the cluster, from 1 to 9223372036854775807. It never changes.
    #[validate(range(min = 1, code = "pets.pet.id"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another Pet instead"))]
    pub id: i64,
    /// The pet's name: 1 to 255 letters, digits, spaces, '-', '_' and '.'.
    #[validate(length(min = 1, max = 255, code = "pets.pet.name"))]
    #[x_kube(validation = alphabet())]
    pub name: String,
    /// The pet's category: up to 100 letters, digits, spaces, '-', '_' and '.'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 100, code = "pets.pet.tag"))]
    #[x_kube(validation = alphabet())]
    pub tag: Option<String>,
    /// The PetStore that the pet belongs to, unless the label petstore.example.com/store names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<StoreRef>,
}

/// A PetStore in the pet's namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoreRef {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// Where a pet stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PetPhase {
    /// Not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// All is well.
    Active,
    /// Admitted, but its store has no room for it.
    Inactive,
    /// Something must be mended first.
    Error,
}

status! {
    /// What Concierge found out about a pet.
    pub struct PetStatus() {
        /// Where the pet stands, in one word.
        pub phase: Option<PetPhase>,
        /// The PetStore that the pet belongs to.
        pub store: Option<String>,
        /// The base URL of the service at which the pet is kept, or is about to be.
        pub remote: Option<String>,
    }
}

rules! {
    ID = Deny "pets.pet.id", "A pet's id is a whole number from 1 to 9223372036854775807.";
    ID_IMMUTABLE = Deny "pets.pet.id-immutable", "A pet's id never changes.";
    UNIQUE_ID = Deny protects_others "pets.pet.unique-id", "No two pets in the cluster have the same id.";
    NAME = Deny "pets.pet.name", "A pet's name has 1 to 255 letters, digits, spaces, '-', '_' and '.', and is not blank.";
    TAG = Deny "pets.pet.tag", "A pet's tag has up to 100 letters, digits, spaces, '-', '_' and '.'.";
    STORE_EXISTS = Deny "pets.pet.store-exists", "The PetStore that a pet names exists in its namespace.";
    TAG_ALLOWED = Deny "pets.pet.tag-allowed", "A pet's tag is one that its PetStore allows; comparison is exact.";
    TAG_REQUIRED = Deny "pets.pet.tag-required", "A pet has a tag when its PetStore says requireTag.";
    CAPACITY = Deny "pets.pet.capacity", "A PetStore holds no more pets than its config.maxPets.";
}

impl Kind for Pet {
    const NAME: &'static str = "Pet";
    /// The label names the store.
    const READ_LABELS: &'static [&'static str] = &[STORE_LABEL];
    const RULES: &'static [&'static crate::admission::rule::AdmissionRule] = RULES;
    const FILLS: &'static [Filled] = &[trimmed("spec.name"), trimmed("spec.tag")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.trim(&mut self.spec.name, "spec.name");
        if let Some(tag) = &mut self.spec.tag {
            fill.trim(tag, "spec.tag");
        }
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        check_alphabet(problems, &NAME, "spec.name", &spec.name);
        check_alphabet(problems, &TAG, "spec.tag", spec.tag.as_deref().unwrap_or_default());
        if let Some(old) = review.old.filter(|old| old.spec.id != spec.id) {
            let message =
                format!("is immutable; keep {}, or create another Pet with id {}", old.spec.id, spec.id);
            problems.add(&ID_IMMUTABLE, Cause::Forbidden, "spec.id", message);
        }
        check_store(review, problems);
    }

    fn references(&self) -> Vec<Reference> {
        let named = explicit_store(self).map(|(field, name)| Reference {
            field,
            kind: PetStore::NAME,
            namespace: None,
            name: name.to_owned(),
            rule: &STORE_EXISTS,
            protects: true,
            implied: false,
        });
        named.into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim { field: at("spec.id"), rule: &UNIQUE_ID, key: self.spec.id.to_string(), taken: None }]
    }

    fn index_keys(&self) -> Vec<String> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let tag = self.spec.tag.as_deref();
        match explicit_store(self) {
            // That it names the store is a reference, which has a key of its own.
            Some((_, store)) => vec![binding::named_pets_tag_key(namespace, store, tag)],
            None => vec![binding::free_pets_key(namespace), binding::free_pets_tag_key(namespace, tag)],
        }
    }
}

fn check_store(review: &Review<'_, Pet>, problems: &mut Problems) {
    let pet = review.object;
    let namespace = review.namespace;
    let stores = review.look_up(|lookup| Stores::around(lookup, namespace, pet));
    let rules = [&TAG_ALLOWED, &TAG_REQUIRED];
    stores.check(problems, "spec.tag", &rules, |stores, problems| match stores.store_of(pet) {
        Some(store) => check_tag(pet, store, problems),
        // A store that is named and missing is the reference's problem.
        None if explicit_store(pet).is_none() && stores.are_several() => {
            refuse_tag(review, &stores, problems)
        }
        None => {}
    });
    let full = review.look_up(|lookup| {
        let stores = Stores::around(lookup, namespace, pet);
        let store = stores.store_of(pet).filter(|store| joins(review, &stores, store))?;
        Some((store.clone(), stores.count_pets(lookup, store)))
    });
    let field = explicit_store(pet).map_or_else(|| at("spec"), |(field, _)| field);
    full.check(problems, field.clone(), &[&CAPACITY], |store, problems| {
        let Some((store, held)) = store.filter(|(store, held)| *held >= store.max_pets()) else { return };
        let message = format!(
            "PetStore {:?} is full with {held} of {} pets; choose another, or raise its config.maxPets",
            store.name(),
            store.max_pets()
        );
        problems.add(&CAPACITY, Cause::TooMany, field, message);
    });
}

/// Whether the pet did not belong to `store` before.
fn joins(review: &Review<'_, Pet>, stores: &Stores, store: &PetStore) -> bool {
    let moved = |old: &Pet| stores.store_of(old).is_none_or(|before| before.name() != store.name());
    review.operation == Operation::Create || review.old.is_some_and(moved)
}

/// Adds the problem of a tag that none of several stores allows.
fn refuse_tag(review: &Review<'_, Pet>, stores: &Stores, problems: &mut Problems) {
    match &review.object.spec.tag {
        Some(tag) => {
            let message = format!(
                "{tag:?} is allowed by none of the PetStores of namespace {}; use one of {}",
                review.namespace,
                stores.all_allowed_tags().join(", ")
            );
            problems.add(&TAG_ALLOWED, Cause::NotSupported, "spec.tag", message);
        }
        None => {
            let message = "is required by all PetStores of the namespace; set it";
            problems.add(&TAG_REQUIRED, Cause::Required, "spec.tag", message);
        }
    }
}

fn check_tag(pet: &Pet, store: &PetStore, problems: &mut Problems) {
    let tag = pet.spec.tag.as_deref();
    if store.allows(tag) {
        return;
    }
    let name = store.name();
    let allowed = store.allowed_tags().join(", ");
    match tag {
        None => {
            let message = format!("is required by PetStore {name:?}; use one of {allowed}");
            problems.add(&TAG_REQUIRED, Cause::Required, "spec.tag", message);
        }
        Some(tag) => {
            let message = format!("{tag:?} is not allowed by PetStore {name:?}; use one of {allowed}");
            problems.add(&TAG_ALLOWED, Cause::NotSupported, "spec.tag", message);
        }
    }
}
