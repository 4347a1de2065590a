//! How far a Deployment has taken a configuration up: looked at, and never changed.
//!
//! Which configuration a pod was started with nobody can see from outside. So whoever rolls it out says it: by an annotation on the pod template, which
//! starts the pods anew when it changes.

use concierge_shared::{
    child::Child,
    common::words::first_chars,
    orasi::{Configuration, RolloutStatus},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PodSpec, Volume},
};

use super::publish::HASH_ANNOTATION;
use crate::engine::{Context, Failure, Owned, children::ChildKey};

/// The longest annotation that is repeated, in characters.
const LONGEST: usize = 128;
const DONE: &str = "RolledOut";

/// How far it is.
pub(super) struct Rollout {
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// `None` when there is no such Deployment, or it can't be read.
    pub(super) status: Option<RolloutStatus>,
}

impl Rollout {
    pub(super) fn done(&self) -> bool {
        self.reason == DONE
    }

    fn not_seen(reason: &'static str, message: String) -> Self {
        Self { reason, message, status: None }
    }
}

/// What the Deployment shows of what is published, the ConfigMap and its hash; `None` when no Deployment is named.
pub(super) async fn look(
    ctx: &Context,
    configuration: &Configuration,
    published: Option<&(String, String)>,
) -> Option<Rollout> {
    let name = &configuration.spec.rollout.as_ref()?.deployment_ref.name;
    let key = ChildKey {
        resource: Child::of::<Deployment>(),
        namespace: ctx.key().namespace.clone(),
        name: name.clone(),
    };
    let found: Result<Owned<Deployment>, Failure> = ctx.child(configuration, &key).await;
    Some(match found {
        Ok(Owned::Ours(deployment) | Owned::Foreign(deployment)) => {
            let hash = published.map(|(_, hash)| hash.as_str());
            let config_map =
                published.map_or_else(|| configuration.config_map_name(), |(name, _)| name.clone());
            judge(&key, &deployment, &config_map, hash)
        }
        Ok(Owned::Absent) => {
            let message = format!("{key} does not exist; create it, or correct spec.rollout.deploymentRef");
            Rollout::not_seen("DeploymentMissing", message)
        }
        Err(failure) => Rollout::not_seen("DeploymentUnknown", format!("{key} can't be read: {failure}")),
    })
}

fn judge(key: &ChildKey, deployment: &Deployment, config_map: &str, hash: Option<&str>) -> Rollout {
    let status = seen(&key.name, deployment);
    let pods = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let (reason, message) = match (hash, status.hash.as_deref()) {
        _ if !pods.is_some_and(|pods| mounts(pods, config_map)) => {
            ("NotMounted", format!("{key} has no volume of the ConfigMap {config_map}; add one"))
        }
        (None, _) => ("NotPublished", "nothing is published yet".to_owned()),
        (Some(hash), None) => {
            let message = format!(
                "the pod template of {key} does not say which configuration its pods are started with; set its annotation \
                 {HASH_ANNOTATION} to {hash}"
            );
            ("HashMissing", message)
        }
        (Some(hash), Some(other)) if hash != other => {
            let message = format!(
                "the pods of {key} are started with {other}; set the annotation {HASH_ANNOTATION} of its pod template to {hash}"
            );
            ("Outdated", message)
        }
        _ if is_complete(deployment, &status) => (DONE, String::new()),
        _ => {
            let RolloutStatus { replicas, updated_replicas, .. } = &status;
            let message =
                format!("{updated_replicas} of {replicas} pods of {key} are up to date and available");
            ("RollingOut", message)
        }
    };
    Rollout { reason, message, status: Some(status) }
}

/// What its status counts, once its controller has seen it as it is.
fn seen(name: &str, deployment: &Deployment) -> RolloutStatus {
    let spec = deployment.spec.as_ref();
    let annotations = spec.and_then(|spec| spec.template.metadata.as_ref()?.annotations.as_ref());
    let hash = annotations.and_then(|annotations| annotations.get(HASH_ANNOTATION));
    let status = deployment.status.as_ref().filter(|_| is_seen(deployment));
    let updated = status.and_then(|status| status.updated_replicas).unwrap_or_default();
    let available = status.and_then(|status| status.available_replicas).unwrap_or_default();
    RolloutStatus {
        deployment: name.to_owned(),
        hash: hash.map(|hash| first_chars(hash, LONGEST)),
        replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1).into(),
        updated_replicas: updated.min(available).into(),
    }
}

fn is_seen(deployment: &Deployment) -> bool {
    let observed = deployment.status.as_ref().and_then(|status| status.observed_generation);
    observed >= deployment.metadata.generation
}

/// Also those of before are gone.
fn is_complete(deployment: &Deployment, seen: &RolloutStatus) -> bool {
    let pods = deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or_default();
    is_seen(deployment) && seen.updated_replicas >= seen.replicas && i64::from(pods) <= seen.updated_replicas
}

fn mounts(pods: &PodSpec, config_map: &str) -> bool {
    let is_it = |volume: &Volume| {
        let whole = volume.config_map.as_ref().is_some_and(|source| source.name == config_map);
        let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        let mut parts = sources.filter_map(|source| source.config_map.as_ref());
        whole || parts.any(|source| source.name == config_map)
    };
    pods.volumes.iter().flatten().any(is_it)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HASH: &str = "0123";

    fn deployment(annotations: Value, volume: Value, status: Value) -> Deployment {
        let template = json!({ "metadata": { "annotations": annotations }, "spec": { "containers": [], "volumes": [volume] } });
        let spec = json!({ "replicas": 2, "selector": {}, "template": template });
        let metadata = json!({ "name": "bridge-api", "namespace": "data", "generation": 3 });
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": status })).unwrap()
    }

    #[track_caller]
    fn check(annotations: Value, volume: Value, status: Value, hash: Option<&str>, expect: &str) {
        let deployment = deployment(annotations, volume, status);
        let key = ChildKey {
            resource: Child::of::<Deployment>(),
            namespace: "data".into(),
            name: "bridge-api".into(),
        };
        let found = judge(&key, &deployment, "bridge-config", hash);
        assert_eq!(found.reason, expect, "{}", found.message);
        assert_eq!(found.message.is_empty(), expect == DONE);
    }

    #[test]
    fn rolled_out_is_what_all_pods_were_started_with() {
        let volume = || json!({ "name": "config", "configMap": { "name": "bridge-config" } });
        let status = |seen: i64, all: i64, updated: i64, available: i64| json!({ "observedGeneration": seen, "replicas": all, "updatedReplicas": updated, "availableReplicas": available });
        let told = || json!({ HASH_ANNOTATION: HASH });
        let done = || status(3, 2, 2, 2);
        check(told(), volume(), done(), Some(HASH), DONE);
        let projected = json!({ "sources": [{ "secret": { "name": "a" } }, { "configMap": { "name": "bridge-config" } }] });
        check(told(), json!({ "name": "all", "projected": projected }), done(), Some(HASH), DONE);
        check(
            told(),
            json!({ "name": "config", "configMap": { "name": "other" } }),
            done(),
            Some(HASH),
            "NotMounted",
        );
        check(told(), volume(), done(), None, "NotPublished");
        check(json!({}), volume(), done(), Some(HASH), "HashMissing");
        check(json!({ HASH_ANNOTATION: "4567" }), volume(), done(), Some(HASH), "Outdated");
        for short in
            [status(2, 2, 2, 2), status(3, 3, 2, 2), status(3, 2, 1, 2), status(3, 2, 2, 1), json!({})]
        {
            check(told(), volume(), short, Some(HASH), "RollingOut");
        }
    }
}
