//! The phase of an environment, from its conditions.

use concierge_shared::{
    catalyst::{Environment, EnvironmentPhase, EnvironmentStatus},
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
pub(super) fn of(environment: &Environment, status: &EnvironmentStatus) -> EnvironmentPhase {
    if status.is_true(ConditionType::Deleting.as_str()) {
        return EnvironmentPhase::Terminating;
    }
    let ran = matches!(status.phase, Some(EnvironmentPhase::Ready | EnvironmentPhase::Degraded));
    match status.condition(ConditionType::Ready.as_str()) {
        None if is_placed(environment, status) => EnvironmentPhase::Provisioning,
        None => EnvironmentPhase::Pending,
        Some(ready) if ready.status == "True" => EnvironmentPhase::Ready,
        Some(ready) if ready.reason == ConditionReason::Reconciling.as_str() => {
            under_way(environment, status)
        }
        Some(_) if ran => EnvironmentPhase::Degraded,
        Some(_) if breaks_rules(status) => EnvironmentPhase::Failed,
        Some(ready) if PASSING.iter().any(|reason| reason.as_str() == ready.reason) => {
            waiting(environment, status)
        }
        Some(_) => EnvironmentPhase::Failed,
    }
}

/// Whether its namespace is there or about to be made: not while one of its name, or that of its labels before, is waited for.
fn is_placed(environment: &Environment, status: &EnvironmentStatus) -> bool {
    let target = environment.hierarchy().and_then(|of| of.target_namespace());
    status.namespace.is_some() && target.is_none_or(|target| status.namespace == Some(target))
}

fn waiting(environment: &Environment, status: &EnvironmentStatus) -> EnvironmentPhase {
    // Its namespace is being made, so the condition is of an earlier run.
    let is_made = is_placed(environment, status) && status.namespace_uid.is_none();
    if is_made { EnvironmentPhase::Provisioning } else { EnvironmentPhase::Pending }
}

/// The phase of the first part that is not ready.
fn under_way(environment: &Environment, status: &EnvironmentStatus) -> EnvironmentPhase {
    let unready = |part: &&Part| status.condition(part.condition()).is_some_and(|one| one.status == "False");
    match Part::ALL.iter().find(unready) {
        Some(Part::Namespace) if !is_placed(environment, status) => EnvironmentPhase::Pending,
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
    use serde_json::json;

    use super::*;

    /// The environment of the namespace acme-shop-pr-1.
    fn environment() -> Environment {
        let labels = json!({
            "catalyst.dev/team": "acme", "catalyst.dev/project": "shop", "catalyst.dev/environment": "pr-1",
        });
        let environment = json!({
            "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Environment",
            "metadata": { "name": "pr-1", "namespace": "acme-shop", "labels": labels },
            "spec": { "projectRef": { "name": "shop" }, "type": "development" },
        });
        serde_json::from_value(environment).unwrap()
    }

    fn check(before: Option<EnvironmentPhase>, conditions: &[(&str, bool, &str)], expect: EnvironmentPhase) {
        let mut status = EnvironmentStatus { phase: before, ..EnvironmentStatus::default() };
        for (kind, value, reason) in conditions {
            status.set(kind, *value, reason, "", None, Timestamp::UNIX_EPOCH);
        }
        assert_eq!(of(&environment(), &status), expect, "{before:?} {conditions:?}");
    }

    #[test]
    fn the_phase_follows_from_the_conditions() {
        use EnvironmentPhase::{
            Building, Degraded, Deploying, Failed, Pending, Provisioning, Ready, Terminating,
        };
        check(None, &[], Pending);
        check(None, &[("Ready", false, "ReferencesMissing")], Pending);
        check(None, &[("Ready", false, "Reconciling"), ("NamespaceReady", false, "Reconciling")], Pending);
        check(
            None,
            &[("Ready", false, "Reconciling"), ("PoliciesReady", false, "Reconciling")],
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

    #[test]
    fn the_namespace_of_other_labels_is_waited_for() {
        use EnvironmentPhase::{Pending, Provisioning};
        for (namespace, expect) in [("acme-shop-pr-1", Provisioning), ("acme-store-pr-1", Pending)] {
            for reason in ["Reconciling", "Transient"] {
                let mut status =
                    EnvironmentStatus { namespace: Some(namespace.into()), ..EnvironmentStatus::default() };
                for kind in ["Ready", "NamespaceReady"] {
                    status.set(kind, false, reason, "", None, Timestamp::UNIX_EPOCH);
                }
                assert_eq!(of(&environment(), &status), expect, "{namespace} {reason}");
            }
        }
    }
}
