//! The stages joined: one pure function from a request to an evaluation.
//!
//! It never waits. What a cache could not tell for sure comes out as [`Need`]s; whoever can read the cluster
//! reads them and evaluates again with the answers in front of the cache.

use json_patch::PatchOperation;

use super::{
    claim::Claim,
    defaults::Defaulted,
    envelope::Operation,
    lookup::{Found, Lookup, Namespace, Need},
    object::Raw,
    problem::{Cause, Problem, Problems, Unresolved},
    reference::{self, DELETE_IN_USE_ANNOTATION, Reference, referrers_key},
    resync::check_resync,
    rule::{AdmissionRule, Enforcement, Level, NAMESPACE_RULES, RULES_ANNOTATION, STATUS_IGNORED},
    seen::{FEW, Seen, Users},
    tolerance::Tolerance,
};
use crate::{
    field::FieldPath,
    index::Stored,
    kind::{KINDS, Kind},
    settings::Settings,
};

/// Which of the two admission calls this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Fill in defaults; no rule is looked at.
    Mutate,
    /// Decide.
    Validate,
}

impl Stage {
    /// The spelling in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Mutate => "mutate",
            Stage::Validate => "validate",
        }
    }
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
    /// The operator's settings.
    pub settings: &'a Settings,
    /// The objects around. Rules look at them through [`Review::look`] alone.
    lookup: &'a dyn Lookup,
}

