//! The stages joined: one pure function from a request to an evaluation.
//!
//! It never waits. What a cache could not tell for sure comes out as [`Need`]s; whoever can read the cluster
//! reads them and evaluates again with the answers in front of the cache.

use std::{cell::RefCell, sync::Arc};

use json_patch::PatchOperation;

use super::{
    claim::Claim,
    defaults::Defaulted,
    envelope::Operation,
    lookup::{Found, Lookup, LookupExt, Need},
    object::Raw,
    problem::{Cause, Problem, Problems},
    reference::{self, DELETE_IN_USE_ANNOTATION, Reference, referrers_key},
    rule::{AdmissionRule, Enforcement, LOOKUP, Level, STATUS_IGNORED},
};
use crate::{
    field::{FieldPath, at},
    index::Stored,
    kind::{KINDS, Kind},
    settings::Settings,
};

/// How many referrers a denial names.
const NAMED_REFERRERS: usize = 5;

/// Which of the two admission calls this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Fill in defaults; no rule is looked at.
    Mutate,
    /// Decide.
    Validate,
}

/// A request about an object.
#[derive(Debug)]
pub struct Request<'a> {
    /// Which call.
    pub stage: Stage,
    /// What is to be done.
    pub operation: Operation,
    /// The object's namespace; empty for a cluster-scoped object.
    pub namespace: &'a str,
    /// The object; absent on deletion.
    pub object: Option<&'a Raw<'a>>,
    /// The stored object; absent on creation.
    pub old: Option<&'a Raw<'a>>,
}

/// What a request is evaluated against.
pub struct Context<'a> {
    /// The objects around.
    pub lookup: &'a dyn Lookup,
    /// The operator's levels for the whole cluster.
    pub enforcement: &'a Enforcement,
    /// The operator's settings.
    pub settings: &'a Settings,
}

/// What a kind's rules see.
pub struct Review<'a, K> {
    /// What is to be done.
    pub operation: Operation,
    /// The object, with its status as it is stored; on deletion, the one to be deleted.
    pub object: &'a Defaulted<K>,
    /// The stored object, on update.
    pub old: Option<&'a K>,
    /// The object's namespace.
    pub namespace: &'a str,
    /// The objects around.
    pub lookup: &'a dyn Lookup,
    /// The operator's settings.
    pub settings: &'a Settings,
    notes: RefCell<Notes>,
}

/// What rules could not see, or saw in a cache that may be behind.
#[derive(Default)]
struct Notes {
    unresolved: Vec<Problem>,
    needs: Vec<Need>,
}

impl<K: Kind> Review<'_, K> {
    /// The objects of kind `T` with an index key. When that can't be told, the request is not admitted
    /// before it can.
    pub fn select<T: Kind>(&self, key: &str) -> Vec<Arc<T>> {
        let (objects, complete) = self.lookup.select_as::<T>(key);
        if !complete {
            self.blind::<T>();
        }
        objects
    }

    /// How many objects of kind `T` have an index key; 0, and no admission yet, when that can't be told.
    pub fn count<T: Kind>(&self, key: &str) -> usize {
        self.lookup.count(T::NAME, key).unwrap_or_else(|| {
            self.blind::<T>();
            0
        })
    }

    /// Says that a problem rests on the objects of kind `T` in this namespace, which are read afresh
    /// before it is believed.
    pub fn doubt<T: Kind>(&self) {
        let need = Need::List { kind: T::NAME, namespace: self.namespace.to_owned() };
        self.notes.borrow_mut().needs.push(need);
    }

    /// Says that a problem rests on these objects, which are read afresh before it is believed. More than a
    /// denial names can't all have been seen wrongly; a few can.
    pub fn doubt_each(&self, objects: &[Stored]) {
        if objects.len() <= NAMED_REFERRERS {
            self.notes.borrow_mut().needs.extend(objects.iter().map(need));
        }
    }

    fn blind<T: Kind>(&self) {
        self.doubt::<T>();
        let message =
            format!("could not look up the {} objects of namespace {}; try again", T::NAME, self.namespace);
        let problem =
            Problem { field: at("metadata.namespace"), rule: &LOOKUP, cause: Cause::Invalid, message };
        self.notes.borrow_mut().unresolved.push(problem);
    }

    /// The known objects, of any kind, that protect the object under review from deletion.
    pub fn referrers(&self) -> Vec<Stored> {
        let name = self.object.meta().name.as_deref().unwrap_or_default();
        let key = referrers_key(K::NAME, self.namespace, name);
        let all = KINDS.iter().flat_map(|kind| self.lookup.select(kind.name, &key).objects);
        all.filter(|referrer| !referrer.terminating()).collect()
    }

    /// True when `other` is the object under review, or its stored version.
    pub fn is_self(&self, other: &Stored) -> bool {
        other.kind() == K::NAME
            && other.namespace() == self.namespace
            && self.object.meta().name.as_deref() == Some(other.name())
    }
}

