//! What the API server demands of every object's name and labels.

use concierge_shared::{
    admission::{
        problem::{Cause, Problem},
        rule::SCHEMA,
    },
    field::{FieldPath, at},
};

use crate::check::input::tree::Node;

/// What is wrong with the names and labels of `object`.
pub(crate) fn check(object: &Node) -> Vec<Problem> {
    let text = |key: &str| object.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Node::text);
    let name = text("name").filter(|name| !name.is_empty());
    let prefix = text("generateName").filter(|prefix| !prefix.is_empty());
    let mut problems = Vec::new();
    match (name, prefix) {
        (None, None) => problems.push(problem(Cause::Required, at("metadata.name"), "is required; set it")),
        (Some(name), _) if !is_subdomain(name) => {
            problems.push(problem(Cause::Invalid, at("metadata.name"), format!("{name:?} {NAME}")));
        }
        // The API server appends letters and digits, so the prefix may end in a dash.
        (None, Some(prefix)) if !is_subdomain(&format!("{prefix}x")) => {
            problems.push(problem(Cause::Invalid, at("metadata.generateName"), format!("{prefix:?} {NAME}")));
        }
        _ => {}
    }
    if let Some(namespace) = text("namespace").filter(|text| !text.is_empty() && !is_label(text)) {
        let message =
            format!("{namespace:?} is not valid; use lower-case letters, digits and '-', at most 63");
        problems.push(problem(Cause::Invalid, at("metadata.namespace"), message));
    }
    let labels = object.get("metadata").and_then(|metadata| metadata.get("labels")?.map());
    for entry in labels.into_iter().flat_map(|labels| labels.entries()) {
        let field = at("metadata.labels").key(&entry.key);
        if !is_qualified(&entry.key) {
            problems.push(problem(Cause::Invalid, field.clone(), LABEL_KEY));
        }
        if entry.value.text().is_some_and(|value| !value.is_empty() && !is_label_value(value)) {
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

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dashed)
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_dashed(text)
}

fn is_dashed(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_value(name),
        None => is_label_value(key),
    }
}

fn is_label_value(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_those_the_api_server_takes() {
        assert!(is_subdomain("rex") && is_subdomain("rex.the-2nd") && is_subdomain("7"));
        for bad in ["", "Rex", "-rex", "rex-", "a..b", "a_b", "ä"] {
            assert!(!is_subdomain(bad), "{bad}");
        }
        assert!(is_qualified("app") && is_qualified("petstore.example.com/store"));
        for bad in ["", "/a", "a/", "a/b/c", "-a"] {
            assert!(!is_qualified(bad), "{bad}");
        }
        assert!(is_label_value("A.b_c-9") && !is_label_value("my store") && !is_label_value(&"a".repeat(64)));
    }
}
