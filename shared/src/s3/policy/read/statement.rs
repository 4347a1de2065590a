//! A statement and its elements.

use std::collections::HashSet;

use jsonc_parser::ast::{Array, Object, ObjectProp, Value};

use super::{
    super::{
        Lint,
        document::{Condition, Effect, Item, Items, Principals, Statement},
        rules::*,
    },
    element::{check_keys, items, name_span, span, start, string},
};
use crate::admission::rule::AdmissionRule;

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

/// The statement in `value`; `None` when it lacks something.
pub(super) fn statement(lint: &mut Lint<'_>, value: &Value<'_>) -> Option<Statement> {
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

/// The element of which a statement has exactly one form.
fn one_of<'o, 'a>(
    lint: &mut Lint<'_>,
    object: &'o Object<'a>,
    names: [&str; 2],
    rule: &'static AdmissionRule,
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
    rule: &'static AdmissionRule,
) -> Option<Items> {
    let (negated, property) = one_of(lint, object, names, rule)?;
    let items = items(lint, &property.value, property.name.as_str());
    Some(Items { negated, items, span: span(&property.value) })
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
