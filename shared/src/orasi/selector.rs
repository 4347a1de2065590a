//! Which Pipelines a Configuration takes, by their labels.
//!
//! Pipelines are indexed by each of their labels, and a Configuration by one condition that a Pipeline has to meet: so neither has to go through
//! all of the other.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    common::names::{is_label_key, is_label_value},
    field::{FieldPath, at},
};

/// Which Pipelines are taken: those whose labels meet all conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineSelector {
    /// Labels that they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = MOST, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// Further conditions on their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MOST))]
    pub match_expressions: Option<Vec<Requirement>>,
}

/// The most labels, conditions and values of one.
const MOST: usize = 32;

/// A condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requirement {
    /// The label.
    #[schemars(length(max = 317))]
    pub key: String,
    /// How it is compared.
    pub operator: SelectorOperator,
    /// The values of In and NotIn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MOST), inner(length(max = 63)))]
    pub values: Option<Vec<String>>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SelectorOperator {
    /// It has one of the values.
    In,
    /// It is missing, or has none of the values.
    NotIn,
    /// It is there.
    Exists,
    /// It is missing.
    DoesNotExist,
}

/// The kind that is selected.
pub(super) const SELECTED: &str = "Pipeline";

/// The labels of an object.
type Labels = BTreeMap<String, String>;

/// The index key of what has this label in a namespace.
fn label_key(namespace: &str, key: &str, value: &str) -> String {
    format!("label:{namespace}:{key}={value}")
}

/// The index key of what has a label of this name there, whatever its value.
fn label_name_key(namespace: &str, key: &str) -> String {
    format!("label:{namespace}:{key}")
}

/// The index keys of an object with these labels.
pub(super) fn keys_of_labels(namespace: &str, labels: Option<&Labels>) -> Vec<String> {
    let labels = labels.into_iter().flatten();
    labels
        .flat_map(|(key, value)| [label_key(namespace, key, value), label_name_key(namespace, key)])
        .collect()
}

impl PipelineSelector {
    /// Whether something with these labels is selected.
    pub fn selects(&self, labels: Option<&Labels>) -> bool {
        let label = |key: &str| labels.and_then(|labels| labels.get(key));
        let mut same = self.match_labels.iter().flatten();
        same.all(|(key, value)| label(key) == Some(value))
            && self.requirements().all(|one| one.is_met(label(&one.key)))
    }

    fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.match_expressions.iter().flatten()
    }

    /// For each condition that says what labels there are: the index keys of which whatever is taken has one.
    fn conditions(&self, namespace: &str) -> impl Iterator<Item = Vec<String>> {
        let labels = self.match_labels.iter().flatten();
        let labels = labels.map(move |(key, value)| vec![label_key(namespace, key, value)]);
        labels.chain(self.requirements().filter_map(move |one| one.keys(namespace)))
    }

    /// The index keys of a Configuration: of one condition, a single label if there is one.
    pub(super) fn index_keys(&self, namespace: &str) -> Vec<String> {
        self.conditions(namespace).next().unwrap_or_default()
    }

    /// The index keys under which what is taken is found among the fewest, as `count` counts.
    pub(super) fn best_keys(&self, namespace: &str, count: impl Fn(&str) -> usize) -> Vec<String> {
        let found = |keys: &Vec<String>| keys.iter().map(|key| count(key)).sum::<usize>();
        self.conditions(namespace).min_by_key(found).unwrap_or_default()
    }

    /// Adds what is wrong with the selector at `field`.
    pub(super) fn check(&self, field: &str, rule: &'static AdmissionRule, problems: &mut Problems) {
        if self.conditions("").next().is_none() {
            let message = "has no condition that says which labels there are, so that it could take any Pipeline; add \
                           matchLabels, or a condition with In or Exists";
            problems.add(rule, Cause::Required, field, message);
        }
        for (key, value) in self.match_labels.iter().flatten() {
            let field = at(field).field("matchLabels").key(key);
            check_label(key, [value], &field, rule, problems);
        }
        for (nth, one) in self.requirements().enumerate() {
            let field = at(field).field("matchExpressions").index(nth);
            check_label(&one.key, one.values.iter().flatten(), &field, rule, problems);
            one.check_values(field.field("values"), rule, problems);
        }
    }
}

impl Requirement {
    fn is_met(&self, value: Option<&String>) -> bool {
        let is_listed = value.is_some_and(|value| self.values.iter().flatten().any(|one| one == value));
        match self.operator {
            SelectorOperator::In => is_listed,
            SelectorOperator::NotIn => !is_listed,
            SelectorOperator::Exists => value.is_some(),
            SelectorOperator::DoesNotExist => value.is_none(),
        }
    }

