//! How a child is, by its status.

use serde_json::Value;

/// The longest message, in characters.
const LONGEST: usize = 300;
/// Why a container that waits will go on waiting until somebody changes something.
const STUCK: [&str; 7] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// How a child is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildHealth {
    /// It is as it was asked to be; a Job has ended well. So is whatever has no status.
    Ready,
    /// Not yet, and it may come so by itself.
    Progressing(String),
    /// Not, and it won't come so by itself.
    Failed {
        /// In one CamelCase word, as Kubernetes says it.
        reason: String,
        message: String,
    },
}

impl ChildHealth {
    pub fn is_ready(&self) -> bool {
        *self == ChildHealth::Ready
    }

    fn progressing(message: impl Into<String>) -> Self {
        ChildHealth::Progressing(message.into())
    }

    fn failed(reason: &str, message: &str) -> Self {
        let message = message.chars().take(LONGEST).collect();
        ChildHealth::Failed { reason: reason.to_owned(), message }
    }
}

/// How an object of `kind` is.
pub(super) fn health_of(kind: &str, object: &Value) -> ChildHealth {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return ChildHealth::progressing("it is being deleted");
    }
    match kind {
        "Namespace" => of_namespace(object),
        "Deployment" | "StatefulSet" => of_workload(object),
        "Job" => of_job(object),
        "Pod" => of_pod(object),
        "PersistentVolumeClaim" => of_claim(object),
        _ => ChildHealth::Ready,
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The condition of this type, if it is true, or has another status that is asked for.
fn condition<'a>(object: &'a Value, kind: &str, status: &str) -> Option<&'a Value> {
    let all = object["status"]["conditions"].as_array()?;
    all.iter().find(|one| one["type"] == kind && one["status"] == status)
}

fn failed_by(condition: &Value) -> ChildHealth {
    ChildHealth::failed(text(condition, "reason"), text(condition, "message"))
}

fn of_namespace(object: &Value) -> ChildHealth {
    match text(&object["status"], "phase") {
        "Terminating" => ChildHealth::progressing("it is being deleted"),
        _ => ChildHealth::Ready,
    }
}

fn of_workload(object: &Value) -> ChildHealth {
    let number = |field: &str| object["status"][field].as_i64().unwrap_or_default();
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    if number("observedGeneration") < object["metadata"]["generation"].as_i64().unwrap_or_default() {
        return ChildHealth::progressing("its controller has not seen it yet");
    }
    if let Some(failure) = condition(object, "ReplicaFailure", "True") {
        return failed_by(failure);
    }
    if let Some(late) = condition(object, "Progressing", "False") {
        return failed_by(late);
    }
    let ready = number("readyReplicas");
    // A StatefulSet whose pods are all of the newest version counts them in no field of their own.
    let updated = match object["status"]["updatedReplicas"].as_i64() {
        Some(updated) => updated,
        None if object["status"]["updateRevision"] == object["status"]["currentRevision"] => ready,
        None => 0,
    };
    match ready >= wanted && updated >= wanted && number("replicas") <= wanted.max(updated) {
        true => ChildHealth::Ready,
        false => ChildHealth::progressing(format!("{} of {wanted} pods are ready", ready.min(updated))),
    }
}

fn of_job(object: &Value) -> ChildHealth {
    if condition(object, "Complete", "True").is_some() {
        return ChildHealth::Ready;
    }
    match condition(object, "Failed", "True") {
        Some(failed) => failed_by(failed),
        None => ChildHealth::progressing("it runs"),
    }
}

fn of_pod(object: &Value) -> ChildHealth {
    let status = &object["status"];
    match text(status, "phase") {
        "Succeeded" => return ChildHealth::Ready,
        "Failed" => {
            let reason = text(status, "reason");
            let reason = if reason.is_empty() { "PodFailed" } else { reason };
            return ChildHealth::failed(reason, text(status, "message"));
        }
        "Running" if condition(object, "Ready", "True").is_some() => return ChildHealth::Ready,
        _ => {}
    }
    let lists = ["initContainerStatuses", "containerStatuses"];
    let containers = lists.iter().filter_map(|list| status[*list].as_array()).flatten();
    let waiting = containers.map(|container| &container["state"]["waiting"]);
    let mut stuck = waiting.filter(|waiting| STUCK.contains(&text(waiting, "reason")));
    stuck.next().map_or_else(|| ChildHealth::progressing("it is not ready yet"), failed_by)
}

fn of_claim(object: &Value) -> ChildHealth {
    match text(&object["status"], "phase") {
        "Bound" => ChildHealth::Ready,
        "Lost" => ChildHealth::failed("VolumeLost", "its volume is lost"),
        _ => ChildHealth::progressing("it is not bound to a volume yet"),
    }
}
