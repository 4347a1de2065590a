//! Defaults: fields that are filled in, and the JSON patch that says so.

use std::ops::Deref;

use json_patch::{AddOperation, PatchOperation, ReplaceOperation};
use serde::Serialize;
use serde_json::Value;

use crate::{
    field::{FieldPath, Segment},
    kind::Kind,
};

/// An object whose defaults are filled in. Rules take nothing else, so none can see a value that a
/// default would have changed.
#[derive(Clone, Debug)]
pub struct Defaulted<K>(K);

impl<K: Kind> Defaulted<K> {
    /// Fills in the defaults of `object`; the operations that do the same to its JSON.
    pub fn new(mut object: K) -> (Self, Vec<PatchOperation>) {
        let mut fill = Fill { declared: K::FILLS, patch: Vec::new() };
        object.fill_defaults(&mut fill);
        (Self(object), fill.patch)
    }

    /// The object.
    pub fn into_inner(self) -> K {
        self.0
    }
}

impl<K> Deref for Defaulted<K> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.0
    }
}

/// How many defaults of one object are recorded. Only an object that its schema refuses anyway has more.
const MOST: usize = 20_000;
/// How much larger than the object's spec its patch may be, in bytes.
const PATCH_ROOM: usize = 64 * 1024;

/// A field that a kind's defaults fill in or tidy up: `spec.items[].quantity`. The webhook's match
/// conditions are made from these, so that the API server does not ask about an object that has everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Where it is; `[]` stands behind a list.
    pub field: &'static str,
    /// What becomes of it.
    pub how: How,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It gets a value when it has none.
    Missing,
    /// It gets a value when it has none and the field of this name beside it is there.
    MissingBeside(&'static str),
    /// White space around it goes.
    Trimmed,
    /// White space around it goes, and it is written in capitals.
    Capitals,
    /// White space around it goes, and it is written in small letters.
    LowerCase,
}

impl How {
    /// Whether a field that is declared like this may be filled in as `done`.
    fn covers(self, done: How) -> bool {
        self == done || matches!((self, done), (How::MissingBeside(_), How::Missing))
    }
}

/// `field` gets a value when what it is part of is there and it is not.
pub const fn missing(field: &'static str) -> Filled {
    Filled { field, how: How::Missing }
}

/// The same, when the field `beside` of the same parent is there.
pub const fn missing_beside(beside: &'static str, field: &'static str) -> Filled {
    Filled { field, how: How::MissingBeside(beside) }
}

/// `field` loses the white space around it.
pub const fn trimmed(field: &'static str) -> Filled {
    Filled { field, how: How::Trimmed }
}

/// `field` loses the white space around it and is written in capitals.
pub const fn capitals(field: &'static str) -> Filled {
    Filled { field, how: How::Capitals }
}

/// `field` loses the white space around it and is written in small letters.
pub const fn lower_case(field: &'static str) -> Filled {
    Filled { field, how: How::LowerCase }
}

/// Records each default as it is filled in.
#[derive(Debug)]
pub struct Fill {
    declared: &'static [Filled],
    patch: Vec<PatchOperation>,
}

impl Fill {
    /// Gives `slot` the value `default` when it has none.
    pub fn missing<T: Serialize>(&mut self, slot: &mut Option<T>, field: impl Into<FieldPath>, default: T) {
        if slot.is_none() {
            self.record(field.into(), How::Missing, &default, |path, value| {
                PatchOperation::Add(AddOperation { path, value })
            });
            *slot = Some(default);
        }
    }

    /// Removes white space around `slot`'s text.
    pub fn trim(&mut self, slot: &mut String, field: impl Into<FieldPath>) {
        if has_space_around(slot) {
            let trimmed = slot.trim().to_owned();
            self.replace(slot, field.into(), How::Trimmed, trimmed);
        }
    }

    /// Removes white space around `slot`'s text and writes it in capitals.
    pub fn capitals(&mut self, slot: &mut String, field: impl Into<FieldPath>) {
        let normal = slot.trim().to_ascii_uppercase();
        if *slot != normal {
            self.replace(slot, field.into(), How::Capitals, normal);
        }
    }

    /// Removes white space around `slot`'s text and writes it in small letters.
    pub fn lower_case(&mut self, slot: &mut String, field: impl Into<FieldPath>) {
        let normal = slot.trim().to_ascii_lowercase();
        if *slot != normal {
            self.replace(slot, field.into(), How::LowerCase, normal);
        }
    }

    fn replace(&mut self, slot: &mut String, field: FieldPath, how: How, normal: String) {
        let replace = |path, value| PatchOperation::Replace(ReplaceOperation { path, value });
        self.record(field, how, &normal, replace);
        *slot = normal;
    }

