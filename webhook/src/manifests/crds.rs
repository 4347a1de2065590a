//! The definitions of all kinds, and of claims.

use std::collections::BTreeMap;

use concierge_shared::{admission::claim::ClaimObject, kind::KINDS};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionVersion,
};
use kube::CustomResourceExt;
use serde_json::Value;

use super::{ManifestsError, json};

/// Keeps Helm from deleting a definition, and every object of its kind with it.
const KEEP: (&str, &str) = ("helm.sh/resource-policy", "keep");

/// All definitions, ordered by name.
pub(super) fn all(labels: &BTreeMap<String, String>) -> Result<Vec<Value>, ManifestsError> {
    let mut all: Vec<_> = KINDS.iter().map(|kind| (kind.crd)()).chain([ClaimObject::crd()]).collect();
    all.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    all.into_iter().map(|crd| Ok(plain_numbers(json(&complete(crd, labels))?))).collect()
}

/// The definition with everything that the API server would add to it.
fn complete(
    mut crd: CustomResourceDefinition,
    labels: &BTreeMap<String, String>,
) -> CustomResourceDefinition {
    crd.metadata.labels = Some(labels.clone());
    crd.metadata.annotations = Some([(KEEP.0.to_owned(), KEEP.1.to_owned())].into());
    spell_out(&mut crd.spec.names);
    crd.spec.versions.iter_mut().for_each(leave_out_empty_lists);
    let none = || CustomResourceConversion { strategy: "None".to_owned(), webhook: None };
    crd.spec.conversion.get_or_insert_with(none);
    crd
}

fn spell_out(names: &mut CustomResourceDefinitionNames) {
    names.singular.get_or_insert_with(|| names.kind.to_lowercase());
    names.list_kind.get_or_insert_with(|| format!("{}List", names.kind));
    names.short_names.take_if(|list| list.is_empty());
    names.categories.take_if(|list| list.is_empty());
}

fn leave_out_empty_lists(version: &mut CustomResourceDefinitionVersion) {
    version.additional_printer_columns.take_if(|list| list.is_empty());
    version.selectable_fields.take_if(|list| list.is_empty());
}

/// Bounds are floating-point numbers in a schema; the API server writes a whole one without a fraction.
fn plain_numbers(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(plain_numbers).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, plain_numbers(value))).collect(),
        Value::Number(number) => match number.as_f64().filter(|number| is_whole(*number)) {
            Some(whole) if number.is_f64() => Value::from(whole as i64),
            _ => Value::Number(number),
        },
        other => other,
    }
}

/// Whether `number` is a whole one that a 64-bit integer and a floating-point number hold alike.
fn is_whole(number: f64) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.fract() == 0.0 && number.abs() <= EXACT
}
