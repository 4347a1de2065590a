//! Which Pipelines a configuration takes.

use super::{Configuration, SELECTOR, SELECTS};
use crate::{
    admission::{
        lookup::{Lookup, Query},
        problem::{Cause, Problems},
        review::Review,
    },
    index::Stored,
    orasi::selector::SELECTED,
};

/// How many Pipelines are gone through to find one that is taken. Among more there may be one; it is only a warning that is spared.
const LOOKED_AT: usize = 500;

pub(super) fn check(review: &Review<'_, Configuration>, problems: &mut Problems) {
    let (selector, field) = (&review.object.spec.pipelines, "spec.pipelines");
    selector.check(field, &SELECTOR, problems);
    let is_selected = |one: &Stored| selector.selects(one.meta().labels.as_ref());
    let taken = review.look_up(|lookup: &dyn Lookup| {
        let count = |key: &str| lookup.count_in(SELECTED, review.namespace, key).unwrap_or_default();
        let keys = selector.best_keys(review.namespace, count);
        let found: usize = keys.iter().map(|key| count(key)).sum();
        let mut queries = keys.iter().map(|key| Query::alive(SELECTED, review.namespace, key));
        found > LOOKED_AT || queries.any(|query| !lookup.first(query, 1, &is_selected).objects.is_empty())
    });
    taken.check(problems, field, &[&SELECTS], |any, problems| {
        if !any {
            let message = "takes no Pipeline of the namespace so far; correct it, or label Pipelines";
            problems.add(&SELECTS, Cause::NotFound, field, message);
        }
    });
}