/// What came of a request.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// Why it is refused; empty when it is not.
    pub denials: Vec<Problem>,
    /// What the user is told although it is admitted.
    pub warnings: Vec<Problem>,
    /// What would be a denial if it could be found out.
    pub unresolved: Vec<Problem>,
    /// The defaults.
    pub patch: Vec<PatchOperation>,
    /// What must be reserved before the request is admitted.
    pub claims: Vec<Claim>,
    /// Who holds what was denied because it is taken. Whether the requester may know is the caller's to find out.
    pub taken: Vec<Taken>,
    /// What to read before the denials and the unresolved are believed.
    pub needs: Vec<Need>,
}

/// A value that the object claims and another holds.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The field that holds the value.
    pub field: FieldPath,
    /// The rule that makes it unique.
    pub rule: &'static AdmissionRule,
    /// The other object.
    pub holder: Stored,
}

impl Evaluation {
    /// Names the holder in the denial that `taken` led to.
    pub fn name_holder(&mut self, taken: &Taken) {
        let mut denials = self.denials.iter_mut();
        if let Some(denial) = denials.find(|denial| denial.rule == taken.rule && denial.field == taken.field)
        {
            let holder = &taken.holder;
            denial.message = held_message(&denial.message, holder.kind(), holder.namespace(), holder.name());
        }
    }
}

/// `message` with the name of the object that holds the value.
pub fn held_message(message: &str, kind: &str, namespace: &str, name: &str) -> String {
    format!("{message} (held by {kind} {namespace}/{name})")
}

/// Evaluates a request about an object of kind `K`.
pub fn evaluate<K: Kind>(request: &Request<'_>, context: &Context<'_>) -> Evaluation {
    match (request.operation, request.object, request.old) {
        (Operation::Create | Operation::Update, Some(new), old) => {
            if new.terminating() || old.is_some_and(|old| new.has_spec_of(old)) {
                return Evaluation::default();
            }
            match new.decode::<K>() {
                Ok(object) => evaluate_object(request, context, object),
                // Before the API server's own schema check; it will say the same, and more.
                Err(_) if request.stage == Stage::Mutate => Evaluation::default(),
                Err(problem) => Evaluation { denials: vec![problem], ..Evaluation::default() },
            }
        }
        (Operation::Delete, _, Some(old)) if request.stage == Stage::Validate => {
            old.decode_stored::<K>().map(|old| evaluate_deletion(request, context, old)).unwrap_or_default()
        }
        _ => Evaluation::default(),
    }
}

fn evaluate_object<K: Kind>(request: &Request<'_>, context: &Context<'_>, mut object: K) -> Evaluation {
    // An old object that no longer fits the schema has no spec to compare with: then all rules apply.
    let old = request.old.and_then(|old| old.decode_stored::<K>().ok());
    if old.as_ref().is_some_and(|old| old.spec() == object.spec()) {
        return Evaluation::default();
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
    }
    let tolerated = match &old {
        Some(old) if !found.problems.is_empty() || !found.unresolved.is_empty() => {
            problems_before(request, context, old)
        }
        _ => Vec::new(),
    };
    found.into_evaluation(request, context, patch, &tolerated)
}

