//! What the API server says about an object by its CRD's schema alone: types, required fields, bounds, unknown
//! fields and CEL rules.

mod bounds;
mod cel;
pub(crate) mod metadata;
mod structural;
mod types;

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

use concierge_shared::{
    admission::{
        problem::{Cause, Problem},
        rule::SCHEMA,
    },
    field::{FieldPath, Segment},
    kind::{KINDS, KindInfo},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use self::structural::Walk;
use crate::check::{input::tree::Node, rules::UNKNOWN_FIELD};

/// An object as the API server validates it: with its defaults, before any webhook that validates is asked.
pub(crate) struct Submitted<'a> {
    pub kind: &'static KindInfo,
    pub object: &'a Value,
    /// The stored object, on update.
    pub old: Option<&'a Value>,
    /// The object in its file, for remedies that depend on how a value is written.
    pub node: Option<&'a Node>,
}

/// What is wrong with an object by its schema, its name and labels included.
pub(crate) fn check(submitted: &Submitted<'_>) -> Vec<Problem> {
    let schema = schema_of(submitted.kind);
    let object = with_status_of(submitted.object, submitted.old);
    let mut walk = Walk::new(submitted.kind.name, submitted.node);
    walk.object(&schema.structural, submitted.object, submitted.old);
    let mut problems = walk.problems;
    problems.extend(metadata::check(submitted.object));
    // Like the API server: rules see only what fits their types.
    let blocks = |problem: &Problem| {
        problem.rule == &SCHEMA
            && matches!(problem.cause, Cause::Required | Cause::TypeInvalid | Cause::TooMany)
    };
    if !problems.iter().any(blocks) {
        problems.extend(schema.rules.check(&object, submitted.old));
    }
    problems
}

/// The first field of `object` that its kind does not have, and what may be meant.
pub(crate) fn unknown_field(kind: &'static KindInfo, object: &Value) -> Option<(FieldPath, String)> {
    let unknown = walk(kind, object).into_iter().find(|problem| problem.rule == &UNKNOWN_FIELD)?;
    Some((unknown.field, unknown.message))
}

/// The fields of `object` of which nobody declares what they hold, since its kind has none of these names or forms.
pub(crate) fn undeclared_fields(kind: &'static KindInfo, object: &Value) -> Vec<FieldPath> {
    let undeclared = |problem: &Problem| {
        problem.rule == &UNKNOWN_FIELD
            || problem.cause == Cause::TypeInvalid && names_a_secret(&problem.field)
    };
    walk(kind, object).into_iter().filter(undeclared).map(|problem| problem.field).collect()
}

/// Where the name of a Secret belongs, people write the secret itself.
fn names_a_secret(field: &FieldPath) -> bool {
    matches!(field.segments().last(), Some(Segment::Field(name)) if name.ends_with("SecretRef"))
}

fn walk(kind: &'static KindInfo, object: &Value) -> Vec<Problem> {
    let mut walk = Walk::new(kind.name, None);
    walk.object(&schema_of(kind).structural, object, None);
    walk.problems
}

/// Whether the API server refuses the object by its schema alone. Unknown fields don't count: it drops them, unless
/// the client is strict.
pub(crate) fn refuses(submitted: &Submitted<'_>) -> bool {
    check(submitted).iter().any(|problem| problem.rule == &SCHEMA)
}

/// An update leaves the status as it is stored, and a creation has none, whatever comes with the request.
fn with_status_of(object: &Value, old: Option<&Value>) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(status) = old.and_then(|old| old.get("status")) {
            fields.insert("status".to_owned(), status.clone());
        }
    }
    object
}

/// A kind's schema, made ready.
struct KindSchema {
    /// The schema with what every object has, and nothing to say about a status, which is dropped unread.
    structural: Value,
    rules: cel::Rules,
}

fn schema_of(kind: &'static KindInfo) -> &'static KindSchema {
    static SCHEMAS: LazyLock<HashMap<&str, OnceLock<KindSchema>>> =
        LazyLock::new(|| KINDS.iter().map(|kind| (kind.name, OnceLock::new())).collect());
    SCHEMAS[kind.name].get_or_init(|| {
        let full = root_schema(kind);
        let mut structural = full.clone();
        structural["properties"]["status"] = json!({"x-kubernetes-preserve-unknown-fields": true});
        KindSchema { rules: cel::Rules::of(&full), structural }
    })
}

/// The kind's schema with what every object has.
fn root_schema(kind: &KindInfo) -> Value {
    let versions = (kind.crd)().spec.versions;
    let schema = versions.into_iter().find(|version| version.name == (kind.version)());
    let schema = schema.and_then(|version| version.schema?.open_api_v3_schema);
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    let text = json!({"type": "string"});
    schema["properties"]["apiVersion"] = text.clone();
    schema["properties"]["kind"] = text;
    schema["properties"]["metadata"] = metadata_schema();
    schema
}

/// Kubernetes' own schema of metadata. null counts as absent, as in its decoder.
fn metadata_schema() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<ObjectMeta>();
    let mut schema = schema.to_value();
    make_nullable(&mut schema);
    schema
}

fn make_nullable(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    fields.insert("nullable".to_owned(), true.into());
    // Bounds of metadata are judged in `metadata`, and a time is whatever its decoder can read.
    fields.remove("required");
    if fields.get("type").is_some_and(|kind| kind == "object") && !fields.contains_key("properties") {
        fields.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
    }
    for key in ["items", "additionalProperties"] {
        fields.get_mut(key).into_iter().for_each(make_nullable);
    }
    let properties = fields.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(|properties| properties.values_mut()).for_each(make_nullable);
}

#[cfg(test)]
mod tests;
