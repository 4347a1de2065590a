//! Tags of buckets, users and policies.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::at,
};

/// Tags by their keys.
pub type Tags = BTreeMap<String, String>;

/// The most tags that anything has at a provider.
pub(super) const MOST: usize = 50;
/// How the keys of Concierge's own tags begin.
const OWN_PREFIX: &str = "concierge.dev/";

/// The schema of tags. How long a key may be is a rule.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 256},
        "maxProperties": MOST,
    })
}

/// The rules of the tags of one kind of thing.
pub(super) struct TagRules {
    pub count: &'static AdmissionRule,
    pub text: &'static AdmissionRule,
    pub reserved: &'static AdmissionRule,
    pub own: &'static AdmissionRule,
    /// How many there may be.
    pub most: usize,
    /// Whether keys that differ in case alone are the same.
    pub folded: bool,
}

/// Adds what is wrong with the tags at `field`.
pub(super) fn check(field: &str, tags: Option<&Tags>, rules: &TagRules, problems: &mut Problems) {
    let Some(tags) = tags else { return };
    if tags.len() > rules.most {
        let message = format!("has {} tags of at most {}; remove some", tags.len(), rules.most);
        problems.add(rules.count, Cause::TooMany, at(field), message);
    }
    let mut seen = BTreeSet::new();
    for (key, value) in tags {
        let field = at(field).key(key);
        if rules.folded && !seen.insert(key.to_lowercase()) {
            let message = "is there twice, upper and lower case aside; remove one";
            problems.add(rules.text, Cause::Duplicate, field.clone(), message);
        }
        if let Some(message) = wrong(key, value) {
            problems.add(rules.text, Cause::Invalid, field.clone(), message);
        }
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            let message = "begins with aws:, which is the provider's; choose another key";
            problems.add(rules.reserved, Cause::Forbidden, field.clone(), message);
        }
        if key.starts_with(OWN_PREFIX) {
            let message =
                format!("begins with {OWN_PREFIX}, by which Concierge knows its own; choose another key");
            problems.add(rules.own, Cause::Forbidden, field, message);
        }
    }
}

fn wrong(key: &str, value: &str) -> Option<&'static str> {
    let usual = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    match (key.chars().count(), value.chars().count()) {
        (0 | 129.., _) => Some("has a key that is not 1 to 128 characters long; choose another"),
        (_, 257..) => Some("has a value that is longer than 256 characters; shorten it"),
        _ if !key.chars().chain(value.chars()).all(usual) => {
            Some("has other characters than letters, digits, spaces and _ . : / = + - @; remove them")
        }
        _ => None,
    }
}
