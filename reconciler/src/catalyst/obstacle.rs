//! What keeps that which is deployed from running, and what to do about it: in the same words, whoever looked.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use crate::engine::Failure;

/// The longest text of another program that is passed on, in characters.
const LONGEST: usize = 240;
/// How a container ends that was killed, most often since it used too much memory.
const KILLED: i32 = 137;
/// A container that runs again may still become ready, unless it has ended this often.
const RESTARTS: i32 = 3;

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    NotReadyInTime,
    ImageNotPulled,
    ContainerNotStarted,
    ContainerExited,
    ContainerKilled,
    PodRefused,
    QuotaExceeded,
    Unschedulable,
    Forbidden,
}

/// With what happened, and what to do.
pub(super) type Found = (Obstacle, String);

/// Each with the exit code by which `wait` tells of it, and the reason that people read.
const CODES: [(Obstacle, u8, &str); 9] = [
    (Obstacle::NotReadyInTime, 10, "NotReadyInTime"),
    (Obstacle::ImageNotPulled, 11, "ImageNotPulled"),
    (Obstacle::ContainerExited, 12, "ContainerExited"),
    (Obstacle::ContainerKilled, 13, "ContainerKilled"),
    (Obstacle::PodRefused, 14, "PodRefused"),
    (Obstacle::QuotaExceeded, 15, "QuotaExceeded"),
    (Obstacle::Unschedulable, 16, "Unschedulable"),
    (Obstacle::Forbidden, 17, "Forbidden"),
    (Obstacle::ContainerNotStarted, 18, "ContainerNotStarted"),
];

impl Obstacle {
    pub(super) fn exit_code(self) -> u8 {
        CODES.iter().find(|(one, ..)| *one == self).map_or(1, |(_, code, _)| *code)
    }

    pub(super) fn of_exit_code(code: i32) -> Self {
        let known = CODES.iter().find(|(_, one, _)| i32::from(*one) == code);
        known.map_or(Self::NotReadyInTime, |(one, ..)| *one)
    }

    pub(super) fn reason(self) -> &'static str {
        CODES.iter().find(|(one, ..)| *one == self).map_or("NotReadyInTime", |(_, _, reason)| reason)
    }
}

/// How the names of the chart's policies for environments end, by which the API server names the one that refuses.
const POLICIES: [&str; 3] =
    ["-environment-services'", "-environment-persistentvolumeclaims'", "-environment-pods'"];

/// What `words` mean with which the API server refused something, and what to do.
pub(super) fn of_refusal(words: &str) -> Option<(Obstacle, &'static str)> {
    let has = |part: &str| words.contains(part);
    if has("violates PodSecurity") {
        Some((
            Obstacle::PodRefused,
            "pods of an environment may not be privileged, nor use the host's folders, network and ports; take that out",
        ))
    } else if has("exceeded quota") && (has("requests.storage=") || has("persistentvolumeclaims=")) {
        let remedy = "ask for less storage and fewer volumes, or an operator raises rules.catalyst.maxStorageGib and maxVolumes";
        Some((Obstacle::QuotaExceeded, remedy))
    } else if POLICIES.iter().any(|policy| has(policy)) {
        Some((
            Obstacle::Forbidden,
            "Services are of type ClusterIP without externalIPs, volumes are new ones, and pods have no volumes of other servers, such as nfs and csi, and no priority of the cluster's own; change that. Where a webhook adds such a volume, an operator allows its type (reconciler.podVolumes)",
        ))
    } else if has("exceeded quota") || has("failed quota") {
        Some((Obstacle::QuotaExceeded, "ask for less, or raise resources.defaultQuota in the Project"))
    } else if has("does not match the namespace") || (has("orbidden") && has("system:serviceaccount:")) {
        Some((
            Obstacle::Forbidden,
            "an environment has its own namespace alone, and no NetworkPolicies, Ingresses, Roles and RoleBindings there; take that out",
        ))
    } else {
        None
    }
}

/// How Kubernetes refuses to change a volume.
const OF_VOLUMES: [&str; 4] = [
    "updates to statefulset spec",
    "spec is immutable after creation",
    // Than status.capacity; than the previous value before Kubernetes 1.32.
    "field can not be less than",
    "must support resize",
];

/// What is to be done where something of a configuration was not taken, for these words.
fn of_configuration(words: &str) -> Option<&'static str> {
    if OF_VOLUMES.iter().any(|part| words.contains(part)) {
        return Some(
            "a volume stays as it was made: set its storage back, or choose another name for a new one",
        );
    }
    of_refusal(words).filter(|(obstacle, _)| *obstacle == Obstacle::QuotaExceeded).map(|(_, remedy)| remedy)
}