    fn record<T: Serialize>(
        &mut self,
        field: FieldPath,
        how: How,
        value: &T,
        operation: impl FnOnce(json_patch::jsonptr::PointerBuf, Value) -> PatchOperation,
    ) {
        debug_assert!(self.declares(&field, how), "FILLS does not say that {field} is filled in like that");
        if self.patch.len() == MOST {
            return;
        }
        // A default that has no JSON form can't be patched in; the types of our kinds all have one.
        if let Ok(value) = serde_json::to_value(value) {
            self.patch.push(operation(field.pointer(), value));
        }
    }
}

impl Fill {
    fn declares(&self, field: &FieldPath, how: How) -> bool {
        let field = field.segments().iter().fold(String::new(), |field, segment| match segment {
            Segment::Index(_) => field + "[]",
            Segment::Field(name) | Segment::Key(name) if field.is_empty() => name.to_string(),
            Segment::Field(name) | Segment::Key(name) => format!("{field}.{name}"),
        });
        self.declared.iter().any(|filled| filled.field == field && filled.how.covers(how))
    }
}

/// True when there is white space before or behind `text`.
pub fn has_space_around(text: &str) -> bool {
    text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace)
}

/// Why the patch that defaulting recorded does not apply to the object it came from.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The object is no JSON.
    #[error("the object is not JSON")]
    Json(#[from] serde_json::Error),
    /// An operation does not apply.
    #[error("the defaults do not apply to the object")]
    Apply(#[from] json_patch::PatchError),
}

/// `raw` with `patch` applied: the API server refuses a request whose patch does not apply, even when
/// failures are to be ignored, so nobody may answer with a patch that did not pass here.
pub fn apply(raw: &str, patch: &[PatchOperation]) -> Result<Value, PatchError> {
    let mut object = serde_json::from_str(raw)?;
    json_patch::patch(&mut object, patch)?;
    Ok(object)
}

/// `patch` as it is answered for the object `raw`, of which it changes the spec: many small operations become one that
/// replaces the spec. Nothing is answered when even that is much larger than the object.
pub fn answerable(raw: &str, patch: Vec<PatchOperation>) -> Result<Vec<PatchOperation>, PatchError> {
    if patch.is_empty() {
        return Ok(patch);
    }
    let mut applied = apply(raw, &patch)?;
    let room = raw.len() + PATCH_ROOM;
    if length(&patch)? <= room {
        return Ok(patch);
    }
    let path = FieldPath::from("spec").pointer();
    let whole = vec![PatchOperation::Replace(ReplaceOperation { path, value: applied["spec"].take() })];
    Ok(if length(&whole)? <= room { whole } else { Vec::new() })
}

fn length(patch: &[PatchOperation]) -> Result<usize, PatchError> {
    Ok(serde_json::to_vec(patch)?.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pets::PetStore;

    /// The answered patch for a store with these tags, and the size of the store's JSON.
    fn patch(tags: &[&str]) -> (Vec<PatchOperation>, Value, usize) {
        let object = json!({"spec": {"name": "Shop", "config": {"allowedTags": tags}, "later": [1]}});
        let store: PetStore = serde_json::from_value(json!({
            "apiVersion": "petstore.example.com/v1", "kind": "PetStore", "metadata": {}, "spec": object["spec"],
        }))
        .unwrap();
        let raw = object.to_string();
        (answerable(&raw, Defaulted::new(store).1).unwrap(), object, raw.len())
    }

    #[test]
    fn a_patch_of_many_operations_becomes_one_that_keeps_what_it_does_not_know() {
        let (patch, mut object, size) = patch(&[" cat "; 5000]);
        assert_eq!(patch.len(), 1);
        assert!(length(&patch).unwrap() <= size + PATCH_ROOM);
        json_patch::patch(&mut object, &patch).unwrap();
        assert_eq!(object["spec"]["later"], json!([1]));
        assert_eq!(object["spec"]["config"]["allowedTags"], json!(vec!["cat"; 5000]));
        assert_eq!(object["spec"]["config"]["maxPets"], 100);
    }

    #[test]
    fn a_patch_is_no_larger_than_its_object_and_a_constant() {
        for count in [0, 1, 10, 100, 100_000] {
            let (patch, _, size) = patch(&vec![" a"; count]);
            assert!(length(&patch).unwrap() <= size + PATCH_ROOM, "{count}");
        }
        assert!(patch(&[" a"; 3]).0.len() > 3, "a few operations stay as they are");
    }
}
