//! Plans for children: what follows from what was compared, and the steps.

use std::{collections::BTreeSet, fmt, time::Duration};

use concierge_runtime::cache::{ChildHealth, ChildKey, ChildSeen};
use concierge_shared::status::ConditionReason;

use super::{
    compare::{Compared, FoundChild},
    diff::Difference,
    wanted::Wanted,
};
use crate::engine::kinds::plan::{Deletion, Drift, Plan, Planned, Readiness};

/// How many differences of one child are told in a sentence.
const TOLD: usize = 3;
/// How often what is waited for is looked at where no watch may tell of it: a Namespace that somebody else deletes.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The same where a watch tells.
const RESYNC: Duration = Duration::from_secs(300);

/// One thing to do with a child.
#[derive(Clone, Debug, PartialEq)]
pub enum ChildStep {
    /// Make it.
    Create(Box<Wanted>),
    /// Make it as it is wanted.
    Correct {
        wanted: Box<Wanted>,
        /// The uid of what there is of it.
        uid: String,
        /// What differs, and who changed it.
        told: String,
        /// Whether somebody changed it.
        drift: bool,
    },
    /// Delete it, with all that is in it.
    Delete { key: ChildKey, uid: String },
}

impl fmt::Display for ChildStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildStep::Create(wanted) => write!(f, "make {}", wanted.key),
            ChildStep::Correct { wanted, told, .. } => write!(f, "correct {}: {told}", wanted.key),
            ChildStep::Delete { key, .. } => write!(f, "delete {key}"),
        }
    }
}

/// What is to be done so that the children are as they are wanted, in their order: each builds on those before it, so none is made after
/// one that can't be. Ready when all are.
pub fn plan_children(compared: &[Compared]) -> Plan<ChildStep> {
    let mut plan = Plan::ready();
    for child in compared {
        let why = why_unready(child);
        if let (Some((reason, message)), Readiness::Ready) = (why, &plan.readiness) {
            plan.readiness = Readiness::NotReady(reason, message);
        }
        if matches!(child.found, FoundChild::Foreign | FoundChild::Terminating) {
            return plan.look_again(LOOK_AGAIN);
        }
        if let Some(step) = step(child) {
            plan = plan.with(step);
        }
    }
    plan
}

/// The steps that delete what an object has of the children in `known` and wants no more.
pub fn unwanted_children(known: &[(ChildKey, ChildSeen)], wanted: &[Wanted]) -> Vec<ChildStep> {
    let wanted: BTreeSet<_> = wanted.iter().map(Wanted::key).collect();
    let unwanted = known.iter().filter(|(key, seen)| !wanted.contains(key) && !seen.terminating);
    unwanted.map(|(key, seen)| ChildStep::Delete { key: key.clone(), uid: seen.uid.clone() }).collect()
}

/// What is to be done about the children of an object that is being deleted: what is in a Namespace goes with it.
pub fn plan_child_deletion(stored: &[(ChildKey, ChildSeen)]) -> Deletion<ChildStep> {
    let namespaces: BTreeSet<_> =
        stored.iter().filter(|(key, _)| key.namespace.is_empty()).map(|(key, _)| key.name.as_str()).collect();
    let left: Vec<_> =
        stored.iter().filter(|(key, _)| !namespaces.contains(key.namespace.as_str())).collect();
    let here = left.iter().filter(|(_, seen)| !seen.terminating);
    let steps: Vec<_> =
        here.map(|(key, seen)| ChildStep::Delete { key: key.clone(), uid: seen.uid.clone() }).collect();
    match (steps.is_empty(), left.first()) {
        (false, _) => Deletion::steps(steps),
        (true, Some((key, seen))) => {
            Deletion::wait(format!("waits until {key} is gone{}", why(seen)), RESYNC)
        }
        (true, None) => Deletion::Gone,
    }
}

/// Kubernetes' own words about an object that is not deleted yet.
fn why(seen: &ChildSeen) -> String {
    match &seen.health {
        ChildHealth::Failed { message, .. } => format!(": {message}"),
        ChildHealth::Ready | ChildHealth::Progressing(_) => String::new(),
    }
}

fn why_unready(child: &Compared) -> Option<(ConditionReason, String)> {
    let key = &child.wanted.key;
    let waits = |what: fmt::Arguments<'_>| Some((ConditionReason::Reconciling, what.to_string()));
    match &child.found {
        FoundChild::Absent => waits(format_args!("{key} is not made yet")),
        FoundChild::Terminating => waits(format_args!("waits until {key}, which is being deleted, is gone")),
        FoundChild::Foreign => {
            let message =
                format!("{key} exists and was not made for this object; delete it, or choose another name");
            Some((ConditionReason::OwnedByOther, message))
        }
        FoundChild::Same { health, .. } | FoundChild::Differs { health, .. } => match health {
            ChildHealth::Ready => None,
            ChildHealth::Progressing(what) => waits(format_args!("waits for {key}: {what}")),
            ChildHealth::Failed { reason, message } => {
                Some((ConditionReason::ChildFailed, format!("{key} has failed: {reason}: {message}")))
            }
        },
    }
}

fn step(child: &Compared) -> Option<Planned<ChildStep>> {
    let wanted = Box::new(child.wanted.clone());
    match &child.found {
        FoundChild::Absent => Some(Planned::new(ChildStep::Create(wanted))),
        FoundChild::Differs { uid, fields, drift, managers, .. } => {
            let told = told(fields, if *drift { managers } else { &[] });
            let differences = if *drift { drifted(child, fields, managers) } else { Vec::new() };
            let step = ChildStep::Correct { wanted, uid: uid.clone(), told, drift: *drift };
            Some(Planned { drift: differences, ..Planned::new(step) })
        }
        FoundChild::Foreign | FoundChild::Terminating | FoundChild::Same { .. } => None,
    }
}

fn drifted(child: &Compared, fields: &[Difference], managers: &[String]) -> Vec<Drift> {
    let key = &child.wanted.key;
    let of = |one: &Difference| {
        let found = format!("{}/{} {} {}", key.namespace, key.name, one.field, one.found);
        Drift::new(key.resource.kind, found, format!("{}{}", one.wanted, by(managers)))
    };
    fields.iter().map(of).collect()
}

fn told(fields: &[Difference], managers: &[String]) -> String {
    let shown: Vec<_> = fields.iter().take(TOLD).map(ToString::to_string).collect();
    let more = match fields.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match shown.is_empty() {
        true => "what is no longer wanted goes".to_owned(),
        false => format!("{}{more}{}", shown.join(", "), by(managers)),
    }
}

/// Who changed it, as far as that can be told: the last one who has set any field.
fn by(managers: &[String]) -> String {
    managers.last().map(|manager| format!(" (changed by {manager})")).unwrap_or_default()
}