/// The same, with what to do where Kubernetes' words do not say it.
pub(super) fn with_remedy(failure: Failure) -> Failure {
    let told = |words: String| match of_configuration(&words) {
        Some(remedy) => format!("{words}; {remedy}"),
        None => words,
    };
    match failure {
        Failure::Invalid(words) => Failure::Invalid(told(words)),
        Failure::Forbidden(words) => Failure::Forbidden(told(words)),
        other => other,
    }
}

/// What follows from the words with which a pod was not created.
pub(super) fn not_created(words: &str) -> Found {
    let (obstacle, remedy) = of_refusal(words).unwrap_or((Obstacle::Forbidden, "change what is asked for"));
    (obstacle, format!("{}; {remedy}", short(words)))
}

/// Why a pod does not come to run.
pub(super) fn of_pod(pod: &Pod) -> Option<Found> {
    // A pod that goes is killed.
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let status = pod.status.as_ref()?;
    let all = [&status.init_container_statuses, &status.container_statuses];
    let container = all.into_iter().flatten().flatten().find_map(|one| of_container(pod, one));
    container.or_else(|| unschedulable(pod))
}

fn of_container(pod: &Pod, one: &ContainerStatus) -> Option<Found> {
    let waiting = one.state.as_ref().and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
            Some((Obstacle::ImageNotPulled, not_pulled(one, reason)))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            let words = waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
            let (name, words) = (&one.name, short(words));
            let message =
                format!("container {name} can't be started ({reason}: {words}); correct its configuration");
            Some((Obstacle::ContainerNotStarted, message))
        }
        _ => ended(one).map(|ended| crashed(pod, &one.name, ended)),
    }
}

fn not_pulled(one: &ContainerStatus, reason: &str) -> String {
    // The two take turns for as long as it is so.
    let reason = if reason == "ErrImagePull" { "ImagePullBackOff" } else { reason };
    format!(
        "the image {:?} of container {} can't be pulled ({reason}); correct its name, or put credentials into the Secret \
         registry-credentials beside the Project",
        short(&one.image),
        one.name
    )
}

/// How a container went wrong that does not run, or ended too often before.
pub(super) fn ended(one: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let runs = one.state.as_ref().is_some_and(|state| state.running.is_some());
    if one.ready || (runs && one.restart_count < RESTARTS) {
        return None;
    }
    let states = [&one.state, &one.last_state];
    let mut ended = states.into_iter().flatten().filter_map(|state| state.terminated.as_ref());
    ended.find(|ended| ended.exit_code != 0)
}

fn crashed(pod: &Pod, name: &str, ended: &ContainerStateTerminated) -> Found {
    let (code, why) = (ended.exit_code, ended.reason.as_deref().unwrap_or_default());
    if why == "OOMKilled" || code == KILLED {
        let message = format!(
            "container {name} was killed (exit code {code}), most likely for lack of memory; raise limits.memory in its resources"
        );
        return (Obstacle::ContainerKilled, message);
    }
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, pod) = (of(&pod.metadata.namespace), of(&pod.metadata.name));
    let message = format!(
        "container {name} ended with exit code {code}; see why with: kubectl logs -n {namespace} {pod} -c {name} --previous"
    );
    (Obstacle::ContainerExited, message)
}

fn unschedulable(pod: &Pod) -> Option<Found> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|one| {
        one.type_ == "PodScheduled" && one.status == "False" && one.reason.as_deref() == Some("Unschedulable")
    })?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let words = short(found.message.as_deref().unwrap_or_default());
    let message = format!("no node takes the pod {name} ({words}); lower its requests, or add nodes");
    Some((Obstacle::Unschedulable, message))
}

