//! Pods as the API server has them now: those of Jobs and Deployments bear no mark, so no watch of ours shows them.

use concierge_runtime::cache::ApiResourceOf;
use concierge_shared::child::Child;
use k8s_openapi::api::core::v1::Pod;

use crate::engine::{Context, Failure};

/// The pods in a namespace that a selector of labels finds; all when it is empty.
///
/// # Errors
/// When the API server can't be asked.
pub(super) async fn of(ctx: &Context, namespace: &str, selector: &str) -> Result<Vec<Pod>, Failure> {
    let all = ctx.labelled(&Child::of::<Pod>().api_resource(), namespace, selector).await?;
    Ok(all.into_iter().filter_map(|pod| serde_json::from_value(pod).ok()).collect())
}

/// Builds and the runner itself are no part of what was deployed.
pub(super) fn is_of_job(pod: &Pod) -> bool {
    pod.metadata.owner_references.iter().flatten().any(|owner| owner.kind == "Job")
}
