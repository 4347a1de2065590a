//! From text to a [`Policy`]: strict JSON, then the shape that the grammar demands.

use std::collections::HashSet;

use jsonc_parser::{
    ParseOptions,
    ast::{Array, Object, ObjectProp, Value},
    common::Ranged,
};
use serde::de::IgnoredAny;

use super::{
    Lint,
    document::{Condition, Effect, Item, Items, Policy, Principals, Span, Statement, Version},
    rules::*,
};

const MAX_DEPTH: usize = 8;
const MAX_VALUES: usize = 20_000;
const ELEMENTS: &[&str] = &["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The policy in the text that `lint` is about, without the statements that lack something; `None` when there is no
/// looking at it.
pub(super) fn read(lint: &mut Lint<'_>) -> Option<Policy> {
    let text = lint.text;
    if text.starts_with('\u{feff}') {
        lint.add(&DOC_01, 0..3, "begins with a byte order mark; save it as UTF-8 without one");
        return None;
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let at = offset(text, error.line(), error.column());
        lint.add(&DOC_02, at..at, format!("is not valid JSON: {}", plain(&error)));
        return None;
    }
    // serde_json has judged the text; this parser adds the places.
    let value = match jsonc_parser::parse_to_ast(text, &Default::default(), &STRICT) {
        Ok(parsed) => parsed.value?,
        Err(error) => {
            let range = error.range();
            lint.add(&DOC_02, range.start..range.end, format!("is not valid JSON: {}", error.kind()));
            return None;
        }
    };
    if !is_bounded(lint, &value) {
        return None;
    }
    policy(lint, &value)
}

/// What serde_json says, without the place, which is shown in another way.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn is_bounded(lint: &mut Lint<'_>, root: &Value<'_>) -> bool {
    let (mut stack, mut values) = (vec![(root, 1)], 0);
    while let Some((value, depth)) = stack.pop() {
        values += 1;
        if depth > MAX_DEPTH || values > MAX_VALUES {
            let message = format!(
                "is nested more than {MAX_DEPTH} deep or has more than {MAX_VALUES} values; make it simpler"
            );
            lint.add(&DOC_12, span(value), message);
            return false;
        }
        match value {
            Value::Object(object) => {
                stack.extend(object.properties.iter().map(|one| (&one.value, depth + 1)))
            }
            Value::Array(array) => stack.extend(array.elements.iter().map(|one| (one, depth + 1))),
            _ => {}
        }
    }
    true
}

fn span(value: &impl Ranged) -> Span {
    value.start()..value.end()
}

fn name_span(property: &ObjectProp<'_>) -> Span {
    property.name.start()..property.name.end()
}