fn short(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(mut status: Value) -> Pod {
        for list in ["initContainerStatuses", "containerStatuses"] {
            for container in status[list].as_array_mut().into_iter().flatten() {
                container["name"] = "app".into();
                container["image"] = "x:1".into();
            }
        }
        let metadata = json!({ "name": "web-1", "namespace": "acme-shop-pr-1" });
        serde_json::from_value(json!({ "metadata": metadata, "status": status })).unwrap()
    }

    fn check(status: Value, expect: Obstacle, remedy: &str) {
        let found = of_pod(&pod(status));
        let (obstacle, message) = found.unwrap_or_else(|| panic!("nothing found where {expect:?} is"));
        assert!(obstacle == expect && message.contains(remedy), "{obstacle:?} {message}");
        let code = CODES.iter().find(|one| one.0 == obstacle).unwrap().1;
        assert_eq!(Obstacle::of_exit_code(code.into()), obstacle);
    }

    fn container(one: &Value) -> Value {
        json!({ "containerStatuses": [one] })
    }

    #[test]
    fn what_keeps_a_pod_from_running_is_told_with_what_to_do() {
        let waiting = |reason: &str| {
            container(&json!({ "state": { "waiting": { "reason": reason, "message": "no" } } }))
        };
        check(waiting("ErrImagePull"), Obstacle::ImageNotPulled, "\"x:1\" of container app can't be pulled");
        check(waiting("ImagePullBackOff"), Obstacle::ImageNotPulled, "registry-credentials");
        check(
            waiting("CreateContainerConfigError"),
            Obstacle::ContainerNotStarted,
            "CreateContainerConfigError: no",
        );
        let crashed = |state: Value, restarts: i32, code: i32, reason: &str| {
            let last = json!({ "terminated": { "exitCode": code, "reason": reason } });
            container(&json!({ "state": state, "restartCount": restarts, "lastState": last }))
        };
        let off = || json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        let log = "kubectl logs -n acme-shop-pr-1 web-1 -c app --previous";
        check(crashed(off(), 1, 1, "Error"), Obstacle::ContainerExited, log);
        check(crashed(json!({ "running": {} }), 3, 1, "Error"), Obstacle::ContainerExited, log);
        check(crashed(off(), 1, 137, "Error"), Obstacle::ContainerKilled, "limits.memory");
        check(crashed(off(), 1, 1, "OOMKilled"), Obstacle::ContainerKilled, "limits.memory");
        let scheduled =
            json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3" });
        check(
            json!({ "conditions": [scheduled] }),
            Obstacle::Unschedulable,
            "the pod web-1 (0/3); lower its requests",
        );
    }

    #[test]
    fn the_words_stay_while_an_image_is_tried_again_and_again() {
        let told = ["ErrImagePull", "ImagePullBackOff"]
            .map(|reason| of_pod(&pod(container(&json!({ "state": { "waiting": { "reason": reason } } })))));
        assert!(told[0].is_some() && told[0] == told[1], "{told:?}");
    }

    #[test]
    fn a_pod_that_runs_or_is_about_to_or_goes_has_no_obstacle() {
        let crashed = json!({ "terminated": { "exitCode": 1 } });
        for status in [
            json!({}),
            container(&json!({ "state": { "waiting": { "reason": "ContainerCreating" } } })),
            container(
                &json!({ "ready": true, "restartCount": 9, "state": { "running": {} }, "lastState": crashed }),
            ),
            container(&json!({ "restartCount": 2, "state": { "running": {} }, "lastState": crashed })),
            json!({ "initContainerStatuses": [{ "state": { "terminated": { "exitCode": 0 } } }] }),
        ] {
            assert_eq!(of_pod(&pod(status.clone())), None, "{status}");
        }
        let mut going = pod(container(&json!({ "state": crashed })));
        assert!(of_pod(&going).is_some());
        going.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        assert_eq!(of_pod(&going), None);
    }

    #[test]
    fn what_was_refused_is_told_with_its_remedy_and_at_most_so_long() {
        for (words, expect, remedy) in [
            (
                "pods \"x\" is forbidden: violates PodSecurity \"baseline\"",
                Obstacle::PodRefused,
                "take that out",
            ),
            ("exceeded quota: default-quota", Obstacle::QuotaExceeded, "raise resources.defaultQuota"),
            (
                "exceeded quota: default-quota, requested: requests.storage=99Gi, used: requests.storage=0",
                Obstacle::QuotaExceeded,
                "rules.catalyst.maxStorageGib",
            ),
            (
                "services \"web\" is forbidden: ValidatingAdmissionPolicy 'concierge-environment-services' with binding \
                 'concierge-environment-services' denied request: a Service is of type ClusterIP",
                Obstacle::Forbidden,
                "of type ClusterIP without externalIPs,",
            ),
            (
                "pods \"web-1\" is forbidden: ValidatingAdmissionPolicy 'concierge-environment-pods' with binding \
                 'concierge-environment-pods' denied request: a Pod has no volumes of other types than",
                Obstacle::Forbidden,
                "no volumes of other servers",
            ),
            ("no", Obstacle::Forbidden, "change"),
        ] {
            let (obstacle, message) = not_created(words);
            assert!(obstacle == expect && message.contains(remedy), "{obstacle:?} {message}");
        }
        assert!(not_created(&"x".repeat(9999)).1.len() < 300);
    }

    #[test]
    fn what_of_a_configuration_is_not_taken_is_told_with_its_remedy_and_else_as_it_was() {
        let forbidden = "persistentvolumeclaims \"data\" is forbidden: exceeded quota: default-quota, requested: requests.storage=60Gi";
        let told = with_remedy(Failure::Forbidden(forbidden.into())).to_string();
        assert!(told.starts_with(forbidden) && told.contains("rules.catalyst.maxStorageGib"), "{told}");
        let changed = "StatefulSet.apps \"db\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden";
        let told = with_remedy(Failure::Invalid(changed.into())).to_string();
        assert!(told.starts_with(changed) && told.contains("set its storage back"), "{told}");
        for other in [
            Failure::Forbidden(
                "User \"system:serviceaccount:concierge-system:concierge\" cannot create resource".into(),
            ),
            Failure::Transient(forbidden.into()),
        ] {
            assert_eq!(with_remedy(other.clone()), other);
        }
    }
}
