//! What the objects of a namespace tell of its being ready.

use std::process::ExitCode;

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    core::v1::{ContainerStatus, Pod},
};

/// The longest text of another program that is passed on, in characters.
const LONGEST: usize = 240;

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

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::catalyst::runner) enum Obstacle {
    NotReady,
    Image,
    Crash,
    Memory,
    PodSecurity,
    Quota,
    Unschedulable,
    Forbidden,
}

/// Each with its exit code, and the reason that people read.
const CODES: [(Obstacle, u8, &str); 8] = [
    (Obstacle::NotReady, 10, "NotReady"),
    (Obstacle::Image, 11, "ImageUnavailable"),
    (Obstacle::Crash, 12, "ContainerFailed"),
    (Obstacle::Memory, 13, "OutOfMemory"),
    (Obstacle::PodSecurity, 14, "PodSecurity"),
    (Obstacle::Quota, 15, "QuotaExceeded"),
    (Obstacle::Unschedulable, 16, "Unschedulable"),
    (Obstacle::Forbidden, 17, "Forbidden"),
];

impl Obstacle {
    pub(super) fn exit_code(self) -> ExitCode {
        CODES.iter().find(|(one, ..)| *one == self).map_or(ExitCode::FAILURE, |(_, code, _)| (*code).into())
    }

    pub(in crate::catalyst::runner) fn of_exit_code(code: i32) -> Self {
        let known = CODES.iter().find(|(_, one, _)| i32::from(*one) == code);
        known.map_or(Self::NotReady, |(one, ..)| *one)
    }

    pub(in crate::catalyst::runner) fn reason(self) -> &'static str {
        CODES.iter().find(|(one, ..)| *one == self).map_or("NotReady", |(_, _, reason)| reason)
    }
}

type Found = (Obstacle, String);

pub(super) fn judge(seen: &Seen) -> Verdict {
    let unready = unready(seen);
    let Some(first) = unready.first() else { return Verdict::Ready };
    let refused = seen.deployments.iter().find_map(refused);
    match refused.or_else(|| seen.pods.iter().filter(|pod| !is_of_job(pod)).find_map(stopped)) {
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

/// Builds and the runner itself are no part of what was deployed.
fn is_of_job(pod: &Pod) -> bool {
    pod.metadata.owner_references.iter().flatten().any(|owner| owner.kind == "Job")
}

/// Why the API server takes no pods of a Deployment.
fn refused(one: &Deployment) -> Option<Found> {
    let conditions = one.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions.iter().find(|one| one.type_ == "ReplicaFailure" && one.status == "True")?;
    Some(not_created(failure.message.as_deref().unwrap_or_default()))
}

/// What follows from the words with which a pod was not created.
pub(super) fn not_created(words: &str) -> Found {
    let (obstacle, remedy) = if words.contains("violates PodSecurity") {
        (Obstacle::PodSecurity, "take out what is privileged or of the host")
    } else if words.contains("exceeded quota") || words.contains("failed quota") {
        (Obstacle::Quota, "ask for less, or raise resources.defaultQuota in the Project")
    } else {
        (Obstacle::Forbidden, "change what is asked for")
    };
    (obstacle, format!("{}; {remedy}", short(words)))
}

/// Why a pod does not come to run.
fn stopped(pod: &Pod) -> Option<Found> {
    let status = pod.status.as_ref()?;
    let all = [&status.init_container_statuses, &status.container_statuses];
    let container = all.into_iter().flatten().flatten().find_map(|one| container(pod, one));
    container.or_else(|| unschedulable(pod))
}

fn container(pod: &Pod, one: &ContainerStatus) -> Option<Found> {
    let pod = pod.metadata.name.as_deref().unwrap_or_default();
    let waiting = one.state.as_ref().and_then(|state| state.waiting.as_ref());
    match waiting.and_then(|waiting| waiting.reason.as_deref()) {
        Some("ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull") => {
            let message = "can't be pulled; correct its name, or the registry's credentials (Secret registry-credentials)";
            Some((
                Obstacle::Image,
                format!("the image {} of container {} {message}", short(&one.image), one.name),
            ))
        }
        Some("CreateContainerConfigError" | "CreateContainerError") => {
            let words = waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
            let message =
                format!("container {} can't be made: {}; correct its configuration", one.name, short(words));
            Some((Obstacle::Crash, message))
        }
        Some("CrashLoopBackOff") => Some(crashed(pod, one)),
        _ => (exit_code(one).is_some_and(|code| code != 0)).then(|| crashed(pod, one)),
    }
}

fn exit_code(one: &ContainerStatus) -> Option<i32> {
    Some(one.state.as_ref()?.terminated.as_ref()?.exit_code)
}

fn crashed(pod: &str, one: &ContainerStatus) -> Found {
    let last =
        one.last_state.as_ref().and_then(|state| state.terminated.as_ref()).map(|ended| ended.exit_code);
    let code = exit_code(one).or(last).unwrap_or(1);
    let (name, log) = (&one.name, format!("its log: kubectl logs {pod} -c {} --previous", one.name));
    if code == 137 {
        let message = format!(
            "container {name} is killed (exit code 137), most likely for lack of memory; raise its limit; {log}"
        );
        return (Obstacle::Memory, message);
    }
    (Obstacle::Crash, format!("container {name} ends with exit code {code} instead of running; {log}"))
}

fn unschedulable(pod: &Pod) -> Option<Found> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let unscheduled = |one: &&k8s_openapi::api::core::v1::PodCondition| {
        one.type_ == "PodScheduled" && one.status == "False" && one.reason.as_deref() == Some("Unschedulable")
    };
    let words = conditions.iter().find(unscheduled)?.message.as_deref().unwrap_or_default();
    Some((Obstacle::Unschedulable, format!("no node has room: {}; ask for less", short(words))))
}

fn short(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
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
    fn each_obstacle_is_told_with_its_remedy() {
        let waiting = |reason: &str| json!({ "state": { "waiting": { "reason": reason } } });
        let ended = |code: i32| json!({ "state": { "waiting": { "reason": "CrashLoopBackOff" } }, "lastState": { "terminated": { "exitCode": code } } });
        let failure = |words: &str| json!([{ "type": "ReplicaFailure", "status": "True", "message": words }]);
        for (container, conditions, obstacle, words) in [
            (
                waiting("ImagePullBackOff"),
                json!([]),
                Obstacle::Image,
                "acme/shop:1 of container app can't be pulled; correct",
            ),
            (
                ended(1),
                json!([]),
                Obstacle::Crash,
                "exit code 1 instead of running; its log: kubectl logs web-1",
            ),
            (ended(137), json!([]), Obstacle::Memory, "raise its limit"),
            (
                json!({}),
                failure("pods \"x\" is forbidden: violates PodSecurity \"baseline\""),
                Obstacle::PodSecurity,
                "take out",
            ),
            (json!({}), failure("exceeded quota: default-quota"), Obstacle::Quota, "ask for less"),
            (json!({}), failure("no"), Obstacle::Forbidden, "change"),
        ] {
            let (found, message) = stopped_by(vec![pod("ReplicaSet", &container)], &conditions);
            assert!(found == obstacle && message.contains(words), "{found:?} {message}");
            assert_eq!(
                Obstacle::of_exit_code(CODES.iter().find(|one| one.0 == obstacle).unwrap().1.into()),
                obstacle
            );
        }
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