/// The status that goes with the object: an update leaves it as it is stored, whatever came with the request.
/// Who asks again about a stored object gives it as an update of nothing.
fn stored_status<K: Kind>(request: &Request<'_>, old: Option<&K>) -> Option<K::Status> {
    match (request.operation, old) {
        (_, Some(old)) => old.status().cloned(),
        (Operation::Update, None) => request.object?.status::<K>(),
        _ => None,
    }
}

/// The problems that the stored object has already: an update may keep them.
fn problems_before<K: Kind>(request: &Request<'_>, context: &Context<'_>, old: &K) -> Vec<Problem> {
    let (old, _) = Defaulted::new(old.clone());
    let mut found = Findings::default();
    examine(request, context, &old, Some(&old), &mut found);
    found.unresolved.into_iter().chain(found.problems.into_sorted()).collect()
}

#[derive(Default)]
struct Findings {
    problems: Problems,
    unresolved: Vec<Problem>,
    claims: Vec<Claim>,
    taken: Vec<Taken>,
    needs: Vec<Need>,
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
        lookup: context.lookup,
        settings: context.settings,
        notes: RefCell::default(),
    };
    K::check(&review, &mut found.problems);
    found.take_notes(&review);
    for reference in object.references() {
        check_reference(&review, &reference, found);
    }
    let held = old.map(Kind::claims).unwrap_or_default();
    for claim in object.claims() {
        check_claim(&review, claim, &held, found);
    }
}

fn check_reference<K: Kind>(review: &Review<'_, K>, reference: &Reference, found: &mut Findings) {
    let namespace = reference.namespace.as_deref().unwrap_or(review.namespace);
    let foreign = namespace != review.namespace;
    let problem = |message: String| Problem {
        field: reference.field.clone(),
        rule: reference.rule,
        cause: Cause::NotFound,
        message,
    };
    let missing = || match foreign {
        // The same words whether it exists or not: a foreign namespace is not to be searched from here.
        true => problem(format!(
            "{} {namespace}/{} does not exist or does not allow references from namespace {}; its owner can \
             allow them with the annotation {}",
            reference.kind,
            reference.name,
            review.namespace,
            reference::ALLOWED_NAMESPACES_ANNOTATION
        )),
        false => problem(format!(
            "{} {:?} does not exist in namespace {namespace}; create it first, or correct the name",
            reference.kind, reference.name
        )),
    };
    match review.lookup.find(reference.kind, namespace, &reference.name) {
        Found::Present(target) if target.terminating() && !foreign => found.add(problem(format!(
            "{} {:?} is being deleted; refer to another, or wait and create it again",
            reference.kind, reference.name
        ))),
        Found::Present(target)
            if foreign
                && (target.terminating()
                    || !reference::permits(target.meta().annotations.as_ref(), review.namespace)) =>
        {
            found.add(missing());
        }
        Found::Present(_) => return,
        Found::Absent => found.add(missing()),
        Found::Unknown => found.unresolved.push(problem(format!(
            "could not look up {} {namespace}/{}; try again",
            reference.kind, reference.name
        ))),
    }
    found.needs.push(Need::Object {
        kind: reference.kind,
        namespace: namespace.to_owned(),
        name: reference.name.clone(),
    });
}

fn check_claim<K: Kind>(review: &Review<'_, K>, claim: Claim, held: &[Claim], found: &mut Findings) {
    let holders = review.lookup.select(K::NAME, &claim.index_key()).objects;
    let Some(holder) = holders.iter().find(|holder| !review.is_self(holder)) else {
        if !held.contains(&claim) {
            found.claims.push(claim);
        }
        return;
    };
    let field = claim.field.clone();
    found.add(Problem {
        message: claim.taken_message(),
        field: claim.field,
        rule: claim.rule,
        cause: Cause::Duplicate,
    });
    found.needs.push(need(holder));
    found.taken.push(Taken { field, rule: claim.rule, holder: holder.clone() });
}

