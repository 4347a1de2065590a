//! A statement and its elements.

use std::mem::discriminant;

use super::{
    super::{
        Lint,
        document::{Condition, Effect, Item, Items, Principals, Statement},
        rules::*,
    },
    element::{check_keys, each, items, repeated, start, string},
    json::{Member, Node, Object, Value},
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
pub(super) fn statement(lint: &mut Lint<'_>, node: &Node<'_>) -> Option<Statement> {
    let Value::Object(object) = &node.value else {
        lint.add(&DOC_11, node.span.clone(), "a statement is an object: {\"Effect\": ..., \"Action\": ...}");
        return None;
    };
    check_keys(lint, object, Some((STATEMENT_ELEMENTS, &STM_01)));
    let sid = object.get("Sid").and_then(|sid| string(lint, &sid.node, "Sid"));
    let effect = effect(lint, object);
    let principals = principals(lint, object);
    let actions = either(lint, object, ["Action", "NotAction"], &STM_03);
    let resources = either(lint, object, ["Resource", "NotResource"], &STM_04);
    let conditions = object.get("Condition").map(|one| conditions(lint, &one.node)).unwrap_or_default();
    Some(Statement {
        sid,
        effect: effect?,
        principals,
        actions: actions?,
        resources: resources?,
        conditions,
        span: node.span.clone(),
    })
}

fn effect(lint: &mut Lint<'_>, object: &Object<'_>) -> Option<Effect> {
    let Some(member) = object.get("Effect") else {
        let message = "Effect is missing; add \"Effect\": \"Allow\" or \"Deny\"";
        lint.add(&STM_02, start(object), message);
        return None;
    };
    let effect = string(lint, &member.node, "Effect")?;
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
) -> Option<(bool, &'o Member<'a>)> {
    match names.map(|name| object.get(name)) {
        [Some(one), None] => Some((false, one)),
        [None, Some(one)] => Some((true, one)),
        [Some(_), Some(second)] => {
            let message = format!("{} and {} exclude each other; keep one", names[0], names[1]);
            lint.add(rule, second.name_span.clone(), message);
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
    let (negated, member) = one_of(lint, object, names, rule)?;
    let items = items(lint, &member.node, &member.name);
    Some(Items { negated, items, span: member.node.span.clone() })
}

fn principals(lint: &mut Lint<'_>, object: &Object<'_>) -> Option<Principals> {
    let names = ["Principal", "NotPrincipal"];
    if !lint.subject.is_of_bucket() {
        for member in names.into_iter().filter_map(|name| object.get(name)) {
            let message = "an identity policy is about whoever has it; remove the element";
            lint.add(&STM_05, member.name_span.clone(), message);
        }
        return None;
    }
    let (negated, member) = one_of(lint, object, names, &STM_05)?;
    let span = member.node.span.clone();
    let items = match &member.node.value {
        Value::Text(text) if text == "*" => {
            vec![("AWS".to_owned(), Item { text: "*".into(), span: span.clone() })]
        }
        Value::Object(all) => principal_object(lint, all),
        _ => {
            let message = "a Principal is \"*\" or an object: {\"AWS\": \"arn:aws:iam::ACCOUNT:user/NAME\"}";
            lint.add(&PRN_01, span.clone(), message);
            Vec::new()
        }
    };
    Some(Principals { negated, items, span })
}

fn principal_object(lint: &mut Lint<'_>, all: &Object<'_>) -> Vec<(String, Item)> {
    check_keys(lint, all, Some((&["AWS", "CanonicalUser", "Federated", "Service"], &PRN_02)));
    if all.members.is_empty() {
        lint.add(&PRN_03, all.span.clone(), "names nobody; add \"AWS\": [...]");
    }
    let mut result = Vec::new();
    for Member { name, node, .. } in &all.members {
        let is_empty = match &node.value {
            Value::List(items) => items.is_empty(),
            Value::Text(text) => text.is_empty(),
            _ => false,
        };
        if is_empty {
            let message = format!("{name} names nobody; add somebody, or remove it");
            lint.add(&PRN_03, node.span.clone(), message);
            continue;
        }
        result.extend(items(lint, node, name).into_iter().map(|item| (name.to_string(), item)));
    }
    result
}

fn conditions(lint: &mut Lint<'_>, node: &Node<'_>) -> Vec<Condition> {
    let Value::Object(operators) = &node.value else {
        lint.add(
            &DOC_13,
            node.span.clone(),
            "Condition is an object: {\"StringEquals\": {\"KEY\": \"VALUE\"}}",
        );
        return Vec::new();
    };
    if operators.members.is_empty() {
        lint.add(&STM_16, node.span.clone(), "is empty; remove it");
    }
    check_keys(lint, operators, None);
    let mut result = Vec::new();
    for operator in &operators.members {
        let Value::Object(keys) = &operator.node.value else {
            lint.add(&DOC_13, operator.node.span.clone(), "an operator has an object: {\"KEY\": \"VALUE\"}");
            continue;
        };
        check_condition_keys(lint, keys);
        let name = |one: &Member<'_>| Item { text: one.name.to_string(), span: one.name_span.clone() };
        for key in &keys.members {
            result.push(Condition {
                operator: name(operator),
                key: name(key),
                values: condition_values(lint, &key.node),
            });
        }
    }
    result
}

/// Keys of conditions are the same whatever their case.
fn check_condition_keys(lint: &mut Lint<'_>, keys: &Object<'_>) {
    if keys.members.len() < 2 {
        return;
    }
    let lower: Vec<_> = keys.members.iter().map(|key| key.name.to_ascii_lowercase()).collect();
    for index in repeated(lower.iter().map(String::as_str)) {
        let Member { name, name_span, .. } = &keys.members[index];
        let message = format!("{name:?} is there twice for this operator; put the values into one list");
        lint.add(&CND_05, name_span.clone(), message);
    }
}

fn condition_values(lint: &mut Lint<'_>, node: &Node<'_>) -> Vec<Item> {
    let mut result = Vec::new();
    for one in each(node) {
        let text = match &one.value {
            Value::Text(text) => &**text,
            Value::Number(text) | Value::Bool(text) => *text,
            _ => {
                lint.add(
                    &DOC_13,
                    one.span.clone(),
                    "the value of a condition is a text, a number or a boolean",
                );
                continue;
            }
        };
        result.push(Item { text: text.to_owned(), span: one.span.clone() });
    }
    let mut plain = each(node)
        .iter()
        .map(|one| &one.value)
        .filter(|value| !matches!(value, Value::Object(_) | Value::List(_) | Value::Null));
    let first = plain.next().map(discriminant);
    if plain.any(|value| Some(discriminant(value)) != first) {
        let message = "the values of one key are of one type; quote all of them";
        lint.add(&CND_06, node.span.clone(), message);
    }
    result
}
