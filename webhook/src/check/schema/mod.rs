//! What an object's schema says about it, field by field: types, required fields, enumerations, and fields
//! that do not exist. Bounds and patterns are left to the rules, which say them better.

pub(crate) mod metadata;

use std::collections::HashMap;

use concierge_shared::{
    admission::{
        problem::{Cause, Problem},
        rule::SCHEMA,
    },
    field::FieldPath,
    kind::KindInfo,
    rules,
};
use serde_json::{Value, json};

use crate::check::{
    input::tree::{Content, Map, Node},
    words::nearest,
};

rules! {
    UNKNOWN_FIELD = Warn "check.unknown-field", "Every field of an object is one that its kind has; clients drop or refuse others.";
    REPEATED = Warn "check.repeated", "An object is given once; given again, it is checked as an update.";
}

/// The schemas of all kinds that were asked for.
#[derive(Default)]
pub(crate) struct Schemas(HashMap<&'static str, Value>);

impl Schemas {
    /// What is wrong with `object` as an object of `kind`.
    pub(crate) fn check(&mut self, kind: &'static KindInfo, object: &Node) -> Vec<Problem> {
        let schema = self.0.entry(kind.name).or_insert_with(|| root_schema(kind));
        let mut walk = Walk { kind: kind.name, problems: Vec::new() };
        walk.value(schema, object, FieldPath::default());
        walk.problems
    }
}

/// The kind's schema with what every object has. A status is dropped unread, so nothing is said about it.
fn root_schema(kind: &KindInfo) -> Value {
    let versions = (kind.crd)().spec.versions;
    let schema = versions.into_iter().find(|version| version.name == (kind.version)());
    let schema = schema.and_then(|version| version.schema?.open_api_v3_schema);
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    let text = json!({"type": "string"});
    schema["properties"]["apiVersion"] = text.clone();
    schema["properties"]["kind"] = text;
    schema["properties"]["metadata"] = metadata_schema();
    schema["properties"]["status"] = json!({"x-kubernetes-preserve-unknown-fields": true});
    schema
}

fn metadata_schema() -> Value {
    let any = json!({"x-kubernetes-preserve-unknown-fields": true});
    let texts = json!({"type": "object", "nullable": true, "additionalProperties": {"type": "string"}});
    let text = json!({"type": "string", "nullable": true});
    json!({"type": "object", "properties": {
        "name": text, "generateName": text, "namespace": text, "uid": text, "resourceVersion": text,
        "selfLink": text, "creationTimestamp": text, "deletionTimestamp": text,
        "labels": texts, "annotations": texts,
        "generation": any, "deletionGracePeriodSeconds": any,
        "finalizers": any, "ownerReferences": any, "managedFields": any,
    }})
}

struct Walk {
    kind: &'static str,
    problems: Vec<Problem>,
}

impl Walk {
    fn value(&mut self, schema: &Value, node: &Node, path: FieldPath) {
        if let Some(message) = wrong_type(schema, node) {
            self.add(Cause::TypeInvalid, path, message);
            return;
        }
        match &*node.content {
            Content::Map(map) => self.map(schema, map, &path),
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&schema["items"], item, path.clone().index(index));
                }
            }
            Content::Null => {}
            _ => self.enumeration(schema, node, path),
        }
    }

    fn map(&mut self, schema: &Value, map: &Map, path: &FieldPath) {
        let fields = schema["properties"].as_object();
        for entry in map.entries() {
            let field = fields.and_then(|fields| fields.get(&entry.key));
            match field.or_else(|| schema.get("additionalProperties")) {
                Some(field) => self.value(field, &entry.value, path.clone().field(&entry.key)),
                None => self.unknown(schema, &entry.key, path),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let has_default = schema["properties"][name].get("default").is_some();
            if map.get(name).is_none() && !has_default {
                self.add(Cause::Required, path.clone().field(name), "is required; set it".into());
            }
        }
    }

    fn unknown(&mut self, schema: &Value, key: &str, path: &FieldPath) {
        if schema["x-kubernetes-preserve-unknown-fields"] == true {
            return;
        }
        let fields = schema["properties"].as_object();
        let near = nearest(key, fields.into_iter().flat_map(|fields| fields.keys().map(String::as_str)));
        let hint = near.map_or_else(|| "remove it".to_owned(), |near| format!("did you mean {near:?}?"));
        let message = format!("is no field of {}; {hint}", self.kind);
        self.problems.push(Problem {
            field: path.clone().field(key),
            rule: &UNKNOWN_FIELD,
            cause: Cause::NotSupported,
            message,
        });
    }

    fn enumeration(&mut self, schema: &Value, node: &Node, path: FieldPath) {
        let Some(allowed) = schema["enum"].as_array() else { return };
        if !allowed.contains(&node.to_json()) {
            let shown: Vec<_> = allowed.iter().filter(|one| !one.is_null()).map(plain).collect();
            let message = format!("is not supported; use one of {}", shown.join(", "));
            self.add(Cause::NotSupported, path, message);
        }
    }

    fn add(&mut self, cause: Cause, field: FieldPath, message: String) {
        self.problems.push(Problem { field, rule: &SCHEMA, cause, message });
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Why `node` is not of the schema's type.
fn wrong_type(schema: &Value, node: &Node) -> Option<String> {
    let expected = schema["type"].as_str()?;
    if schema["x-kubernetes-int-or-string"] == true {
        return None;
    }
    let fits = match (&*node.content, expected) {
        (Content::Null, _) => schema["nullable"] == true || schema.get("default").is_some(),
        (Content::Bool(_), "boolean")
        | (Content::Number(_), "number")
        | (Content::Text(_), "string")
        | (Content::List(_), "array")
        | (Content::Map(_), "object") => true,
        (Content::Number(number), "integer") => number.is_i64(),
        _ => false,
    };
    (!fits).then(|| format!("{}{}", found(node), remedy(schema, node, expected)))
}

/// What `node` is. Its value is not repeated: it may be a secret in the wrong place.
fn found(node: &Node) -> String {
    match (&*node.content, node.written.as_deref()) {
        (Content::Bool(value), Some(written)) if written != value.to_string() => {
            format!("{written} is the boolean {value} in YAML")
        }
        (Content::Bool(value), _) => format!("is the boolean {value}"),
        (Content::Null, _) => "is empty".to_owned(),
        (Content::Number(_), _) => "is a number".to_owned(),
        (Content::Text(_), _) => "is a text".to_owned(),
        (Content::List(_), _) => "is a list".to_owned(),
        (Content::Map(_), _) => "is a map".to_owned(),
    }
}

fn remedy(schema: &Value, node: &Node, expected: &str) -> String {
    match (expected, &*node.content) {
        ("string", Content::Bool(_) | Content::Number(_)) => "; put it in quotes".to_owned(),
        ("integer", Content::Number(number)) if number.as_f64().is_some_and(|float| float.fract() != 0.0) => {
            "; use a whole number".to_owned()
        }
        ("integer", Content::Number(_)) => format!("; use one of at most {}", i64::MAX),
        ("integer" | "number", Content::Text(text)) if text.parse::<f64>().is_ok() => {
            "; remove the quotes".to_owned()
        }
        ("boolean", Content::Text(text)) if matches!(text.as_str(), "true" | "false") => {
            "; remove the quotes".to_owned()
        }
        (_, Content::Null) => format!("; give it {}, or remove it", a_value(schema, expected)),
        _ => format!("; use {}", a_value(schema, expected)),
    }
}

fn a_value(schema: &Value, expected: &str) -> String {
    let names: Vec<_> =
        schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect();
    match expected {
        "integer" => "a whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "string" => "a text".to_owned(),
        "array" => "a list".to_owned(),
        "object" if names.is_empty() => "a map".to_owned(),
        "object" => format!("a map of {}", names.join(", ")),
        other => format!("a {other}"),
    }
}
