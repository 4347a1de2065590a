//! Environment variables, and secrets that stand in the clear. No message repeats a value.

use std::collections::HashSet;

use serde_json::Value;

use super::{ENV, PLAIN_SECRET};
use crate::{
    admission::problem::{Cause, Problems},
    catalyst::container::{EnvVar, ValueFrom},
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

/// What names of secrets contain, without '_' and '-'.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "credential",
];
/// What names of things contain that only tell of a secret where it is.
const HARMLESS_ENDS: [&str; 7] = ["name", "ref", "file", "path", "url", "enabled", "ttl"];

/// Whether `value` looks as if it were a secret: by its name, or since it is an address with a password.
pub fn is_secret(name: &str, value: &str) -> bool {
    let word: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let by_name = SECRET_WORDS.iter().any(|secret| word.contains(secret))
        && !HARMLESS_ENDS.iter().any(|end| word.ends_with(end));
    // `$(NAME)` stands for another variable's value.
    let is_elsewhere = value.trim().is_empty() || (value.starts_with("$(") && value.ends_with(')'));
    !is_elsewhere && (by_name || has_password(value))
}

/// `scheme://user:password@host`
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let user = rest.split(['/', '?', '#']).next().and_then(|authority| authority.rsplit_once('@'));
    let password = user.and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
    password.is_some_and(|password| !password.is_empty() && !password.starts_with("$("))
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
    fn secrets_are_known_by_their_names_and_by_passwords_in_addresses() {
        for (name, value) in [
            ("POSTGRES_PASSWORD", "postgres"),
            ("githubToken", "x"),
            ("STRIPE_API_KEY", "x"),
            ("NEXTAUTH_SECRET", "x"),
            ("DATABASE_URL", "postgres://u:p@db/x"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("POSTGRES_PASSWORD", ""),
            ("POSTGRES_PASSWORD", "$(PASSWORD)"),
            ("SECRET_NAME", "db"),
            ("PASSWORD_FILE", "/run/x"),
            ("DATABASE_URL", "postgres://u@db/x"),
            ("DATABASE_URL", "postgres://u:$(PASSWORD)@db/x"),
            ("NODE_ENV", "development"),
            ("TOKEN_TTL", "1h"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }

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
