//! A value walked along its schema, field by field.

use concierge_shared::{
    admission::{
        problem::{Cause, Problem},
        rule::{AdmissionRule, SCHEMA},
    },
    field::FieldPath,
};
use serde_json::{Map, Value};

use super::{bounds, types};
use crate::check::{input::tree::Node, rules::UNKNOWN_FIELD, words::nearest};

const NO_FORM: &str = "fits none of the forms that its kind allows";
const NOT_ONE_FORM: &str = "must fit exactly one of the forms that its kind allows";

/// One walk through one object.
pub(super) struct Walk<'a> {
    kind: &'static str,
    node: Option<&'a Node>,
    pub problems: Vec<Problem>,
}

impl<'a> Walk<'a> {
    /// Has seen nothing of an object of `kind`, which stands at `node` of a file.
    pub(super) fn new(kind: &'static str, node: Option<&'a Node>) -> Self {
        Self { kind, node, problems: Vec::new() }
    }

    /// Finds everything that is wrong with `object`; on an update, with what differs from `old`.
    pub(super) fn object(&mut self, schema: &Value, object: &Value, old: Option<&Value>) {
        self.value(schema, object, old, FieldPath::default());
    }

    /// What an update leaves unchanged the API server does not validate again.
    fn value(&mut self, schema: &Value, value: &Value, old: Option<&Value>, path: FieldPath) {
        if old == Some(value) || (value.is_null() && is_replaced_when_empty(schema)) {
            return;
        }
        if let Some(message) = types::wrong(schema, value, self.written(&path)) {
            self.add(&SCHEMA, Cause::TypeInvalid, path, message);
            return;
        }
        for (cause, message) in bounds::broken(schema, value) {
            self.add(&SCHEMA, cause, path.clone(), message);
        }
        self.alternatives(schema, value, &path);
        match value {
            Value::Object(fields) => self.map(schema, fields, old.and_then(Value::as_object), &path),
            Value::Array(items) => self.list(schema, items, &path),
            _ => {}
        }
    }

    /// Lists are compared as a whole: no item is known to be the one that it was.
    fn list(&mut self, schema: &Value, items: &[Value], path: &FieldPath) {
        if let Some(item) = schema.get("items") {
            for (index, value) in items.iter().enumerate() {
                self.value(item, value, None, path.clone().index(index));
            }
        }
        for index in bounds::repeated(schema, items) {
            let message = "is listed before; remove one".to_owned();
            self.add(&SCHEMA, Cause::Duplicate, path.clone().index(index), message);
        }
    }

    fn map(
        &mut self,
        schema: &Value,
        map: &Map<String, Value>,
        old: Option<&Map<String, Value>>,
        path: &FieldPath,
    ) {
        for (key, value) in map {
            match field_schema(schema, key) {
                Some(field) => {
                    let old = old.and_then(|old| old.get(key));
                    self.value(field, value, old, path.clone().field(key));
                }
                None => self.unknown(schema, key, path),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let has_default = schema["properties"][name].get("default").is_some();
            if !map.contains_key(name) && !has_default {
                let message = "is required; set it".to_owned();
                self.add(&SCHEMA, Cause::Required, path.clone().field(name), message);
            }
        }
    }

    fn unknown(&mut self, schema: &Value, key: &str, path: &FieldPath) {
        if !is_closed(schema) {
            return;
        }
        let fields = schema["properties"].as_object();
        let near = nearest(key, fields.into_iter().flat_map(|fields| fields.keys().map(String::as_str)));
        let hint = near.map_or_else(|| "remove it".to_owned(), |near| format!("did you mean {near:?}?"));
        let message = format!("is no field of {}; {hint}", self.kind);
        self.add(&UNKNOWN_FIELD, Cause::NotSupported, path.clone().field(key), message);
    }

    fn alternatives(&mut self, schema: &Value, value: &Value, path: &FieldPath) {
        let branches = |keyword: &str| schema[keyword].as_array().into_iter().flatten();
        for branch in branches("allOf") {
            self.problems.extend(problems_of(branch, value, path));
        }
        let fits = |schema: &Value| problems_of(schema, value, path).is_empty();
        let fitting = |keyword: &str| branches(keyword).filter(|branch| fits(branch)).count();
        let message = match schema {
            _ if schema["anyOf"].is_array() && fitting("anyOf") == 0 => NO_FORM,
            _ if schema["oneOf"].is_array() && fitting("oneOf") != 1 => NOT_ONE_FORM,
            _ if schema.get("not").is_some_and(fits) => "has a form that its kind forbids",
            _ => return,
        };
        self.add(&SCHEMA, Cause::Invalid, path.clone(), message.to_owned());
    }

    fn written(&self, path: &FieldPath) -> Option<&'a str> {
        self.node?.find(path)?.written.as_deref()
    }

    fn add(&mut self, rule: &'static AdmissionRule, cause: Cause, field: FieldPath, message: String) {
        self.problems.push(Problem { field, rule, cause, message });
    }
}

/// What is wrong with `value` by a branch of `allOf` and the like, which says nothing about other fields.
fn problems_of(branch: &Value, value: &Value, path: &FieldPath) -> Vec<Problem> {
    let mut walk = Walk::new("", None);
    walk.value(branch, value, None, path.clone());
    walk.problems.retain(|problem| problem.rule == &SCHEMA);
    walk.problems
}

fn field_schema<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let field = schema["properties"].as_object().and_then(|fields| fields.get(key));
    field.or_else(|| schema.get("additionalProperties").filter(|additional| additional.is_object()))
}

/// Whether a map holds no other fields than its schema names.
fn is_closed(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] != true
        && schema["type"] == "object"
        && schema["additionalProperties"] != true
        && schema["x-kubernetes-embedded-resource"] != true
}

/// `value` as the API server stores it: without fields that the schema does not know, and without an empty value
/// that a default replaces.
pub(super) fn prune(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter_map(|(key, value)| match field_schema(schema, key) {
                Some(field) if value.is_null() && is_replaced_when_empty(field) => None,
                Some(field) => Some((key.clone(), prune(field, value))),
                None if is_closed(schema) => None,
                None => Some((key.clone(), value.clone())),
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => match schema.get("items") {
            Some(item) => Value::Array(items.iter().map(|value| prune(item, value)).collect()),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

fn is_replaced_when_empty(field: &Value) -> bool {
    field["nullable"] != true && field.get("default").is_some()
}