/// Says which keys are there twice, or are none of `known`.
fn check_keys(
    lint: &mut Lint<'_>,
    object: &Object<'_>,
    known: Option<(&[&str], &'static crate::admission::rule::AdmissionRule)>,
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

fn policy(lint: &mut Lint<'_>, value: &Value<'_>) -> Option<Policy> {
    let Value::Object(document) = value else {
        lint.add(
            &DOC_11,
            span(value),
            "a policy document is an object: {\"Version\": ..., \"Statement\": [...]}",
        );
        return None;
    };
    check_keys(lint, document, Some((ELEMENTS, &DOC_04)));
    let version = version(lint, document);
    if let Some(id) = document.get("Id") {
        string(lint, &id.value, "Id");
        if !lint.subject.is_of_bucket() {
            lint.add(&DOC_09, name_span(id), "Id is only for bucket policies; remove it");
        }
    }
    let Some(statement) = document.get("Statement") else {
        lint.add(&DOC_10, span(value), "Statement is missing; add \"Statement\": [...]");
        return None;
    };
    let statements = statements(lint, &statement.value);
    Some(Policy { version, statements })
}

fn version(lint: &mut Lint<'_>, document: &Object<'_>) -> Version {
    let is_identity = !lint.subject.is_of_bucket();
    let Some(property) = document.get("Version") else {
        let rule = if is_identity { &DOC_07_IDENTITY } else { &DOC_07 };
        let at = document.range.start..document.range.start + 1;
        lint.add(rule, at, "Version is missing; add \"Version\": \"2012-10-17\"");
        return Version::Of2008;
    };
    let Some(version) = string(lint, &property.value, "Version") else { return Version::Of2008 };
    match version.text.as_str() {
        "2012-10-17" => Version::Of2012,
        "2008-10-17" => {
            if is_identity {
                let message = "is the language of 2008; write \"2012-10-17\"";
                lint.add(&DOC_07_IDENTITY, version.span, message);
            } else if lint.text.contains("${") {
                let message = "variables are plain text in the language of 2008; write \"2012-10-17\"";
                lint.add(&DOC_08, version.span, message);
            }
            Version::Of2008
        }
        other => {
            lint.add(&DOC_06, version.span, format!("{other:?} is no version; write \"2012-10-17\""));
            Version::Of2012
        }
    }
}

fn statements(lint: &mut Lint<'_>, value: &Value<'_>) -> Vec<Statement> {
    let all: Vec<&Value<'_>> = match value {
        Value::Object(_) => vec![value],
        Value::Array(array) => array.elements.iter().collect(),
        _ => Vec::new(),
    };
    if all.is_empty() {
        lint.add(&DOC_11, span(value), "Statement is an object or a list of at least one object");
    }
    all.into_iter().filter_map(|one| statement(lint, one)).collect()
}

fn statement(lint: &mut Lint<'_>, value: &Value<'_>) -> Option<Statement> {
    let Value::Object(object) = value else {
        lint.add(&DOC_11, span(value), "a statement is an object: {\"Effect\": ..., \"Action\": ...}");
        return None;
    };
    check_keys(lint, object, Some((STATEMENT_ELEMENTS, &STM_01)));
    let sid = object.get("Sid").and_then(|sid| string(lint, &sid.value, "Sid"));
    let effect = effect(lint, object);
    let principals = principals(lint, object);
    let actions = either(lint, object, ["Action", "NotAction"], &STM_03);
    let resources = either(lint, object, ["Resource", "NotResource"], &STM_04);
    let conditions = object.get("Condition").map(|one| conditions(lint, &one.value)).unwrap_or_default();
    Some(Statement {
        sid,
        effect: effect?,
        principals,
        actions: actions?,
        resources: resources?,
        conditions,
        span: span(value),
    })
}

fn effect(lint: &mut Lint<'_>, object: &Object<'_>) -> Option<Effect> {
    let Some(property) = object.get("Effect") else {
        let message = "Effect is missing; add \"Effect\": \"Allow\" or \"Deny\"";
        lint.add(&STM_02, start(object), message);
        return None;
    };
    let effect = string(lint, &property.value, "Effect")?;
    match effect.text.as_str() {
        "Allow" => Some(Effect::Allow),
        "Deny" => Some(Effect::Deny),
        other => {
            lint.add(&STM_02, effect.span, format!("{other:?} is no effect; write \"Allow\" or \"Deny\""));
            None
        }
    }
}

/// The brace with which the object begins: the place of what is missing in it.
fn start(object: &Object<'_>) -> Span {
    object.range.start..object.range.start + 1
}

/// The element of which a statement has exactly one form.
fn one_of<'o, 'a>(
    lint: &mut Lint<'_>,
    object: &'o Object<'a>,
    names: [&str; 2],
    rule: &'static crate::admission::rule::AdmissionRule,
) -> Option<(bool, &'o ObjectProp<'a>)> {
    match names.map(|name| object.get(name)) {
        [Some(one), None] => Some((false, one)),
        [None, Some(one)] => Some((true, one)),
        [Some(_), Some(second)] => {
            let message = format!("{} and {} exclude each other; keep one", names[0], names[1]);
            lint.add(rule, name_span(second), message);
            None
        }
        [None, None] => {
            let message = format!("{} is missing; add it, or {}", names[0], names[1]);
            lint.add(rule, start(object), message);
            None
        }
    }
}

fn either(
    lint: &mut Lint<'_>,
    object: &Object<'_>,
    names: [&str; 2],
    rule: &'static crate::admission::rule::AdmissionRule,
) -> Option<Items> {
    let (negated, property) = one_of(lint, object, names, rule)?;
    let items = items(lint, &property.value, property.name.as_str());
    Some(Items { negated, items, span: span(&property.value) })
}

/// A text or a list of texts, neither empty.
fn items(lint: &mut Lint<'_>, value: &Value<'_>, what: &str) -> Vec<Item> {
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

fn string(lint: &mut Lint<'_>, value: &Value<'_>, what: &str) -> Option<Item> {
    match value {
        Value::StringLit(text) => Some(Item { text: text.value.to_string(), span: span(value) }),
        _ => {
            lint.add(&DOC_13, span(value), format!("{what} is a text in quotes here"));
            None
        }
    }
}

fn principals(lint: &mut Lint<'_>, object: &Object<'_>) -> Option<Principals> {
    let names = ["Principal", "NotPrincipal"];
    if !lint.subject.is_of_bucket() {
        for property in names.into_iter().filter_map(|name| object.get(name)) {
            let message = "an identity policy is about whoever has it; remove the element";
            lint.add(&STM_05, name_span(property), message);
        }
        return None;
    }
    let (negated, property) = one_of(lint, object, names, &STM_05)?;
    let items = match &property.value {
        Value::StringLit(text) if text.value == "*" => {
            vec![("AWS".to_owned(), Item { text: "*".into(), span: span(&property.value) })]
        }
        Value::Object(all) => principal_object(lint, all),
        other => {
            let message = "a Principal is \"*\" or an object: {\"AWS\": \"arn:aws:iam::ACCOUNT:user/NAME\"}";
            lint.add(&PRN_01, span(other), message);
            Vec::new()
        }
    };
    Some(Principals { negated, items, span: span(&property.value) })
}

fn principal_object(lint: &mut Lint<'_>, all: &Object<'_>) -> Vec<(String, Item)> {
    check_keys(lint, all, Some((&["AWS", "CanonicalUser", "Federated", "Service"], &PRN_02)));
    if all.properties.is_empty() {
        lint.add(&PRN_03, all.range.start..all.range.end, "names nobody; add \"AWS\": [...]");
    }
    let mut result = Vec::new();
    for property in &all.properties {
        let key = property.name.as_str().to_owned();
        let is_empty = matches!(&property.value, Value::Array(Array { elements, .. }) if elements.is_empty())
            || matches!(&property.value, Value::StringLit(text) if text.value.is_empty());
        if is_empty {
            lint.add(
                &PRN_03,
                span(&property.value),
                format!("{key} names nobody; add somebody, or remove it"),
            );
            continue;
        }
        result.extend(items(lint, &property.value, &key).into_iter().map(|item| (key.clone(), item)));
    }
    result
}

fn conditions(lint: &mut Lint<'_>, value: &Value<'_>) -> Vec<Condition> {
    let Value::Object(operators) = value else {
        lint.add(&DOC_13, span(value), "Condition is an object: {\"StringEquals\": {\"KEY\": \"VALUE\"}}");
        return Vec::new();
    };
    if operators.properties.is_empty() {
        lint.add(&STM_16, span(value), "is empty; remove it");
    }
    check_keys(lint, operators, None);
    let mut result = Vec::new();
    for operator in &operators.properties {
        let Value::Object(keys) = &operator.value else {
            lint.add(&DOC_13, span(&operator.value), "an operator has an object: {\"KEY\": \"VALUE\"}");
            continue;
        };
        check_condition_keys(lint, keys);
        for key in &keys.properties {
            result.push(Condition {
                operator: Item { text: operator.name.as_str().to_owned(), span: name_span(operator) },
                key: Item { text: key.name.as_str().to_owned(), span: name_span(key) },
                values: condition_values(lint, &key.value),
            });
        }
    }
    result
}

/// Keys of conditions are the same whatever their case.
fn check_condition_keys(lint: &mut Lint<'_>, keys: &Object<'_>) {
    let mut seen = HashSet::new();
    for key in &keys.properties {
        let name = key.name.as_str();
        if !seen.insert(name.to_ascii_lowercase()) {
            let message = format!("{name:?} is there twice for this operator; put the values into one list");
            lint.add(&CND_05, name_span(key), message);
        }
    }
}

fn condition_values(lint: &mut Lint<'_>, value: &Value<'_>) -> Vec<Item> {
    let all: Vec<&Value<'_>> = match value {
        Value::Array(array) => array.elements.iter().collect(),
        _ => vec![value],
    };
    let mut types = HashSet::new();
    let mut result = Vec::new();
    for one in all {
        let text = match one {
            Value::StringLit(text) => text.value.to_string(),
            Value::NumberLit(number) => number.value.to_owned(),
            Value::BooleanLit(boolean) => boolean.value.to_string(),
            _ => {
                lint.add(&DOC_13, span(one), "the value of a condition is a text, a number or a boolean");
                continue;
            }
        };
        types.insert(std::mem::discriminant(one));
        result.push(Item { text, span: span(one) });
    }
    if types.len() > 1 {
        lint.add(&CND_06, span(value), "the values of one key are of one type; quote all of them");
    }
    result
}
