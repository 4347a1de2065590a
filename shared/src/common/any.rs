//! Schemas of what has a form of its own, and of Kubernetes' types, which bound nothing.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// The longest text, list and map in a value of Kubernetes' types.
const TEXT: usize = 32_768;
const ITEMS: usize = 200;

/// Whatever is given: what it has to be is a matter of rules.
pub(crate) fn any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-preserve-unknown-fields": true,
        "maxLength": TEXT, "maxItems": ITEMS, "maxProperties": 1000,
    })
}

/// A map of whatever is given.
pub(crate) fn any_map(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "additionalProperties": any(generator), "maxProperties": 100})
}

/// Bounds every text, list and map that has no bound.
pub(crate) fn bounded(schema: &mut Schema) {
    if let Some(schema) = schema.as_object_mut() {
        bound(schema);
    }
}

fn bound(schema: &mut Map<String, Value>) {
    let has_type = |name: &str| match &schema["type"] {
        Value::String(one) => one == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => false,
    };
    let untyped = !schema.contains_key("type");
    let (text, list) = (untyped || has_type("string"), untyped || has_type("array"));
    let map = untyped || schema.get("additionalProperties").is_some_and(Value::is_object);
    for (wanted, bound, most) in
        [(text, "maxLength", TEXT), (list, "maxItems", ITEMS), (map, "maxProperties", ITEMS)]
    {
        if wanted {
            schema.entry(bound).or_insert(most.into());
        }
    }
    let inner = schema.get_mut("properties").and_then(Value::as_object_mut);
    inner.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut).for_each(bound);
    for inner in ["items", "additionalProperties"] {
        schema.get_mut(inner).and_then(Value::as_object_mut).into_iter().for_each(bound);
    }
}
