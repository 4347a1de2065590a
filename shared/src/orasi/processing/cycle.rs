//! Which field is made of which.

use std::collections::{BTreeMap, BTreeSet};

use super::{CYCLE, Processing, TransformationType};
use crate::{
    admission::problem::{Cause, Problems},
    field::{FieldPath, at},
};

/// Adds a problem for each rule that, with those before it, makes a field of itself.
pub(super) fn check(processing: &Processing, problems: &mut Problems) {
    let mut made = Made::default();
    for (nth, rule) in processing.transformation_rules.iter().flatten().enumerate() {
        let changes =
            !matches!(rule.transformation_type, TransformationType::Copy | TransformationType::Rename);
        let list = at("spec.processing.transformationRules").index(nth);
        made.add(&rule.source_field, &rule.target_field, changes, list, problems);
    }
    for (nth, rule) in processing.aggregation_rules.iter().flatten().enumerate() {
        let list = at("spec.processing.aggregationRules").index(nth);
        made.add(&rule.source_field, &rule.target_field, true, list, problems);
    }
}

/// The fields that are made of each field.
#[derive(Default)]
struct Made<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Made<'a> {
    /// A field may be changed where it is, for instance parsed; to copy it there has no effect.
    fn add(
        &mut self,
        source: &'a str,
        target: &'a str,
        changes: bool,
        rule: FieldPath,
        problems: &mut Problems,
    ) {
        if source == target {
            if !changes {
                let message =
                    "is the source, so that nothing changes; name another field, or remove the rule";
                problems.add(&CYCLE, Cause::Invalid, rule.field("targetField"), message);
            }
            return;
        }
        if self.leads(target, source) {
            let message = format!(
                "is what {source:?} is made of by rules before this one; write into a field of another name"
            );
            problems.add(&CYCLE, Cause::Invalid, rule.field("targetField"), message);
        }
        self.0.entry(source).or_default().insert(target);
    }

    /// Whether `to` is made of `from`.
    fn leads(&self, from: &'a str, to: &str) -> bool {
        let (mut seen, mut next) = (BTreeSet::from([from]), vec![from]);
        while let Some(field) = next.pop() {
            if field == to {
                return true;
            }
            let made = self.0.get(field).into_iter().flatten().copied();
            next.extend(made.filter(|one| seen.insert(one)));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing(edges: &[(&str, &str)]) -> Vec<String> {
        let (mut made, mut problems) = (Made::default(), Problems::default());
        for (nth, (source, target)) in edges.iter().enumerate() {
            made.add(source, target, false, at("rules").index(nth), &mut problems);
        }
        problems.into_sorted().iter().map(|problem| problem.field.to_string()).collect()
    }

    #[test]
    fn the_rule_that_closes_a_circle_is_told() {
        assert!(
            closing(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]).is_empty(),
            "two ways are no circle"
        );
        assert_eq!(closing(&[("a", "b"), ("b", "c"), ("c", "a")]), ["rules[2].targetField"]);
        assert_eq!(
            closing(&[("a", "a"), ("a", "b"), ("b", "a")]),
            ["rules[0].targetField", "rules[2].targetField"]
        );
    }

    #[test]
    fn a_long_chain_is_followed_to_its_end() {
        let names: Vec<_> = (0..200).map(|nth| nth.to_string()).collect();
        let mut edges: Vec<_> = names.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
        edges.push(("199", "0"));
        assert_eq!(closing(&edges), ["rules[199].targetField"]);
    }
}
