//! The stages joined: one pure function from a request to an evaluation.
//!
//! It never waits. What a cache could not tell for sure comes out as [`Need`]s; whoever can read the cluster
//! reads them and evaluates again with the answers in front of the cache.

use std::collections::BTreeMap;

mod evaluation;
mod others;
mod request;

use self::{
    evaluation::Findings,
    others::{check_claim, check_reference},
};
pub use self::{
    evaluation::{Evaluation, Taken, held_message, level},
    others::{abridged, abridged_of, check_in_use},
    request::{Context, Request, Review, Stage, annotation},
};
use super::{
    defaults::Defaulted,
    envelope::Operation,
    lookup::Namespace,
    object::Raw,
    problem::{Cause, Problem, Problems},
    reference::DELETE_IN_USE_ANNOTATION,
    resync::check_resync,
    rule::{NAMESPACE_RULES, NESTING, RULES_ANNOTATION, STATUS_IGNORED},
    steering::check_steering,
    tolerance::Tolerance,
};
use crate::kind::{COMMON_ANNOTATIONS, Kind, reads_label};

/// Evaluates a request about an object of kind `K`.
pub fn evaluate<K: Kind>(request: &Request<'_>, context: &Context<'_>) -> Evaluation {
    match (request.operation, request.object, request.old) {
        (Operation::Create | Operation::Update, Some(new), old) => {
            match new.terminating() || old.is_some_and(|old| new.is_judged_like::<K>(old)) {
                true => evaluate_steering(request, context, new),
                false => evaluate_new::<K>(request, context, new),
            }
        }
        (Operation::Delete, _, Some(old)) if request.stage == Stage::Validate => {
            old.decode_stored::<K>().map(|old| evaluate_deletion(request, context, old)).unwrap_or_default()
        }
        _ => Evaluation::default(),
    }
}

/// Checks the annotations of an update that changes nothing else that rules read.
fn evaluate_steering(request: &Request<'_>, context: &Context<'_>, new: &Raw<'_>) -> Evaluation {
    let mut found = Findings::default();
    if request.stage == Stage::Validate {
        check_steering(&new.steering(request.old), &mut found.problems);
    }
    found.into_evaluation(request, context, Vec::new(), Tolerance::none)
}

fn evaluate_new<K: Kind>(request: &Request<'_>, context: &Context<'_>, new: &Raw<'_>) -> Evaluation {
    let decoded = new.decode::<K>().or_else(|problem| match may_stay(&problem, request, new) {
        true => new.decode_stored(),
        false => Err(problem),
    });
    match decoded {
        Ok(object) => evaluate_object(request, context, object),
        // The API server checks the schema after this call; it will say the same, and more.
        Err(_) if request.stage == Stage::Mutate => Evaluation::default(),
        Err(problem) => Evaluation { denials: vec![problem], ..Evaluation::default() },
    }
}

/// Whether the object is stored as deep already. The reconciler re-validates a stored object as an UPDATE without `old`.
fn may_stay(problem: &Problem, request: &Request<'_>, new: &Raw<'_>) -> bool {
    let is_stored = match request.old {
        Some(old) => !new.is_deeper_than(old),
        None => request.operation == Operation::Update,
    };
    problem.rule == &NESTING && is_stored
}

fn evaluate_object<K: Kind>(request: &Request<'_>, context: &Context<'_>, mut object: K) -> Evaluation {
    // An old object that no longer fits the schema has no spec to compare with: then all rules apply.
    let old = request.old.and_then(|old| old.decode_stored::<K>().ok());
    if let Some(new) = request.object.filter(|_| old.as_ref().is_some_and(|old| is_judged_like(old, &object)))
    {
        return evaluate_steering(request, context, new);
    }
    *object.status_mut() = stored_status(request, old.as_ref());
    let (object, patch) = Defaulted::new(object);
    let mut found = Findings::default();
    if request.operation == Operation::Create && request.object.is_some_and(Raw::has_status) {
        found.problems.add(
            &STATUS_IGNORED,
            Cause::Forbidden,
            "status",
            "is written by Concierge and dropped here; remove it from the manifest",
        );
    }
    if request.stage == Stage::Validate {
        examine(request, context, &object, old.as_ref(), &mut found);
        add_mistakes(&context.lookup.namespace(request.namespace), &mut found.problems);
    }
    let excuses =
        || old.as_ref().map_or_else(Tolerance::none, |old| tolerance(request, context, old, &object));
    found.into_evaluation(request, context, patch, excuses)
}

