//! Whether two documents say the same. Providers rewrite what they are given: order, lists of one, spelling.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    compare::{Range, date},
    document::{Effect, Items, Policy, Statement},
    operator::{Comparison, Operator},
};

/// A statement without what does not matter: order, repetition, spelling, its Sid.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Normal<'a> {
    allows: bool,
    principals: Option<(bool, Vec<(&'a str, &'a str)>)>,
    actions: (bool, Vec<Cow<'a, str>>),
    resources: (bool, Vec<Cow<'a, str>>),
    conditions: BTreeMap<(&'a str, String), Vec<Value<'a>>>,
}

/// The value of a condition, however it is written.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Time(Timestamp),
    Range(IpNet),
}

/// Whether two policies say the same.
pub fn equal(a: &Policy, b: &Policy) -> bool {
    // The language matters only to variables.
    let same_language = a.version == b.version || !(has_variables(a) || has_variables(b));
    same_language && normal(a) == normal(b)
}

fn normal(policy: &Policy) -> BTreeSet<Normal<'_>> {
    policy.statements.iter().map(normal_statement).collect()
}

fn has_variables(policy: &Policy) -> bool {
    policy.statements.iter().any(|one| {
        let values = one.conditions.iter().flat_map(|condition| &condition.values);
        one.resources.items.iter().chain(values).any(|item| item.text.contains("${"))
    })
}

pub(super) fn normal_statement(statement: &Statement) -> Normal<'_> {
    let principals = statement.principals.as_ref().map(|principals| {
        let all = principals.items.iter().map(|(key, item)| (key.as_str(), principal(&item.text)));
        (principals.negated, set(all.collect()))
    });
    let mut conditions = BTreeMap::<_, Vec<_>>::new();
    for condition in &statement.conditions {
        let key = (condition.operator.text.as_str(), condition.key.text.to_lowercase());
        let operator = Operator::of(&condition.operator.text);
        let values = condition.values.iter().map(|item| value(operator, &item.text));
        conditions.entry(key).or_default().extend(values);
    }
    Normal {
        allows: statement.effect == Effect::Allow,
        principals,
        actions: texts(&statement.actions, |text| Cow::Owned(text.to_ascii_lowercase())),
        resources: texts(&statement.resources, Cow::Borrowed),
        conditions: conditions.into_iter().map(|(key, values)| (key, set(values))).collect(),
    }
}

fn texts<'a>(items: &'a Items, normal: impl Fn(&'a str) -> Cow<'a, str>) -> (bool, Vec<Cow<'a, str>>) {
    (items.negated, set(items.items.iter().map(|item| normal(&item.text)).collect()))
}

fn set<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

/// An account id and the ARN of its root are the same.
pub(super) fn principal(text: &str) -> &str {
    let account = text.strip_suffix(":root").and_then(|arn| arn.rsplit(':').next());
    account.unwrap_or(text)
}

fn value(operator: Option<Operator>, text: &str) -> Value<'_> {
    let owned = |text: String| Value::Text(Cow::Owned(text));
    let normal = match operator.map(|operator| operator.comparison) {
        Some(Comparison::Bool | Comparison::Null) => Some(owned(text.to_ascii_lowercase())),
        Some(Comparison::Numeric(_)) => text.parse::<f64>().ok().map(|number| owned(number.to_string())),
        Some(Comparison::Date(_)) => date(text).map(Value::Time),
        Some(Comparison::Ip { .. }) => Range::of(text).map(|range| Value::Range(range.exact())),
        Some(Comparison::Text { ignore_case: true, .. }) => Some(owned(text.to_lowercase())),
        _ => None,
    };
    normal.unwrap_or(Value::Text(Cow::Borrowed(text)))
}
