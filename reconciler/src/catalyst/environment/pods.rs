//! Why workloads do not become ready: what a Deployment tells only after ten minutes, and then not why.

use concierge_runtime::cache::ApiResourceOf;
use concierge_shared::child::Child;
use k8s_openapi::api::core::v1::Pod;

use super::{
    part::{Part, Trouble},
    place::Place,
};
use crate::{
    catalyst::obstacle::{self, Obstacle},
    engine::{Context, Failure},
};

/// The pods in the environment's namespace that a selector of labels finds.
pub(super) async fn of(ctx: &Context, place: &Place<'_>, selector: &str) -> Result<Vec<Pod>, Failure> {
    let all = ctx.labelled(&Child::of::<Pod>().api_resource(), selector).await?;
    let ours = all.into_iter().filter(|pod| pod["metadata"]["namespace"].as_str() == Some(place.namespace));
    Ok(ours.filter_map(|pod| serde_json::from_value(pod).ok()).collect())
}

/// What keeps one of `pods` from being ready, if anything does.
pub(super) fn trouble(pods: &[Pod]) -> Option<Trouble> {
    pods.iter().find_map(obstacle::of_pod).map(|(obstacle, message)| told(obstacle, message))
}

fn told(obstacle: Obstacle, message: String) -> Trouble {
    // Nodes come and go.
    let lasts = obstacle != Obstacle::Unschedulable;
    Trouble { part: Part::Deployment, reason: obstacle.reason(), message, lasts }
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
