//! Pods as the API server has them now: those of Jobs and Deployments bear no mark, so no watch of ours shows them.

use concierge_runtime::cache::ApiResourceOf;
use concierge_shared::child::Child;
use k8s_openapi::api::core::v1::Pod;

use crate::engine::{Context, Failure};

/// The pods in a namespace that a selector of labels finds.
///
/// # Errors
/// When the API server can't be asked.
pub(super) async fn of(ctx: &Context, namespace: &str, selector: &str) -> Result<Vec<Pod>, Failure> {
    let all = ctx.labelled(&Child::of::<Pod>().api_resource(), selector).await?;
    let ours = all.into_iter().filter(|pod| pod["metadata"]["namespace"].as_str() == Some(namespace));
    Ok(ours.filter_map(|pod| serde_json::from_value(pod).ok()).collect())
}