impl<K: Kind> Review<'_, K> {
    /// What `look` sees of the objects around. It tells nothing before it is checked.
    pub fn look<T>(&self, look: impl FnOnce(&dyn Lookup) -> T) -> Seen<T> {
        Seen::new(self.lookup, look)
    }

    /// The objects, of any kind of the group, that protect the object under review from deletion: those that refer to it
    /// and may. Groups do not refer to each other.
    pub fn referrers(&self) -> Seen<Users> {
        let name = self.object.meta().name.as_deref().unwrap_or_default();
        let key = referrers_key(K::NAME, self.namespace, name);
        let permits = |user: &Stored| {
            user.namespace() == self.namespace
                || reference::permits(self.object.meta().annotations.as_ref(), user.namespace())
        };
        self.users(&key, |_, user| permits(user))
    }

    /// The objects, of any kind of the group, that have an index key and, as far as `uses` can see, use the object
    /// under review.
    pub fn users(&self, key: &str, uses: impl Fn(&dyn Lookup, &Stored) -> bool) -> Seen<Users> {
        let group = K::group(&());
        let kinds: Vec<_> = KINDS.iter().filter(|kind| (kind.group)() == group).collect();
        let wanted = |user: &Stored| !user.terminating() && uses(self.lookup, user);
        self.using(|lookup, namespace, limit| {
            let of_kinds = kinds.iter();
            of_kinds
                .flat_map(|kind| lookup.first(kind.name, namespace, key, limit, &wanted).objects)
                .collect()
        })
    }

    /// The objects of which `first` finds the first few in a namespace, or in all when it is empty.
    pub fn using(&self, first: impl Fn(&dyn Lookup, &str, usize) -> Vec<Stored>) -> Seen<Users> {
        let seen =
            self.look(|lookup| Users::of(self.namespace, |namespace, limit| first(lookup, namespace, limit)));
        seen.by_name()
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
            if new.terminating() || old.is_some_and(|old| new.is_judged_like::<K>(old)) {
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
    if old.as_ref().is_some_and(|old| is_judged_like(old, &object)) {
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
        add_mistakes(&context.lookup.namespace(request.namespace), &mut found.problems);
    }
    let tolerance = match &old {
        Some(old) if !found.problems.is_empty() => tolerance(request, context, old, &object),
        _ => Tolerance::none(),
    };
    found.into_evaluation(request, context, patch, tolerance)
}

/// Tells whoever writes objects that the namespace's levels are not what somebody meant them to be.
fn add_mistakes(namespace: &Namespace, problems: &mut Problems) {
    for mistake in &namespace.mistakes {
        let message =
            format!("has the annotation {RULES_ANNOTATION}, of which a part has no effect: {mistake}");
        problems.add(&NAMESPACE_RULES, Cause::Invalid, "metadata.namespace", message);
    }
}

/// True when nothing that rules read differs.
fn is_judged_like<K: Kind>(old: &K, new: &K) -> bool {
    let label = |object: &K, key: &str| object.meta().labels.as_ref()?.get(key).cloned();
    old.spec() == new.spec() && K::READ_LABELS.iter().all(|key| label(old, key) == label(new, key))
}

/// The status that goes with the object: an update leaves it as it is stored, whatever came with the request.
/// The reconciler re-validates a stored object as an UPDATE without `old`.
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

#[derive(Default)]
struct Findings {
    problems: Problems,
    claims: Vec<Claim>,
    taken: Vec<Taken>,
    /// References to other namespaces that do not permit them. Those who own the targets are protected by the
    /// cluster's level of the rule, whatever the referrer's namespace says.
    intrusions: Vec<(&'static AdmissionRule, FieldPath)>,
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
        settings: context.settings,
        lookup: context.lookup,
    };
    K::check(&review, &mut found.problems);
    check_resync(object.meta(), &mut found.problems);
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

fn check_reference<K: Kind>(review: &Review<'_, K>, reference: &Reference, found: &mut Findings) {
    let Reference { field, kind, name, rule, .. } = reference;
    let namespace = reference.namespace.as_deref().unwrap_or(review.namespace);
    let target = review.look(|lookup| lookup.find(kind, namespace, name));
    let Findings { problems, intrusions, .. } = found;
    target.check(problems, field.clone(), &[rule], |target, problems| {
        if let Some(message) = wrong_target(review.namespace, namespace, reference, &target) {
            problems.add(rule, Cause::NotFound, field.clone(), message);
            if namespace != review.namespace {
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

fn check_claim<K: Kind>(
    review: &Review<'_, K>,
    claim: Claim,
    references: &[Reference],
    held: &[Claim],
    found: &mut Findings,
) {
    let is_other = |holder: &Stored| !review.is_self(holder);
    let holders = review.look(|lookup| {
        // Nothing would be taken there if they were not permitted.
        for Reference { kind, namespace, name, .. } in references {
            namespace.iter().for_each(|namespace| drop(lookup.find(kind, namespace, name)));
        }
        lookup.first(K::NAME, "", &claim.index_key(), 1, &is_other).objects
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
    found.into_evaluation(request, context, Vec::new(), Tolerance::none())
}

/// Adds the problem of deleting an object of kind `K` that others use.
pub fn check_in_use<K: Kind>(rule: &'static AdmissionRule, users: Seen<Users>, problems: &mut Problems) {
    let field = "metadata.name";
    users.check(problems, field, &[rule], |users, problems| {
        if !users.is_empty() {
            let message = format!(
                "the {} is in use by {users}; delete or change them first, or set the annotation \
                 {DELETE_IN_USE_ANNOTATION}: \"true\" on it",
                K::NAME,
            );
            problems.add(rule, Cause::Forbidden, field, message);
        }
    });
}

/// The first few of `names`, and how many more there are.
pub fn abridged(names: &[String]) -> String {
    let shown = names.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The value of an annotation of `object`.
pub fn annotation<'a, K: Kind>(object: &'a K, key: &str) -> Option<&'a str> {
    object.meta().annotations.as_ref()?.get(key).map(String::as_str)
}

impl Findings {
    /// Whether the object refers to something that does not permit it, and is refused for that.
    fn intrudes(&self, context: &Context<'_>) -> bool {
        self.intrusions.iter().any(|(rule, _)| cluster_level(context, rule) == Level::Deny)
    }

    fn into_evaluation(
        self,
        request: &Request<'_>,
        context: &Context<'_>,
        patch: Vec<PatchOperation>,
        mut tolerance: Tolerance,
    ) -> Evaluation {
        let intrusions = self.intrusions;
        let is_intrusion = |rule: &AdmissionRule, field: &FieldPath| {
            intrusions.iter().any(|(broken, place)| *broken == rule && place == field)
        };
        let level_of = |problem: &Problem| match is_intrusion(problem.rule, &problem.field) {
            true => cluster_level(context, problem.rule),
            false => level(context, request.namespace, problem.rule),
        };
        let refuses = |rule: &AdmissionRule| {
            level(context, request.namespace, rule) == Level::Deny
                || intrusions
                    .iter()
                    .any(|(broken, _)| *broken == rule && cluster_level(context, rule) == Level::Deny)
        };
        let (problems, unresolved, needs) = self.problems.into_parts();
        let mut evaluation = Evaluation { patch, taken: self.taken, ..Evaluation::default() };
        for problem in problems {
            match level_of(&problem) {
                Level::Off => {}
                Level::Deny if !tolerance.takes(&problem) => evaluation.denials.push(problem),
                Level::Deny | Level::Warn => evaluation.warnings.push(problem),
            }
        }
        for Unresolved { problem, rules } in unresolved {
            let told = evaluation.unresolved.contains(&problem) || evaluation.warnings.contains(&problem);
            if told || !rules.iter().any(|rule| refuses(rule)) {
                continue;
            }
            match level_of(&problem) {
                Level::Off => {}
                Level::Warn => evaluation.warnings.push(problem),
                Level::Deny => evaluation.unresolved.push(problem),
            }
        }
        evaluation.needs = needs_of(needs, refuses);
        evaluation.claims = self.claims.into_iter().filter(|claim| refuses(claim.rule)).collect();
        evaluation
    }
}

/// What to read because of those rules that can refuse the request, each once.
fn needs_of(
    needs: Vec<(&'static AdmissionRule, Need)>,
    refuses: impl Fn(&AdmissionRule) -> bool,
) -> Vec<Need> {
    let mut kept = Vec::new();
    for (rule, need) in needs {
        if !kept.contains(&need) && refuses(rule) {
            kept.push(need);
        }
    }
    kept
}

/// The level of `rule` in `namespace`. The namespace's word goes before the rule's own level; it can't lower what the
/// cluster's operator set, nor a rule that protects what other namespaces have.
pub fn level(context: &Context<'_>, namespace: &str, rule: &AdmissionRule) -> Level {
    let cluster = cluster_level(context, rule);
    match context.lookup.namespace(namespace).enforcement.level(rule) {
        Some(local) if rule.protects_others || context.enforcement.level(rule).is_some() => {
            local.max(cluster)
        }
        Some(local) => local,
        None => cluster,
    }
}

fn cluster_level(context: &Context<'_>, rule: &AdmissionRule) -> Level {
    context.enforcement.level(rule).unwrap_or(rule.level)
}