/// Warns whoever writes objects of a part of the namespace's annotation that has no effect.
fn add_mistakes(namespace: &Namespace, problems: &mut Problems) {
    for mistake in &namespace.mistakes {
        let message =
            format!("has the annotation {RULES_ANNOTATION}, of which a part has no effect: {mistake}");
        problems.add(&NAMESPACE_RULES, Cause::Invalid, "metadata.namespace", message);
    }
}

/// True when nothing that rules read differs.
fn is_judged_like<K: Kind>(old: &K, new: &K) -> bool {
    old.spec() == new.spec()
        && read_labels(old).eq(read_labels(new))
        && K::READ_ANNOTATIONS
            .iter()
            .chain(COMMON_ANNOTATIONS)
            .all(|key| annotation(old, key) == annotation(new, key))
}

fn read_labels<K: Kind>(object: &K) -> impl Iterator<Item = (&String, &String)> {
    let labels = object.meta().labels.iter().flatten();
    labels.filter(|(key, _)| reads_label(K::READ_LABELS, key))
}

/// The status that goes with the object: an update leaves it as it is stored, whatever came with the request.
fn stored_status<K: Kind>(request: &Request<'_>, old: Option<&K>) -> Option<K::Status> {
    match (request.operation, old) {
        (_, Some(old)) => old.status().cloned(),
        (Operation::Update, None) => request.object?.status::<K>(),
        _ => None,
    }
}

/// What the stored object has wrong already: an update may keep it.
fn tolerance<K: Kind>(request: &Request<'_>, context: &Context<'_>, old: &K, new: &K) -> Tolerance {
    let (old, _) = Defaulted::new(old.clone());
    let mut found = Findings::default();
    examine(request, context, &old, Some(&old), &mut found);
    Tolerance::new(&*old, new, found.problems.into_sorted())
}

fn examine<K: Kind>(
    request: &Request<'_>,
    context: &Context<'_>,
    object: &Defaulted<K>,
    old: Option<&K>,
    found: &mut Findings,
) {
    let review = Review {
        operation: request.operation,
        object,
        old,
        namespace: request.namespace,
        user: request.user,
        settings: context.settings,
        lookup: context.lookup,
    };
    K::check(&review, &mut found.problems);
    check_resync(object.meta(), &mut found.problems);
    check_steering(object.meta().annotations.as_ref().unwrap_or(&BTreeMap::new()), &mut found.problems);
    let references = object.references();
    for reference in &references {
        check_reference(&review, reference, found);
    }
    // What is not permitted is not looked at either: neither what an account has, nor what is taken there.
    if found.intrudes(context) {
        return;
    }
    let held = old.map(Kind::claims).unwrap_or_default();
    for claim in object.claims() {
        check_claim(&review, claim, &references, &held, found);
    }
}

fn evaluate_deletion<K: Kind>(request: &Request<'_>, context: &Context<'_>, old: K) -> Evaluation {
    let override_set = annotation(&old, DELETE_IN_USE_ANNOTATION).is_some_and(|value| value == "true");
    if override_set || context.lookup.namespace(request.namespace).terminating {
        return Evaluation::default();
    }
    let (object, _) = Defaulted::new(old);
    let review = Review {
        operation: request.operation,
        object: &object,
        old: None,
        namespace: request.namespace,
        user: request.user,
        settings: context.settings,
        lookup: context.lookup,
    };
    let mut found = Findings::default();
    if K::ASKED_ON_DELETE {
        K::check_deletion(&review, &mut found.problems);
    }
    if let Some(rule) = K::IN_USE {
        check_in_use::<K>(rule, review.referrers(), &mut found.problems);
    }
    found.into_evaluation(request, context, Vec::new(), Tolerance::none)
}
