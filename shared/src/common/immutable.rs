//! Objects that never change.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    admission::{
        defaults::Defaulted,
        problem::{Cause, Problems},
        review::Review,
        rule::AdmissionRule,
    },
    kind::Kind,
};

/// Adds a problem when the spec is not what it was.
pub fn check_spec_immutable<K: Kind>(
    review: &Review<'_, K>,
    immutable: &'static AdmissionRule,
    what: &str,
    problems: &mut Problems,
) {
    let Some(old) = review.old.map(|old| Defaulted::new(old.clone()).0) else { return };
    if old.spec() != review.object.spec() {
        let fields = changed_fields(old.spec(), review.object.spec()).join(", ");
        let message = format!("{what}, and {fields} changed; create another {} instead", K::NAME);
        problems.add(immutable, Cause::Forbidden, "spec", message);
    }
}

/// The names of the fields in which two values of a type differ, in alphabetical order.
pub fn changed_fields<T: Serialize>(old: &T, new: &T) -> Vec<String> {
    let fields = |value: &T| match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(old), fields(new));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}
