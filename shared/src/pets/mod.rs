//! The group `petstore.example.com`: pets and the stores they belong to.

pub mod binding;
pub mod pet;
pub mod petstore;

pub use binding::{Stores, explicit_store, free_pets_key, free_pets_tag_key, stores_key};
pub use pet::{Pet, PetPhase, PetSpec, PetStatus, StoreRef};
pub use petstore::{Config, Endpoints, PetStore, PetStorePhase, PetStoreSpec, PetStoreStatus, Security};

use crate::admission::{
    problem::{Cause, Problems},
    rule::AdmissionRule,
};

/// The label on a Pet that names the PetStore it belongs to.
pub const STORE_LABEL: &str = "petstore.example.com/store";

/// None: the keys of services stand in Secrets.
pub const SECRET_PREFIXES: &[&str] = &[];

crate::settings! {}

/// The alphabet of names and tags, for the API server. A rule rather than a pattern, for the sake of its message.
fn alphabet() -> kube::core::Rule {
    kube::core::Rule::new("self.matches('^[A-Za-z0-9 ._-]*$')")
        .message("use only letters, digits, spaces, '-', '_' and '.'")
}

/// Adds a problem when `text` has characters outside the alphabet of names and tags.
fn check_alphabet(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<crate::field::FieldPath>,
    text: &str,
) {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_' | b'.');
    // Bytes first: nearly every text is in order, and reading characters takes longer.
    if text.bytes().all(usual) {
        return;
    }
    if let Some(strange) = text.chars().find(|c| !u8::try_from(*c).is_ok_and(usual)) {
        let message = format!("contains {strange:?}; use only letters, digits, spaces, '-', '_' and '.'");
        problems.add(rule, Cause::Invalid, field, message);
    }
}

#[cfg(test)]
mod tests;
