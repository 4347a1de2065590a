//! What follows for a document. Pure.

use concierge_shared::{
    orasi::{Document, DocumentStatus},
    status::{ConditionReason, Conditions},
};

use super::{
    Step, delivered,
    observe::{Before, Observed, State},
    shelf::Over,
};
use crate::{
    common::standing::{last_look, written},
    engine::{
        Deletion, Drift, Plan,
        annotation::{self, ADOPT},
    },
};

/// The condition that tells where the document is.
const DELIVERED: &str = "Delivered";

const EARLIER: &str = "is still there, and was put for an earlier Document of this name, whose status is lost; remove it there, or set the \
     annotation concierge.dev/adopt: \"true\", and it is removed";

/// What goes, so that nothing is left where it is not wanted.
fn removals(observed: &Observed) -> impl Iterator<Item = Step> {
    let before = match &observed.before {
        Before::There(keys) => keys.as_slice(),
        Before::Nothing | Before::Unknown(_) => &[],
    };
    let before = before.iter().cloned().map(Step::RemoveBefore);
    before.chain(observed.strays.iter().cloned().map(Step::Remove))
}

pub(super) fn plan(document: &Document, observed: &Observed) -> Plan<Step> {
    if let Before::Unknown(why) = &observed.before {
        let message = format!(
            "{why}; remove it there, delete the Document with the annotation concierge.dev/abandon, and create it again"
        );
        return Plan::not_ready(ConditionReason::ReferencesMissing, message);
    }
    let Some(key) = &observed.wanted else { return nowhere(document, observed) };
    let put = Step::Put { key: key.clone(), over: observed.over() };
    let waiting = format!("{key} is to be put");
    let going = Plan::not_ready(ConditionReason::Reconciling, waiting.clone());
    let plan = match (&observed.found, is_recorded(document, key)) {
        (State::AsWanted, _) => {
            let plan = Plan::ready().condition(DELIVERED, true, "Delivered", key);
            return removals(observed).fold(plan, Plan::step);
        }
        // It is remembered where it is until it is gone there.
        _ if matches!(observed.before, Before::There(_)) => {
            removals(observed).fold(going, Plan::step).step(put)
        }
        (State::Absent, true) => going.correct(put, [Drift::new("spec.content", "nothing", key)]),
        (State::Other(_), true) => going.correct(put, [Drift::new("spec.content", "other content", key)]),
        (State::Absent | State::Other(_), false) => going.step(put),
    };
    // The old one is seen until the new one is there.
    let strays = observed.strays.iter().cloned().map(Step::Remove);
    let plan = match observed.before {
        Before::There(_) => plan,
        _ => strays.fold(plan, Plan::step),
    };
    plan.condition(DELIVERED, false, "Waiting", waiting)
}

fn nowhere(document: &Document, observed: &Observed) -> Plan<Step> {
    let adopts = annotation::is_set(document, ADOPT);
    let earlier = observed.earlier.iter().filter(|_| adopts).cloned().map(Step::Remove);
    let steps: Vec<_> = removals(observed).chain(earlier).collect();
    let (reason, word, message) = match observed.earlier.first() {
        _ if !steps.is_empty() => {
            let message = "it is to be removed where it was put".to_owned();
            (Some(ConditionReason::Reconciling), "Waiting", message)
        }
        Some(key) => {
            let reason = ConditionReason::OwnedByOther;
            (Some(reason), reason.as_str(), format!("{key} {EARLIER}"))
        }
        None if document.spec.is_hidden() => (None, "Hidden", "it is hidden, and put nowhere".to_owned()),
        None => (None, "Empty", "it has no content, and is put nowhere".to_owned()),
    };
    let plan = reason.map_or_else(Plan::ready, |reason| Plan::not_ready(reason, message.clone()));
    let plan = steps.into_iter().fold(plan, Plan::step);
    match observed.has_storage {
        true => plan.condition(DELIVERED, false, word, message),
        false => plan,
    }
}

/// Whether the status says that it was put there.
fn is_recorded(document: &Document, key: &str) -> bool {
    delivered(document).is_some_and(|at| at.key == key && at.etag.is_some())
}

pub(super) fn plan_deletion(observed: &Observed) -> Deletion<Step> {
    let steps: Vec<_> = removals(observed).collect();
    match &observed.before {
        _ if !steps.is_empty() => Deletion::steps(steps),
        Before::Unknown(why) => Deletion::Blocked(
            ConditionReason::ReferencesMissing,
            format!("{why}; remove it there, and set the annotation concierge.dev/abandon"),
        ),
        _ => Deletion::Gone,
    }
}

pub(super) fn report(document: &Document, observed: &Observed, status: &mut DocumentStatus) {
    if !observed.has_storage {
        status.clear(DELIVERED);
    }
    if let Some(whose) = &observed.foreign {
        let (word, message) = (ConditionReason::OwnedByOther.as_str(), format!("{whose} is not ours"));
        status.set(DELIVERED, false, word, &message, document.metadata.generation, observed.at);
    }
    let before = status.clone();
    status.delivered.clone_from(&observed.delivered);
    if !observed.is_settled() {
        return;
    }
    status.is_hidden = Some(document.spec.is_hidden());
    let seen = document.status.as_ref().and_then(|status| status.observed_generation);
    let changed =
        before != *status || seen != document.metadata.generation || before.last_reconciled.is_none();
    match observed.has_storage {
        true => last_look(&mut status.last_reconciled, observed.at, changed),
        // There is nothing to look at from time to time.
        false if changed => status.last_reconciled = Some(written(observed.at)),
        false => {}
    }
}

impl Observed {
    /// What is to be written over.
    fn over(&self) -> Over {
        match &self.found {
            State::Other(Some(etag)) => Over::Version(etag.clone()),
            State::Other(None) => Over::Anything,
            State::Absent | State::AsWanted => Over::Nothing,
        }
    }

    /// Whether the document is where it belongs, and nowhere else.
    fn is_settled(&self) -> bool {
        let there = self.wanted.is_none() || self.found == State::AsWanted;
        let alone = self.strays.is_empty() && self.earlier.is_empty();
        there && alone && matches!(self.before, Before::Nothing)
    }
}
