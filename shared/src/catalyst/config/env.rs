//! Environment variables, and secrets that stand in the clear. No message repeats a value.

use std::collections::HashSet;

use serde_json::Value;

use super::{ENV, PLAIN_SECRET};
use crate::{
    admission::problem::{Cause, Problems},
    catalyst::container::{EnvVar, ValueFrom},
    common::secret::is_secret,
    field::FieldPath,
};

pub(super) fn check(env: Option<&[EnvVar]>, at: &FieldPath, problems: &mut Problems) {
    let mut seen = HashSet::new();
    for (nth, variable) in env.into_iter().flatten().enumerate() {
        let field = at.clone().field("env").index(nth);
        if !is_variable(&variable.name) {
            let message = "can't be the name of a variable; use letters, digits, '_', '-' and '.', without a digit in front";
            problems.add(&ENV, Cause::Invalid, field.clone().field("name"), message);
        } else if !seen.insert(variable.name.as_str()) {
            let message = "is listed twice; remove one";
            problems.add(&ENV, Cause::Duplicate, field.clone().field("name"), message);
        }
        if let Some(from) = &variable.value_from {
            check_source(variable, from, &field, problems);
        }
        let value = variable.value.as_deref().unwrap_or_default();
        if is_secret(&variable.name, value) {
            let message = "looks as if it held a secret in the clear; keep it in a Secret, and name that in valueFrom.secretKeyRef";
            problems.add(&PLAIN_SECRET, Cause::Invalid, field.field("value"), message);
        }
    }
}

fn check_source(variable: &EnvVar, from: &ValueFrom, field: &FieldPath, problems: &mut Problems) {
    let given = [
        from.secret_key_ref.is_some(),
        from.config_map_key_ref.is_some(),
        from.field_ref.is_some(),
        from.resource_field_ref.is_some(),
    ];
    let field = field.clone().field("valueFrom");
    if given.into_iter().filter(|given| *given).count() != 1 {
        let message = "names none or several places; keep one of secretKeyRef, configMapKeyRef, fieldRef and resourceFieldRef";
        problems.add(&ENV, Cause::Invalid, field, message);
    } else if variable.value.as_ref().is_some_and(|value| !value.is_empty()) {
        problems.add(&ENV, Cause::Forbidden, field, "is given beside value; remove one of them");
    }
}

fn is_variable(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !name.is_empty()
        && name.len() <= 253
        && !name.as_bytes()[0].is_ascii_digit()
        && ![".", ".."].contains(&name)
        && name.bytes().all(usual)
}

/// How deep, and among how many values, secrets are looked for.
const DEPTH: usize = 20;
const VALUES: usize = 5_000;

/// Adds a problem for each value inside of `value` that looks like a secret.
pub(in crate::catalyst) fn check_value(value: &Value, at: &FieldPath, problems: &mut Problems) {
    let mut left = VALUES;
    look("", value, at.clone(), DEPTH, &mut left, problems);
}

fn look(name: &str, value: &Value, at: FieldPath, depth: usize, left: &mut usize, problems: &mut Problems) {
    if depth == 0 || *left == 0 {
        return;
    }
    *left -= 1;
    match value {
        Value::String(text) if is_secret(name, text) => {
            let message = "looks as if it held a secret in the clear; keep it in a Secret of the environment, and let the chart read it there";
            problems.add(&PLAIN_SECRET, Cause::Invalid, at, message);
        }
        Value::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                look(name, item, at.clone().index(nth), depth - 1, left, problems);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                look(name, field, at.clone().key(name), depth - 1, left, problems);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_are_those_that_kubernetes_takes() {
        for good in ["A", "_a", "a.b-c", "NODE_ENV"] {
            assert!(is_variable(good), "{good}");
        }
        for bad in ["", "1A", "A B", "A=B", "ä", ".", "..", &"A".repeat(254)] {
            assert!(!is_variable(bad), "{bad}");
        }
    }
}
