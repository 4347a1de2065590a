//! Before anything remote: does the object break a rule, and is what it refers to there?

use std::{
    cmp::Reverse,
    ops::ControlFlow::{Break, Continue},
};

use concierge_shared::{
    admission::{
        answer::explained,
        claim::Claim,
        envelope::Operation,
        lookup::Found,
        object::Raw,
        problem::{Cause, Problem},
        reference::Reference,
        review::{self, Request, Stage},
        rule::RESYNC,
    },
    index::Stored,
    kind::Kind,
    status::{ConditionReason, ConditionType, Conditions},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::engine::{
    cluster::objects::ObjectKey,
    kinds::reconcile::Reconcile,
    retry::{Failure, Requeue},
    run::{End, Flow, OrEnd, Run, status::listed},
};

impl<R: Reconcile> Run<R> {
    /// Checks the admission rules once more: admission can be bypassed, or rules were changed since.
    pub(crate) fn validate(&mut self) -> Flow {
        let problems = self.problems().or_end()?;
        self.checks.rules_checked(problems.iter().map(|problem| problem.rule));
        if problems.is_empty() {
            self.set(ConditionType::Valid, true, ConditionReason::Valid, "");
            return Continue(());
        }
        let told = problems.iter().map(|problem| format!("{}: {}", problem.field, explained(problem)));
        let message = listed(told);
        // What another object has is no mistake in this one.
        let reason = match problems.iter().all(|problem| self.is_anothers(problem)) {
            true => ConditionReason::Conflict,
            false => ConditionReason::Invalid,
        };
        let end = match problems.iter().all(|problem| self.depends_on_others(problem)) {
            true => self.resync(),
            false => End::Requeue(Requeue::Slow),
        };
        self.set(ConditionType::Valid, false, reason, &message);
        self.unready(reason, &message);
        Break(end)
    }

    fn problems(&self) -> Result<Vec<Problem>, Failure> {
        let unreadable = |error: serde_json::Error| Failure::Invalid(error.to_string());
        let raw = serde_json::to_string(&*self.object).map_err(unreadable)?;
        let request = Request {
            stage: Stage::Validate,
            operation: Operation::Update,
            namespace: &self.target.namespace,
            user: None,
            object: Some(&Raw::from(&*raw)),
            old: None,
        };
        let context = review::Context {
            lookup: self.ctx.lookup(),
            enforcement: &self.shared.settings.enforcement,
            settings: &self.shared.settings.rules,
        };
        let evaluation = review::evaluate::<R::Kind>(&request, &context);
        if let Some(unresolved) = evaluation.unresolved.first() {
            return Err(Failure::Transient(unresolved.message.clone()));
        }
        let mut problems = evaluation.denials;
        // A resync interval out of bounds stops no reconciliation: the nearest bound is taken.
        problems.retain(|problem| problem.rule != &RESYNC && !R::LENIENT.contains(&problem.rule));
        problems.retain(|problem| !self.is_of_a_reference(problem) && !self.is_of_a_claim_it_wins(problem));
        Ok(problems)
    }

    /// Missing targets have a condition of their own.
    fn is_of_a_reference(&self, problem: &Problem) -> bool {
        let references = self.object.references();
        references.iter().any(|one| one.field == problem.field && one.rule == problem.rule)
    }

    /// Of several objects that hold the same value, and were stored without admission, one keeps it.
    fn is_of_a_claim_it_wins(&self, problem: &Problem) -> bool {
        let claims = self.claims_of(problem);
        let wins = |claim: &Claim| {
            let holders = self.ctx.lookup().select(R::Kind::NAME, &claim.index_key()).objects;
            winner(&holders).is_none_or(|winner| winner.meta().uid == self.meta().uid)
        };
        problem.cause == Cause::Duplicate && !claims.is_empty() && claims.iter().all(wins)
    }

    /// Whether others keep the object from what it wants, as the oldest of several keeps what only some can have.
    fn is_anothers(&self, problem: &Problem) -> bool {
        matches!(problem.cause, Cause::Duplicate | Cause::TooMany) && self.depends_on_others(problem)
    }

    /// Whether the problem may pass without a change of the object.
    fn depends_on_others(&self, problem: &Problem) -> bool {
        problem.rule.protects_others || !self.claims_of(problem).is_empty()
    }

    fn claims_of(&self, problem: &Problem) -> Vec<Claim> {
        let mut claims = self.object.claims();
        claims.retain(|claim| claim.field == problem.field && claim.rule == problem.rule);
        claims
    }

    /// Waits until what the object refers to is there, may be referred to, and is ready, unless it does without.
    pub(crate) fn resolve_references(&mut self) -> Flow {
        let references = self.object.references();
        if references.is_empty() {
            self.status.clear(ConditionType::ReferencesResolved.as_str());
            return Continue(());
        }
        let missing: Vec<(ObjectKey, String)> = references
            .iter()
            .filter_map(|reference| self.problem_with_target(reference).transpose())
            .collect::<Result<_, _>>()
            .or_end()?;
        self.checks.targets_checked(missing.iter().map(|(target, _)| target.clone()));
        if missing.is_empty() {
            self.set(ConditionType::ReferencesResolved, true, ConditionReason::ReferencesFound, "");
            return Continue(());
        }
        let message = listed(missing.into_iter().map(|(_, message)| message));
        self.set(ConditionType::ReferencesResolved, false, ConditionReason::ReferencesMissing, &message);
        if references.iter().all(|reference| self.reconciler.does_without(&self.object, reference)) {
            return Continue(());
        }
        self.unready(ConditionReason::ReferencesMissing, &message);
        Break(self.resync())
    }

    /// The target of `reference` and what is wrong with it, if anything is.
    fn problem_with_target(&self, reference: &Reference) -> Result<Option<(ObjectKey, String)>, Failure> {
        let own = self.target.namespace.as_str();
        let namespace = reference.namespace.as_deref().unwrap_or(own);
        let key = ObjectKey::new(reference.kind, namespace, reference.name.clone());
        let target = match self.ctx.lookup().find(reference.kind, namespace, &reference.name) {
            Found::Present(target) => target,
            Found::Absent => {
                let message = format!("{key} does not exist; create it");
                return Ok(Some((key, message)));
            }
            Found::Unknown => return Err(Failure::Transient(format!("{key} can't be looked up"))),
        };
        let permitted = reference.is_permitted(own, namespace, target.meta().annotations.as_ref());
        let waits = self.reconciler.needs_ready(&self.object, reference);
        let message = match target.terminating() {
            _ if !permitted => {
                format!("{key} does not exist or does not allow references from namespace {own}")
            }
            true => format!("{key} is being deleted"),
            false if waits && self.shared.is_ready(&target) == Some(false) => format!("{key} is not ready"),
            false => return Ok(None),
        };
        Ok(Some((key, message)))
    }
}

/// The object that keeps what several hold: the oldest, then the one with the smallest uid.
pub(crate) fn winner(holders: &[Stored]) -> Option<&Stored> {
    holders.iter().max_by_key(|holder| Reverse(seniority(holder.meta())))
}

pub(crate) fn seniority(meta: &ObjectMeta) -> (jiff::Timestamp, String) {
    let created = meta.creation_timestamp.as_ref().map_or(jiff::Timestamp::MAX, |time| time.0);
    (created, meta.uid.clone().unwrap_or_default())
}
