//! What came of a request: each problem refuses it, warns or says nothing, by its rule's level.

use json_patch::PatchOperation;

use super::request::{Context, Request};
use crate::{
    admission::{
        claim::Claim,
        lookup::Need,
        problem::{Problem, Problems, Unresolved},
        rule::{AdmissionRule, Level},
        tolerance::Tolerance,
    },
    field::FieldPath,
    index::Stored,
};

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

/// What was found, before levels and tolerance decide what becomes of it.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Problems,
    pub(super) claims: Vec<Claim>,
    pub(super) taken: Vec<Taken>,
    /// References to other namespaces that do not permit them. Those who own the targets are protected by the
    /// cluster's level of the rule, whatever the referrer's namespace says.
    pub(super) intrusions: Vec<(&'static AdmissionRule, FieldPath)>,
}

impl Findings {
    /// Whether the object refers to something that does not permit it, and is refused for that.
    pub(super) fn intrudes(&self, context: &Context<'_>) -> bool {
        self.intrusions.iter().any(|(rule, _)| cluster_level(context, rule) == Level::Deny)
    }

    pub(super) fn into_evaluation(
        self,
        request: &Request<'_>,
        context: &Context<'_>,
        patch: Vec<PatchOperation>,
        excuses: impl Fn() -> Tolerance,
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
        // Looked for only when something would be refused: it is a second examination.
        let mut tolerance = None;
        for problem in problems {
            match level_of(&problem) {
                Level::Off => {}
                Level::Deny if !tolerance.get_or_insert_with(&excuses).takes(&problem) => {
                    evaluation.denials.push(problem)
                }
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
