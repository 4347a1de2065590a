//! Maps of options for the clients of a storage or a service.

use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::credentials::{IN_THE_CLEAR, has_credentials};
use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    common::secret::is_secret,
    field::at,
};

/// Options by their keys.
pub type Options = BTreeMap<String, String>;

const MOST: usize = 100;
const LONGEST_KEY: usize = 253;
const LONGEST_VALUE: usize = 4096;

pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": LONGEST_VALUE},
        "maxProperties": MOST,
    })
}

/// Adds what is wrong with the options at `field`: with their form by the first of `rules`, credentials among them by the second.
pub(super) fn check(
    field: &str,
    options: Option<&Options>,
    (form, credentials): (&'static AdmissionRule, &'static AdmissionRule),
    problems: &mut Problems,
) {
    let Some(options) = options else { return };
    if options.len() > MOST {
        let message = format!("has {} entries of at most {MOST}; remove some", options.len());
        problems.add(form, Cause::TooMany, field, message);
    }
    for (key, value) in options.iter().take(MOST) {
        if let Some(message) = wrong(key, value) {
            problems.add(form, Cause::Invalid, at(field).key(key), message);
        }
        if is_secret(key, value) || has_credentials(value) {
            problems.add(credentials, Cause::Forbidden, at(field).key(key), IN_THE_CLEAR);
        }
    }
}

fn wrong(key: &str, value: &str) -> Option<&'static str> {
    match key.len() {
        0 => Some("has no key; give it one"),
        length if length > LONGEST_KEY => Some("has a key of more than 253 bytes; shorten it"),
        _ if value.chars().count() > LONGEST_VALUE => Some("is longer than 4096 characters; shorten it"),
        _ if key.chars().chain(value.chars()).any(char::is_control) => {
            Some("contains control characters; remove them")
        }
        _ => None,
    }
}
