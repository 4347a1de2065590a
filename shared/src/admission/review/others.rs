//! The object and others: what it refers to, what it claims, and who uses it.

use super::{
    evaluation::{Findings, Taken},
    request::Review,
};
use crate::{
    admission::{
        claim::Claim,
        lookup::{Found, Query},
        problem::{Cause, Problems},
        reference::{self, DELETE_IN_USE_ANNOTATION, Reference},
        rule::AdmissionRule,
        seen::{FEW, Seen, Users},
    },
    index::Stored,
    kind::Kind,
};

/// Whether the target of a reference is there, and may be referred to.
pub(super) fn check_reference<K: Kind>(review: &Review<'_, K>, reference: &Reference, found: &mut Findings) {
    let Reference { field, rule, .. } = reference;
    let namespace = reference.namespace.as_deref().unwrap_or(review.namespace);
    let target = review.look_up(|lookup| review.find(lookup, reference));
    let Findings { problems, intrusions, .. } = found;
    target.check(problems, field.clone(), &[rule], |target, problems| {
        if let Some(message) = wrong_target(review.namespace, namespace, reference, &target) {
            problems.add(rule, Cause::NotFound, field.clone(), message);
            if namespace != review.namespace && !reference.implied {
                intrusions.push((rule, field.clone()));
            }
        }
    });
}

/// What is wrong with the target of a reference from namespace `own` to `namespace`, if anything is.
fn wrong_target(own: &str, namespace: &str, reference: &Reference, target: &Found) -> Option<String> {
    let Reference { kind, name, .. } = reference;
    let target = match target {
        Found::Present(target) => Some(target),
        Found::Absent | Found::Unknown => None,
    };
    if namespace != own && reference.implied {
        return target.filter(|target| !target.terminating()).is_none().then(|| {
            format!(
                "{kind} {namespace}/{name} does not exist, is being deleted, or is not for you to read; create it first, correct \
                 the name, or ask its owner for the right to get it"
            )
        });
    }
    if namespace != own {
        let usable = |target: &&Stored| {
            !target.terminating() && reference::permits(target.meta().annotations.as_ref(), own)
        };
        // The same words whether it exists or not: a foreign namespace is not to be searched from here.
        return target.filter(usable).is_none().then(|| {
            format!(
                "{kind} {namespace}/{name} does not exist or does not allow references from namespace {own}; its \
                 owner can allow them with the annotation {}",
                reference::ALLOWED_NAMESPACES_ANNOTATION
            )
        });
    }
    match target {
        None => Some(format!(
            "{kind} {name:?} does not exist in namespace {namespace}; create it first, or correct the name"
        )),
        Some(target) if target.terminating() => {
            Some(format!("{kind} {name:?} is being deleted; refer to another, or wait and create it again"))
        }
        Some(_) => None,
    }
}

/// Whether what the object claims is free.
pub(super) fn check_claim<K: Kind>(
    review: &Review<'_, K>,
    claim: Claim,
    references: &[Reference],
    held: &[Claim],
    found: &mut Findings,
) {
    let is_other = |holder: &Stored| !review.is_self(holder);
    let holders = review.look_up(|lookup| {
        // Nothing would be taken there if they were not permitted.
        for Reference { kind, namespace, name, .. } in references {
            namespace.iter().for_each(|namespace| drop(lookup.find(kind, namespace, name)));
        }
        lookup.first(Query::all(K::NAME, "", &claim.index_key()), 1, &is_other).objects
    });
    let Findings { problems, taken, claims, .. } = found;
    let before = taken.len();
    holders.by_name().check(problems, claim.field.clone(), &[claim.rule], |holders, problems| {
        let Some(holder) = holders.into_iter().next() else { return };
        problems.add(claim.rule, Cause::Duplicate, claim.field.clone(), claim.taken_message());
        taken.push(Taken { field: claim.field.clone(), rule: claim.rule, holder });
    });
    if taken.len() == before && !held.contains(&claim) {
        claims.push(claim);
    }
}

/// Adds the problem of deleting an object of kind `K` that others use.
pub fn check_in_use<K: Kind>(rule: &'static AdmissionRule, users: Seen<Users>, problems: &mut Problems) {
    let field = "metadata.name";
    users.check(problems, field, &[rule], |users, problems| {
        let what = match users.is_any_known() {
            Some(false) => return,
            Some(true) => format!("is in use by {users}; delete or change them first, or"),
            None => {
                format!("may be in use by {users}; delete or change some of them, or, once none uses it,")
            }
        };
        let message =
            format!("the {} {what} set the annotation {DELETE_IN_USE_ANNOTATION}: \"true\" on it", K::NAME);
        problems.add(rule, Cause::Forbidden, field, message);
    });
}

/// The first few of `names`, and how many more there are.
pub fn abridged(names: &[String]) -> String {
    abridged_of(names, names.len())
}

/// The first of `all` names, and how many more there are.
pub fn abridged_of(names: &[String], all: usize) -> String {
    let shown = names.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    match all.saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