fn need(object: &Stored) -> Need {
    Need::Object { kind: object.kind(), namespace: object.namespace().into(), name: object.name().into() }
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
        lookup: context.lookup,
        settings: context.settings,
        notes: RefCell::default(),
    };
    let mut found = Findings::default();
    if K::ASKED_ON_DELETE {
        K::check_deletion(&review, &mut found.problems);
    }
    if let Some(rule) = K::IN_USE {
        check_referrers(&review, rule, &mut found);
    }
    found.take_notes(&review);
    found.into_evaluation(request, context, Vec::new(), &[])
}

fn check_referrers<K: Kind>(review: &Review<'_, K>, rule: &'static AdmissionRule, found: &mut Findings) {
    let referrers = review.referrers();
    if referrers.is_empty() {
        return;
    }
    found.add(in_use(rule, K::NAME, &referrers));
    review.doubt_each(&referrers);
}

/// The problem of deleting an object of kind `kind` that `referrers` use.
pub fn in_use(rule: &'static AdmissionRule, kind: &str, referrers: &[Stored]) -> Problem {
    let mut names: Vec<_> =
        referrers.iter().map(|one| format!("{} {}/{}", one.kind(), one.namespace(), one.name())).collect();
    names.sort();
    Problem {
        field: at("metadata.name"),
        rule,
        cause: Cause::Forbidden,
        message: format!(
            "the {kind} is in use by {}; delete or change them first, or set the annotation \
             {DELETE_IN_USE_ANNOTATION}: \"true\" on it",
            abridged(&names)
        ),
    }
}

/// The first few of `names`, and how many more there are.
pub fn abridged(names: &[String]) -> String {
    let shown = names.iter().take(NAMED_REFERRERS).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_REFERRERS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The value of an annotation of `object`.
pub fn annotation<'a, K: Kind>(object: &'a K, key: &str) -> Option<&'a str> {
    object.meta().annotations.as_ref()?.get(key).map(String::as_str)
}

impl Findings {
    fn add(&mut self, problem: Problem) {
        self.problems.add(problem.rule, problem.cause, problem.field, problem.message);
    }

    fn take_notes<K: Kind>(&mut self, review: &Review<'_, K>) {
        let notes = review.notes.take();
        self.unresolved.extend(notes.unresolved);
        self.needs.extend(notes.needs);
    }

    fn into_evaluation(
        self,
        request: &Request<'_>,
        context: &Context<'_>,
        patch: Vec<PatchOperation>,
        tolerated: &[Problem],
    ) -> Evaluation {
        let level = |rule: &AdmissionRule| level(context, request.namespace, rule);
        let kept = |problem: &Problem| {
            tolerated.iter().any(|old| old.rule == problem.rule && old.field == problem.field)
        };
        let mut evaluation =
            Evaluation { patch, needs: self.needs, taken: self.taken, ..Evaluation::default() };
        for problem in self.problems.into_sorted() {
            match level(problem.rule) {
                Level::Off => {}
                Level::Deny if !kept(&problem) => evaluation.denials.push(problem),
                Level::Deny | Level::Warn => evaluation.warnings.push(problem),
            }
        }
        let unresolved = self.unresolved.into_iter();
        evaluation.unresolved =
            unresolved.filter(|problem| level(problem.rule) == Level::Deny && !kept(problem)).collect();
        evaluation.claims =
            self.claims.into_iter().filter(|claim| level(claim.rule) == Level::Deny).collect();
        evaluation
    }
}

/// The level of `rule` in `namespace`: the namespace's word, else the cluster's, else the rule's own.
pub fn level(context: &Context<'_>, namespace: &str, rule: &AdmissionRule) -> Level {
    let local = context.lookup.namespace(namespace);
    local.enforcement.level(rule).or_else(|| context.enforcement.level(rule)).unwrap_or(rule.level)
}
