//! Why workloads do not become ready: what a Deployment tells only after ten minutes, and then not why.

use concierge_shared::status::ConditionReason;
use k8s_openapi::api::core::v1::Pod;

use super::{
    checkout,
    part::{Again, Part, Trouble},
};
use crate::catalyst::{
    obstacle::{self, Obstacle},
    pods::is_of_job,
};

/// What keeps one of `pods` from being ready, if anything does.
pub(super) fn trouble(pods: &[Pod]) -> Option<Trouble> {
    let of_source = || pods.iter().find_map(checkout::trouble);
    let found = || pods.iter().find_map(obstacle::of_pod);
    of_source().or_else(|| found().map(|(obstacle, message)| told(obstacle, message)))
}

/// The same of pods that a source deployed, some time later. One that was evicted stays beside the one in its place.
pub(super) fn trouble_since(pods: &[Pod], again: Again) -> Option<Trouble> {
    let found = pods.iter().filter(|pod| !is_of_job(pod) && !has_ended(pod)).find_map(obstacle::of_pod);
    found.map(|(obstacle, message)| Trouble { again: Some(again), ..told(obstacle, message) })
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

fn told(obstacle: Obstacle, message: String) -> Trouble {
    // Nodes come and go.
    let lasts = obstacle != Obstacle::Unschedulable;
    let ready = if lasts { ConditionReason::ChildFailed } else { ConditionReason::Reconciling };
    Trouble::new(Part::Deployment, ready, obstacle.reason(), message)
}

/// What is to be done about a workload that has failed for this reason, and says so.
pub(super) fn explained(message: &str) -> Option<Trouble> {
    let late = || {
        let remedy =
            "its container runs and does not become ready: look at its log, or correct the readinessProbe";
        message.contains("ProgressDeadlineExceeded").then_some((Obstacle::NotReadyInTime, remedy))
    };
    let (obstacle, remedy) = obstacle::of_refusal(message).or_else(late)?;
    Some(told(obstacle, format!("{message}; {remedy}")))
}
