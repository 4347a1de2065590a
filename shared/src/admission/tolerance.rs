//! What an update may keep: problems that the stored object has already, of values that stay as they are.

use serde_json::Value;

use super::problem::Problem;
use crate::{
    field::{FieldPath, Segment},
    kind::Kind,
};

/// The problems of a stored object, each of which excuses one of the same value.
pub(super) struct Tolerance {
    old: Value,
    new: Value,
    problems: Vec<Problem>,
}

impl Tolerance {
    /// Of an update of `old`, which has `problems`, to `new`.
    pub(super) fn new<K: Kind>(old: &K, new: &K, problems: Vec<Problem>) -> Self {
        // What has no JSON has no values that are the same.
        let json = |object: &K| serde_json::to_value(object).unwrap_or_default();
        Self { old: json(old), new: json(new), problems }
    }

    /// Nothing is stored, so nothing is kept.
    pub(super) fn none() -> Self {
        Self { old: Value::Null, new: Value::Null, problems: Vec::new() }
    }

    /// Whether the stored object has this problem with the same value. A message that differs tells of another: the
    /// value may be refused by another object than before.
    pub(super) fn takes(&mut self, problem: &Problem) -> bool {
        let is_kept = |old: &Problem| {
            old.rule == problem.rule
                && old.message == problem.message
                && self.is_unchanged(&old.field, &problem.field)
        };
        let kept = self.problems.iter().position(is_kept);
        kept.map(|kept| self.problems.swap_remove(kept)).is_some()
    }

    /// Whether the value that was at `before` is now at `after`: at the same place, or in the same item of a list.
    fn is_unchanged(&self, before: &FieldPath, after: &FieldPath) -> bool {
        let old = |path: &FieldPath| self.old.pointer(path.pointer().as_str());
        let new = |path: &FieldPath| self.new.pointer(path.pointer().as_str());
        if before == after {
            return old(before) == new(after);
        }
        match (item(before), item(after)) {
            (Some((list, item, rest)), Some((new_list, new_item, new_rest))) => {
                list == new_list && rest == new_rest && old(&item) == new(&new_item)
            }
            _ => false,
        }
    }
}

/// A path taken apart at its last list index: the list, the item, and what follows in the item.
fn item(path: &FieldPath) -> Option<(&[Segment], FieldPath, &[Segment])> {
    let segments = path.segments();
    let index = segments.iter().rposition(|segment| matches!(segment, Segment::Index(_)))?;
    let item = FieldPath::from_iter(segments[..=index].iter().cloned());
    Some((&segments[..index], item, &segments[index + 1..]))
}
