//! What every element of a document has: a place, known keys, texts.

use std::collections::HashSet;

use jsonc_parser::{
    ast::{Object, ObjectProp, Value},
    common::Ranged,
};

use super::super::{
    Lint,
    document::{Item, Span},
    rules::*,
};
use crate::admission::rule::AdmissionRule;

pub(super) fn span(value: &impl Ranged) -> Span {
    value.start()..value.end()
}

pub(super) fn name_span(property: &ObjectProp<'_>) -> Span {
    property.name.start()..property.name.end()
}

/// Says which keys are there twice, or are none of `known`.
pub(super) fn check_keys(
    lint: &mut Lint<'_>,
    object: &Object<'_>,
    known: Option<(&[&str], &'static AdmissionRule)>,
) {
    let mut seen = HashSet::new();
    for property in &object.properties {
        let name = property.name.as_str();
        if !seen.insert(name) {
            lint.add(&DOC_03, name_span(property), format!("{name:?} is there twice; keep one"));
        }
        let Some((known, rule)) = known.filter(|(known, _)| !known.contains(&name)) else { continue };
        match known.iter().find(|one| one.eq_ignore_ascii_case(name)) {
            Some(right) => lint.add(&DOC_05, name_span(property), format!("{name:?} is written {right:?}")),
            None => {
                let message = format!("{name:?} is no element here; use only {}", known.join(", "));
                lint.add(rule, name_span(property), message);
            }
        }
    }
}

/// The brace with which the object begins: the place of what is missing in it.
pub(super) fn start(object: &Object<'_>) -> Span {
    object.range.start..object.range.start + 1
}

/// A text or a list of texts, neither empty.
pub(super) fn items(lint: &mut Lint<'_>, value: &Value<'_>, what: &str) -> Vec<Item> {
    let all: Vec<&Value<'_>> = match value {
        Value::Array(array) => array.elements.iter().collect(),
        _ => vec![value],
    };
    if all.is_empty() {
        lint.add(
            &STM_09,
            span(value),
            format!("{what} is an empty list; name at least one, or remove the statement"),
        );
    }
    let items: Vec<_> = all.into_iter().filter_map(|one| string(lint, one, what)).collect();
    let mut seen = HashSet::new();
    for item in &items {
        if item.text.is_empty() {
            lint.add(&STM_09, item.span.clone(), format!("an entry of {what} is empty; remove it"));
        } else if !seen.insert(item.text.as_str()) {
            lint.add(&STM_10, item.span.clone(), format!("{:?} is there twice; remove one", item.text));
        }
    }
    items
}

pub(super) fn string(lint: &mut Lint<'_>, value: &Value<'_>, what: &str) -> Option<Item> {
    match value {
        Value::StringLit(text) => Some(Item { text: text.value.to_string(), span: span(value) }),
        _ => {
            lint.add(&DOC_13, span(value), format!("{what} is a text in quotes here"));
            None
        }
    }
}
