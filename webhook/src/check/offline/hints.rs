//! What is admitted and still surprises: an order of creation, values that are stored otherwise than they are
//! written.

use concierge_shared::{
    admission::problem::{Cause, Problem},
    field::{FieldPath, Segment, at},
    group::hide_secrets,
    kind::KindInfo,
};
use json_patch::{PatchOperation, jsonptr::Pointer};
use serde_json::Value;

use super::Id;
use crate::check::{
    input::Submission,
    rules::{ORDER, REWRITTEN},
};

/// How many objects a warning names.
const NAMED: usize = 5;

/// Objects that must be there before another, and where they are given.
pub(super) type Awaited = Vec<(Id, String)>;

/// The warning that the object is refused, by `denials`, before those that it waits for are there.
pub(super) fn order(denials: &[Problem], awaited: &Awaited) -> Option<Problem> {
    let denial = denials.first()?;
    let named = awaited.iter().take(NAMED).map(|((kind, namespace, name), place)| {
        format!("{kind} {namespace}/{name}, which comes later, at {place}")
    });
    let mut named = named.collect::<Vec<_>>().join("; ");
    if awaited.len() > NAMED {
        named.push_str(&format!("; and {} more", awaited.len() - NAMED));
    }
    let message = match awaited.is_empty() {
        true => format!("is refused before what comes later is there: {}", denial.message),
        false => format!("needs {named}; create {} first", if awaited.len() == 1 { "it" } else { "them" }),
    };
    Some(Problem { field: denial.field.clone(), rule: &ORDER, cause: Cause::NotFound, message })
}

/// A warning for each value of `object` that `patch` replaces.
pub(super) fn rewritten(kind: &KindInfo, object: &Value, patch: &[PatchOperation]) -> Vec<Problem> {
    patch.iter().filter_map(|operation| replaced(kind, object, operation)).collect()
}

fn replaced(kind: &KindInfo, object: &Value, operation: &PatchOperation) -> Option<Problem> {
    let PatchOperation::Replace(replace) = operation else { return None };
    let written = replace.path.resolve(object).ok()?;
    if written.is_null() || *written == replace.value {
        return None;
    }
    let stored = replace.value.to_string();
    let field = field(object, &replace.path);
    let is_secret = kind.secret_fields.contains(&pattern(&field).as_str()) || hide_secrets(&stored) != stored;
    let shown = if is_secret { String::new() } else { format!(" as {stored}") };
    let message = format!("is stored{shown}; write it so, or every apply finds it changed");
    Some(Problem { field, rule: &REWRITTEN, cause: Cause::Invalid, message })
}

/// The field at `pointer` in `object`.
fn field(object: &Value, pointer: &Pointer) -> FieldPath {
    let (mut path, mut value) = (at(""), Some(object));
    for token in pointer.tokens() {
        let token = token.decoded();
        let index = token.parse::<usize>().ok().filter(|_| value.is_some_and(Value::is_array));
        (path, value) = match index {
            Some(index) => (path.index(index), value.and_then(|value| value.get(index))),
            None => (path.field(&token), value.and_then(|value| value.get(&*token))),
        };
    }
    path
}

/// `field` as kinds name it, whatever the place in a list: `spec.items[].token`.
fn pattern(field: &FieldPath) -> String {
    field.segments().iter().fold(String::new(), |mut text, segment| {
        match segment {
            Segment::Index(_) => text.push_str("[]"),
            Segment::Field(name) | Segment::Key(name) if text.is_empty() => text.push_str(name),
            Segment::Field(name) | Segment::Key(name) => text.extend([".", name]),
        }
        text
    })
}

/// Whether the object was read from a cluster, with what the API server itself put into it.
pub(crate) fn is_exported(submission: &Submission) -> bool {
    let metadata = submission.object.as_ref().map(|object| &object["metadata"]);
    let is_set = |field: &str| metadata.is_some_and(|metadata| metadata[field].is_string());
    submission.applied && is_set("uid") && is_set("resourceVersion")
}