    fn keys(&self, namespace: &str) -> Option<Vec<String>> {
        match self.operator {
            SelectorOperator::In => {
                let values = self.values.iter().flatten();
                Some(values.map(|value| label_key(namespace, &self.key, value)).collect())
            }
            SelectorOperator::Exists => Some(vec![label_name_key(namespace, &self.key)]),
            SelectorOperator::NotIn | SelectorOperator::DoesNotExist => None,
        }
    }

    fn check_values(&self, field: FieldPath, rule: &'static AdmissionRule, problems: &mut Problems) {
        let compares = matches!(self.operator, SelectorOperator::In | SelectorOperator::NotIn);
        match self.values.as_ref().is_none_or(Vec::is_empty) {
            true if compares => {
                let message = "is required by In and NotIn; name at least one value";
                problems.add(rule, Cause::Required, field, message);
            }
            false if !compares => {
                let message = "has no effect with Exists and DoesNotExist; remove it";
                problems.add(rule, Cause::Forbidden, field, message);
            }
            _ => {}
        }
    }
}

fn check_label<'a>(
    key: &str,
    values: impl IntoIterator<Item = &'a String>,
    field: &FieldPath,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    if !is_label_key(key) {
        let message = "is under a key that no label can have; use up to 63 letters, digits, '-', '_' and '.', with a \
                       domain and '/' in front if need be";
        problems.add(rule, Cause::Invalid, field.clone(), message);
    }
    if !values.into_iter().all(|value| is_label_value(value)) {
        let message = "has a value that no label can have; use up to 63 letters, digits, '-', '_' and '.'";
        problems.add(rule, Cause::Invalid, field.clone(), message);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn selector(json: Value) -> PipelineSelector {
        serde_json::from_value(json).unwrap()
    }

    fn labels(json: Value) -> Labels {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn labels_are_compared_as_kubernetes_does() {
        let check = |selector_json: Value, labels_json: Value, taken: bool| {
            let labels = labels(labels_json);
            assert_eq!(
                selector(selector_json.clone()).selects(Some(&labels)),
                taken,
                "{selector_json} {labels:?}"
            );
        };
        let expression = |operator: &str, values: &[&str]| {
            let values = if values.is_empty() { Value::Null } else { json!(values) };
            json!({"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]})
        };
        let (gold, none) = (json!({"tier": "gold"}), json!({"team": "web"}));
        check(json!({}), gold.clone(), true);
        check(json!({"matchLabels": {"tier": "gold", "team": "web"}}), gold.clone(), false);
        check(json!({"matchLabels": {"tier": "gold"}}), gold.clone(), true);
        for (operator, values, of_gold, of_none) in [
            ("In", &["gold", "silver"][..], true, false),
            ("In", &["silver"], false, false),
            ("NotIn", &["gold"], false, true),
            ("NotIn", &["silver"], true, true),
            ("Exists", &[], true, false),
            ("DoesNotExist", &[], false, true),
        ] {
            check(expression(operator, values), gold.clone(), of_gold);
            check(expression(operator, values), none.clone(), of_none);
        }
    }

    /// What is taken has one of the keys of each condition, so that either finds the other.
    #[test]
    fn whatever_is_taken_is_found_by_its_labels() {
        let labels = labels(json!({"team": "web", "tier": "gold"}));
        let keys = keys_of_labels("data", Some(&labels));
        for taking in [
            json!({"matchLabels": {"tier": "gold"}}),
            json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["silver", "gold"]}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}, {"key": "team", "operator": "Exists"}]}),
        ] {
            let selector = selector(taking);
            assert!(selector.selects(Some(&labels)));
            assert!(selector.index_keys("data").iter().any(|key| keys.contains(key)), "{selector:?}");
            assert!(!selector.index_keys("other").iter().any(|key| keys.contains(key)), "{selector:?}");
        }
    }

    #[test]
    fn the_condition_with_the_fewest_is_looked_up() {
        let selector = selector(json!({
            "matchLabels": {"tier": "gold"},
            "matchExpressions": [{"key": "team", "operator": "In", "values": ["web", "app"]}],
        }));
        let keys = selector.best_keys("data", |key| if key.contains("tier") { 100 } else { 7 });
        assert_eq!(keys, ["label:data:team=web", "label:data:team=app"]);
        assert_eq!(selector.index_keys("data"), ["label:data:tier=gold"]);
    }
}
