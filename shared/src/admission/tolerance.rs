//! What an update may keep: problems that the stored object has already, of values that stay as they are.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use serde_json::Value;

use super::problem::Problem;
use crate::{
    field::{FieldPath, Segment},
    kind::Kind,
};

/// The problems of a stored object, each of which excuses one of the same value.
#[derive(Default)]
pub(super) struct Tolerance {
    old: Side,
    new: Side,
    /// In the order of their keys.
    problems: Vec<Problem>,
    /// Which of them have excused nothing yet.
    unused: Vec<bool>,
    /// Those in items of lists, by what is the same wherever the item is.
    in_items: HashMap<u64, Vec<usize>>,
    random: RandomState,
}

impl Tolerance {
    /// Of an update of `old`, which has `problems`, to `new`.
    pub(super) fn new<K: Kind>(old: &K, new: &K, mut problems: Vec<Problem>) -> Self {
        // What has no JSON has no values that are the same.
        let side = |object: &K| Side { json: serde_json::to_value(object).unwrap_or_default(), last: None };
        problems.sort_by(|one, other| key(one).cmp(&key(other)));
        let (mut old, new, random) = (side(old), side(new), RandomState::new());
        let mut in_items = HashMap::<_, Vec<_>>::new();
        for (nth, problem) in problems.iter().enumerate().rev() {
            let digest = old.digest(problem, &random);
            digest.into_iter().for_each(|digest| in_items.entry(digest).or_default().push(nth));
        }
        Self { old, new, unused: vec![true; problems.len()], problems, in_items, random }
    }

    /// Nothing is stored, so nothing is kept.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Whether the stored object has this problem with the same value: at the same place, or in the same item of a list. A message
    /// that differs tells of another: the value may be refused by another object than before.
    pub(super) fn takes(&mut self, problem: &Problem) -> bool {
        let kept = self.at_its_place(problem).or_else(|| self.in_its_item(problem));
        kept.map(|kept| self.unused[kept] = false).is_some()
    }

    fn at_its_place(&self, problem: &Problem) -> Option<usize> {
        let nth = self.problems.partition_point(|old| key(old) < key(problem));
        let old = self.problems.get(nth).filter(|old| self.unused[nth] && key(old) == key(problem))?;
        let place = old.field.segments();
        (self.old.value(place) == self.new.value(place)).then_some(nth)
    }

    fn in_its_item(&mut self, problem: &Problem) -> Option<usize> {
        let digest = self.new.digest(problem, &self.random)?;
        let same = self.in_items.get_mut(&digest)?;
        std::iter::from_fn(|| same.pop()).find(|nth| self.unused[*nth])
    }
}

fn key(problem: &Problem) -> (&FieldPath, &str, &str) {
    (&problem.field, problem.rule.id, &problem.message)
}

/// The stored object, or the one that is to take its place.
#[derive(Default)]
struct Side {
    json: Value,
    /// The item that was last looked at, with its digest: problems come in the order of their places.
    last: Option<(Vec<Segment>, u64)>,
}

impl Side {
    fn value(&self, place: &[Segment]) -> Option<&Value> {
        place.iter().try_fold(&self.json, |value, segment| match segment {
            Segment::Field(name) | Segment::Key(name) => value.get(name),
            Segment::Index(index) => value.get(index),
        })
    }

    /// Of a problem in an item of a list, the innermost one: all but where the item is.
    fn digest(&mut self, problem: &Problem, random: &RandomState) -> Option<u64> {
        let place = problem.field.segments();
        let index = place.iter().rposition(|segment| matches!(segment, Segment::Index(_)))?;
        let (item, rest) = place.split_at(index + 1);
        if self.last.as_ref().is_none_or(|(last, _)| last != item) {
            self.last = Some((item.to_vec(), random.hash_one(self.value(item))));
        }
        let (_, of_item) = self.last.as_ref()?;
        Some(random.hash_one((problem.rule.id, &problem.message, &item[..index], rest, of_item)))
    }
}
