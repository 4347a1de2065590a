//! What the objects of a namespace tell of its being ready.

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    core::v1::Pod,
};

use crate::catalyst::{
    obstacle::{Found, Obstacle, not_created, of_pod},
    pods::is_of_job,
};

/// What there is.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) pods: Vec<Pod>,
    pub(super) deployments: Vec<Deployment>,
    pub(super) stateful_sets: Vec<StatefulSet>,
    pub(super) daemon_sets: Vec<DaemonSet>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ready,
    /// It may come.
    Waiting(String),
    /// It will hardly come by itself.
    Stopped(Obstacle, String),
}

impl Verdict {
    /// What is in the way and will hardly go by itself.
    pub(super) fn stopped_by(&self) -> Option<Obstacle> {
        match self {
            Verdict::Stopped(obstacle, _) => Some(*obstacle),
            Verdict::Ready | Verdict::Waiting(_) => None,
        }
    }

    /// What is said at last of what stays like this; `None` when all is ready.
    pub(super) fn said(self) -> Option<Found> {
        match self {
            Verdict::Ready => None,
            Verdict::Waiting(message) => Some((Obstacle::NotReadyInTime, message)),
            Verdict::Stopped(obstacle, message) => Some((obstacle, message)),
        }
    }
}

pub(super) fn judge(seen: &Seen) -> Verdict {
    let unready = unready(seen);
    let Some(first) = unready.first() else { return Verdict::Ready };
    let refused = seen.deployments.iter().find_map(refused);
    match refused.or_else(|| seen.pods.iter().filter(|pod| !is_of_job(pod)).find_map(of_pod)) {
        Some((obstacle, message)) => Verdict::Stopped(obstacle, message),
        None => Verdict::Waiting(format!(
            "{first} is not ready{}; does it listen, and does its readiness probe succeed?",
            if unready.len() > 1 { format!(", nor are {} others", unready.len() - 1) } else { String::new() }
        )),
    }
}

/// What is not ready, by kind and name.
fn unready(seen: &Seen) -> Vec<String> {
    let deployments = seen.deployments.iter().filter(|one| !is_deployment_ready(one));
    let stateful = seen.stateful_sets.iter().filter(|one| !is_stateful_set_ready(one));
    let daemons = seen.daemon_sets.iter().filter(|one| !is_daemon_set_ready(one));
    let alone = seen.pods.iter().filter(|one| one.metadata.owner_references.is_none() && !is_pod_ready(one));
    let name = |kind: &str, name: &Option<String>| format!("{kind} {}", name.as_deref().unwrap_or_default());
    let all = deployments.map(|one| name("Deployment", &one.metadata.name));
    let all = all.chain(stateful.map(|one| name("StatefulSet", &one.metadata.name)));
    let all = all.chain(daemons.map(|one| name("DaemonSet", &one.metadata.name)));
    all.chain(alone.map(|one| name("Pod", &one.metadata.name))).collect()
}

fn is_pod_ready(one: &Pod) -> bool {
    let Some(status) = &one.status else { return false };
    let ready = status.conditions.iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True");
    ready || status.phase.as_deref() == Some("Succeeded")
}

fn is_deployment_ready(one: &Deployment) -> bool {
    let wanted = one.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    one.status.as_ref().is_some_and(|status| {
        status.observed_generation >= one.metadata.generation
            && status.updated_replicas.unwrap_or(0) >= wanted
            && status.available_replicas.unwrap_or(0) >= wanted
            // Those of the version before are gone.
            && status.replicas.unwrap_or(0) <= status.updated_replicas.unwrap_or(0)
    })
}

fn is_stateful_set_ready(one: &StatefulSet) -> bool {
    let wanted = one.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    one.status.as_ref().is_some_and(|status| {
        status.observed_generation >= one.metadata.generation
            && status.ready_replicas.unwrap_or(0) >= wanted
            && status.updated_replicas.unwrap_or(0) >= wanted
    })
}

fn is_daemon_set_ready(one: &DaemonSet) -> bool {
    one.status.as_ref().is_some_and(|status| {
        status.observed_generation >= one.metadata.generation
            && status.number_ready >= status.desired_number_scheduled
            && status.updated_number_scheduled.unwrap_or(0) >= status.desired_number_scheduled
    })
}

/// Why the API server takes no pods of a Deployment.
fn refused(one: &Deployment) -> Option<Found> {
    let conditions = one.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions.iter().find(|one| one.type_ == "ReplicaFailure" && one.status == "True")?;
    Some(not_created(failure.message.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(available: i32, conditions: &Value) -> Deployment {
        let object = json!({
            "metadata": { "name": "web", "generation": 2 }, "spec": { "replicas": 1, "selector": {}, "template": {} },
            "status": { "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available, "conditions": conditions },
        });
        serde_json::from_value(object).unwrap()
    }

    fn pod(owner: &str, container: &Value) -> Pod {
        let mut container = container.clone();
        for (key, value) in [("name", "app"), ("image", "acme/shop:1"), ("imageID", "")] {
            container[key] = value.into();
        }
        (container["ready"], container["restartCount"]) = (false.into(), 0.into());
        let owner = json!({ "apiVersion": "v1", "kind": owner, "name": "x", "uid": "u" });
        let metadata = json!({ "name": "web-1", "ownerReferences": [owner] });
        serde_json::from_value(
            json!({ "metadata": metadata, "status": { "containerStatuses": [container] } }),
        )
        .unwrap()
    }

    fn stopped_by(pods: Vec<Pod>, conditions: &Value) -> (Obstacle, String) {
        match judge(&Seen { pods, deployments: vec![deployment(0, conditions)], ..Seen::default() }) {
            Verdict::Stopped(obstacle, message) => (obstacle, message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_ready_is_told_with_what_stops_it() {
        let waiting = json!({ "state": { "waiting": { "reason": "ImagePullBackOff" } } });
        let (found, message) = stopped_by(vec![pod("ReplicaSet", &waiting)], &json!([]));
        assert!(found == Obstacle::ImageNotPulled && message.contains("acme/shop:1"), "{found:?} {message}");
        let words = "pods \"x\" is forbidden: violates PodSecurity \"baseline\"";
        let failure = json!([{ "type": "ReplicaFailure", "status": "True", "message": words }]);
        let (found, message) = stopped_by(vec![pod("ReplicaSet", &json!({}))], &failure);
        assert!(found == Obstacle::PodRefused && message.contains("take that out"), "{found:?} {message}");
    }

    #[test]
    fn what_is_ready_has_no_obstacle_and_a_jobs_pods_do_not_count() {
        let failing = json!({ "state": { "waiting": { "reason": "ImagePullBackOff" } } });
        let pods = vec![pod("Job", &failing)];
        let seen = Seen { pods, deployments: vec![deployment(0, &json!([]))], ..Seen::default() };
        assert!(matches!(judge(&seen), Verdict::Waiting(message) if message.contains("Deployment web")));
        let pods = vec![pod("ReplicaSet", &failing)];
        let seen = Seen { pods, deployments: vec![deployment(1, &json!([]))], ..Seen::default() };
        assert_eq!(judge(&seen), Verdict::Ready);
        assert_eq!(judge(&Seen::default()), Verdict::Ready);
    }
}
