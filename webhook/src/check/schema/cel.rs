//! The schema's CEL rules, `x-kubernetes-validations`.

use concierge_shared::{
    admission::{
        problem::{Cause, Problem},
        rule::SCHEMA,
    },
    field::{FieldPath, Segment, at},
};
use kube_cel::{CompiledSchema, ErrorKind, ValidationError};
use serde_json::Value;

use super::structural;
use crate::check::rules::UNEVALUATED;

/// All rules of a schema, compiled.
pub(super) struct Rules {
    schema: Value,
    compiled: CompiledSchema,
}

impl Rules {
    /// The rules of `schema`.
    pub(super) fn of(schema: &Value) -> Self {
        let mut bare = schema.clone();
        remove_defaults(&mut bare);
        Self { compiled: kube_cel::compile_schema(&bare), schema: schema.clone() }
    }

    /// The rules that `object` breaks as a new object, or as an update of `old`.
    pub(super) fn check(&self, object: &Value, old: Option<&Value>) -> Vec<Problem> {
        let (object, old) = (self.prepare(object), old.map(|old| self.prepare(old)));
        let errors = kube_cel::validate_compiled(&self.compiled, &object, old.as_ref()).err();
        let errors = errors.map(kube_cel::ValidationErrors::into_vec).unwrap_or_default();
        let stands = |error: &ValidationError| !is_tolerated(error, &object, old.as_ref());
        errors.into_iter().filter(stands).map(problem).collect()
    }

    /// `value` as rules see it: with its defaults; then an empty value counts as not set, and no rule is about it.
    fn prepare(&self, value: &Value) -> Value {
        let pruned = structural::prune(&self.schema, value);
        let mut value = kube_cel::apply_defaults(&self.schema, &pruned);
        remove_empty(&mut value);
        value
    }

    #[cfg(test)]
    pub(super) fn errors(&self) -> Vec<String> {
        self.compiled.compilation_errors().iter().map(ToString::to_string).collect()
    }
}

fn remove_empty(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(remove_empty);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_empty),
        _ => {}
    }
}

/// Takes the defaults out of a schema, so that none takes the place of a value that was given empty.
fn remove_defaults(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    fields.remove("default");
    for key in ["items", "additionalProperties"] {
        fields.get_mut(key).into_iter().for_each(remove_defaults);
    }
    let properties = fields.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(|properties| properties.values_mut()).for_each(remove_defaults);
}

/// What an update leaves unchanged may stay as it is, unless the rule is about the change. Items of lists are
/// never known to be the ones that they were.
fn is_tolerated(error: &ValidationError, object: &Value, old: Option<&Value>) -> bool {
    let path = read_path(&error.field_path);
    let in_list = path.segments().iter().any(|segment| matches!(segment, Segment::Index(_)));
    let pointer = path.pointer();
    let unchanged = old.is_some_and(|old| {
        let found = object.pointer(pointer.as_str());
        found.is_some() && found == old.pointer(pointer.as_str())
    });
    unchanged && !in_list && !error.rule.contains("oldSelf")
}

fn problem(error: ValidationError) -> Problem {
    let field = read_path(&error.field_path);
    let broken = matches!(error.kind, ErrorKind::ValidationFailure | ErrorKind::EvaluationError);
    if !broken {
        let message =
            format!("the rule {:?} can't be evaluated without a cluster: {}", error.rule, error.message);
        return Problem { field, rule: &UNEVALUATED, cause: Cause::Invalid, message };
    }
    let cause = match error.reason.as_deref() {
        Some("FieldValueForbidden") => Cause::Forbidden,
        Some("FieldValueRequired") => Cause::Required,
        Some("FieldValueDuplicate") => Cause::Duplicate,
        _ => Cause::Invalid,
    };
    Problem { field, rule: &SCHEMA, cause, message: error.message }
}

/// Reads `spec.items[2].name`.
fn read_path(text: &str) -> FieldPath {
    text.split('.').filter(|part| !part.is_empty()).fold(at(""), |path, part| {
        let mut parts = part.split('[');
        let name = parts.next().unwrap_or_default();
        let path = if name.is_empty() { path } else { path.field(name) };
        parts.fold(path, |path, part| match part.trim_end_matches(']').parse() {
            Ok(index) => path.index(index),
            Err(_) => path.key(part.trim_end_matches(']')),
        })
    })
}
