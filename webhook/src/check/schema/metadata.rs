//! What the API server demands of every object's name and labels.

use concierge_shared::{
    admission::{
        problem::{Cause, Problem},
        rule::SCHEMA,
    },
    common::names::{is_label_key, is_label_value, is_name, is_namespace},
    field::{FieldPath, at},
};
use serde_json::Value;

/// What is wrong with the names and labels of `object`.
pub(crate) fn check(object: &Value) -> Vec<Problem> {
    let text = |key: &str| object["metadata"][key].as_str();
    let name = text("name").filter(|name| !name.is_empty());
    let prefix = text("generateName").filter(|prefix| !prefix.is_empty());
    let mut problems = Vec::new();
    match (name, prefix) {
        (None, None) => problems.push(problem(Cause::Required, at("metadata.name"), "is required; set it")),
        (Some(name), _) if !is_name(name) => {
            problems.push(problem(Cause::Invalid, at("metadata.name"), format!("{name:?} {NAME}")));
        }
        // The API server appends letters and digits, so the prefix may end in a dash.
        (None, Some(prefix)) if !is_name(&format!("{prefix}x")) => {
            problems.push(problem(Cause::Invalid, at("metadata.generateName"), format!("{prefix:?} {NAME}")));
        }
        _ => {}
    }
    if let Some(namespace) = text("namespace").filter(|text| !text.is_empty() && !is_namespace(text)) {
        let message =
            format!("{namespace:?} is not valid; use lower-case letters, digits and '-', at most 63");
        problems.push(problem(Cause::Invalid, at("metadata.namespace"), message));
    }
    for (key, value) in object["metadata"]["labels"].as_object().into_iter().flatten() {
        let field = at("metadata.labels").key(key);
        if !is_label_key(key) {
            problems.push(problem(Cause::Invalid, field.clone(), LABEL_KEY));
        }
        if value.as_str().is_some_and(|value| !is_label_value(value)) {
            problems.push(problem(Cause::Invalid, field, LABEL_VALUE));
        }
    }
    problems
}

const NAME: &str =
    "is not valid; use lower-case letters, digits, '-' and '.', begin and end with a letter or digit";
const LABEL_KEY: &str =
    "is not a valid label; use [prefix/]name, with letters, digits, '-', '_' and '.' in the name, at most 63";
const LABEL_VALUE: &str = "is not a valid value of a label; use letters, digits, '-', '_' and '.', begin and end with a \
                           letter or digit, at most 63";

fn problem(cause: Cause, field: FieldPath, message: impl Into<String>) -> Problem {
    Problem { field, rule: &SCHEMA, cause, message: message.into() }
}
