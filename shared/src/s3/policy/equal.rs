//! Whether two documents say the same. Providers rewrite what they are given: order, lists of one, spelling.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    compare::{Range, date},
    document::{Effect, Items, Policy, Statement},
    operator::{Comparison, Operator},
};

/// A statement without what does not matter: order, repetition, spelling, its Sid.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Normal {
    allows: bool,
    principals: Option<(bool, BTreeSet<(String, String)>)>,
    actions: (bool, BTreeSet<String>),
    resources: (bool, BTreeSet<String>),
    conditions: BTreeMap<(String, String), BTreeSet<String>>,
}

/// Whether two policies say the same.
pub fn equal(a: &Policy, b: &Policy) -> bool {
    let normal = |policy: &Policy| policy.statements.iter().map(normal_statement).collect::<BTreeSet<_>>();
    // The language matters only to variables.
    let same_language = a.version == b.version || !(has_variables(a) || has_variables(b));
    same_language && normal(a) == normal(b)
}

fn has_variables(policy: &Policy) -> bool {
    policy.statements.iter().any(|one| {
        let values = one.conditions.iter().flat_map(|condition| &condition.values);
        one.resources.items.iter().chain(values).any(|item| item.text.contains("${"))
    })
}

pub(super) fn normal_statement(statement: &Statement) -> Normal {
    let principals = statement.principals.as_ref().map(|principals| {
        (
            principals.negated,
            principals.items.iter().map(|(key, item)| (key.clone(), principal(&item.text))).collect(),
        )
    });
    let mut conditions = BTreeMap::<_, BTreeSet<_>>::new();
    for condition in &statement.conditions {
        let key = (condition.operator.text.clone(), condition.key.text.to_lowercase());
        let operator = Operator::of(&condition.operator.text);
        let values = condition.values.iter().map(|item| value(operator, &item.text));
        conditions.entry(key).or_default().extend(values);
    }
    Normal {
        allows: statement.effect == Effect::Allow,
        principals,
        actions: set(&statement.actions, str::to_ascii_lowercase),
        resources: set(&statement.resources, str::to_owned),
        conditions,
    }
}

fn set(items: &Items, normal: impl Fn(&str) -> String) -> (bool, BTreeSet<String>) {
    (items.negated, items.items.iter().map(|item| normal(&item.text)).collect())
}

/// An account id and the ARN of its root are the same.
fn principal(text: &str) -> String {
    let account = text.strip_suffix(":root").and_then(|arn| arn.rsplit(':').next());
    account.unwrap_or(text).to_owned()
}

fn value(operator: Option<Operator>, text: &str) -> String {
    let normal = match operator.map(|operator| operator.comparison) {
        Some(Comparison::Bool | Comparison::Null) => Some(text.to_ascii_lowercase()),
        Some(Comparison::Numeric(_)) => text.parse::<f64>().ok().map(|number| number.to_string()),
        Some(Comparison::Date(_)) => date(text).map(|time| time.to_string()),
        Some(Comparison::Ip { .. }) => Range::of(text).map(|range| range.exact().to_string()),
        Some(Comparison::Text { ignore_case: true, .. }) => Some(text.to_lowercase()),
        _ => None,
    };
    normal.unwrap_or_else(|| text.to_owned())
}
