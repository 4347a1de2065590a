//! The phase of an environment, from its conditions.

use concierge_shared::{
    catalyst::{EnvironmentPhase, EnvironmentStatus},
    status::{ConditionReason, ConditionType, Conditions},
};

use super::part::Part;
use crate::common::standing::breaks_rules;

/// Reasons that end by themselves, or when an object outside of the environment appears.
const PASSING: [ConditionReason; 7] = [
    ConditionReason::ReferencesMissing,
    ConditionReason::NeverSent,
    ConditionReason::Transient,
    ConditionReason::Throttled,
    ConditionReason::Conflict,
    ConditionReason::Forbidden,
    ConditionReason::Held,
];

/// The phase that follows from the conditions and the phase before: an environment that has run before is degraded, not failed.
pub(super) fn of(status: &EnvironmentStatus) -> EnvironmentPhase {
    if status.is_true(ConditionType::Deleting.as_str()) {
        return EnvironmentPhase::Terminating;
    }
    let ran = matches!(status.phase, Some(EnvironmentPhase::Ready | EnvironmentPhase::Degraded));
    match status.condition(ConditionType::Ready.as_str()) {
        None if status.namespace.is_some() => EnvironmentPhase::Provisioning,
        None => EnvironmentPhase::Pending,
        Some(ready) if ready.status == "True" => EnvironmentPhase::Ready,
        Some(ready) if ready.reason == ConditionReason::Reconciling.as_str() => under_way(status),
        Some(_) if ran => EnvironmentPhase::Degraded,
        Some(_) if breaks_rules(status) => EnvironmentPhase::Failed,
        Some(ready) if PASSING.iter().any(|reason| reason.as_str() == ready.reason) => waiting(status),
        Some(_) => EnvironmentPhase::Failed,
    }
}

fn waiting(status: &EnvironmentStatus) -> EnvironmentPhase {
    // Its namespace is being made, so the condition is of an earlier run.
    let is_made = status.namespace.is_some() && status.namespace_uid.is_none();
    if is_made { EnvironmentPhase::Provisioning } else { EnvironmentPhase::Pending }
}

/// The phase of the first part that is not ready.
fn under_way(status: &EnvironmentStatus) -> EnvironmentPhase {
    let unready = |part: &&Part| status.condition(part.condition()).is_some_and(|one| one.status == "False");
    match Part::ALL.iter().find(unready) {
        Some(Part::Namespace | Part::Policies | Part::Credentials | Part::Secrets) => {
            EnvironmentPhase::Provisioning
        }
        Some(Part::Source | Part::Build) => EnvironmentPhase::Building,
        Some(Part::Deployment | Part::Ingress) => EnvironmentPhase::Deploying,
        None => EnvironmentPhase::Pending,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn check(before: Option<EnvironmentPhase>, conditions: &[(&str, bool, &str)], expect: EnvironmentPhase) {
        let mut status = EnvironmentStatus { phase: before, ..EnvironmentStatus::default() };
        for (kind, value, reason) in conditions {
            status.set(kind, *value, reason, "", None, Timestamp::UNIX_EPOCH);
        }
        assert_eq!(of(&status), expect, "{before:?} {conditions:?}");
    }

    #[test]
    fn the_phase_follows_from_the_conditions() {
        use EnvironmentPhase::{
            Building, Degraded, Deploying, Failed, Pending, Provisioning, Ready, Terminating,
        };
        check(None, &[], Pending);
        check(None, &[("Ready", false, "ReferencesMissing")], Pending);
        check(
            None,
            &[("Ready", false, "Reconciling"), ("NamespaceReady", false, "Reconciling")],
            Provisioning,
        );
        check(None, &[("Ready", false, "Reconciling"), ("BuildReady", false, "Reconciling")], Building);
        check(None, &[("Ready", false, "Reconciling"), ("DeploymentReady", false, "Reconciling")], Deploying);
        check(None, &[("Ready", true, "Reconciled")], Ready);
        check(None, &[("Ready", false, "ChildFailed")], Failed);
        check(None, &[("Ready", false, "Conflict")], Pending);
        check(None, &[("Valid", false, "Conflict"), ("Ready", false, "Conflict")], Failed);
        check(Some(Ready), &[("Ready", false, "ChildFailed")], Degraded);
        check(Some(Degraded), &[("Ready", false, "Transient")], Degraded);
        check(Some(Ready), &[("Ready", true, "Reconciled"), ("Deleting", true, "Deleting")], Terminating);
    }
}
