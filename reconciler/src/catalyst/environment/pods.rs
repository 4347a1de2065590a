//! Why pods do not become ready: what a Deployment tells only after ten minutes, and then not why.

use serde_json::Value;

use super::part::{Part, Trouble};

const CANT_PULL: [&str; 4] = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"];
const CANT_START: [&str; 3] = ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"];
/// How a container ends that was killed, most often since it used too much memory.
const KILLED: i64 = 137;
/// The longest text of Kubernetes' that is repeated, in characters.
const LONGEST: usize = 300;

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// What keeps one of `pods` from being ready and won't pass by itself, if anything does.
pub(super) fn trouble(namespace: &str, pods: &[Value]) -> Option<Trouble> {
    pods.iter().find_map(|pod| of_pod(namespace, pod))
}

fn of_pod(namespace: &str, pod: &Value) -> Option<Trouble> {
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return None;
    }
    let lists = ["initContainerStatuses", "containerStatuses"];
    let containers = lists.iter().filter_map(|list| pod["status"][*list].as_array()).flatten();
    containers
        .into_iter()
        .find_map(|container| of_container(namespace, pod, container))
        .or_else(|| unscheduled(pod))
}

fn failed(reason: &'static str, message: String) -> Option<Trouble> {
    Some(Trouble { part: Part::Deployment, reason, message, lasts: true })
}

fn of_container(namespace: &str, pod: &Value, container: &Value) -> Option<Trouble> {
    let (name, pod) = (text(container, "name"), text(&pod["metadata"], "name"));
    let waiting = &container["state"]["waiting"];
    let reason = text(waiting, "reason");
    if CANT_PULL.contains(&reason) {
        return failed(
            "ImageNotPulled",
            format!(
                "the image {:?} of container {name} can't be pulled ({reason}); correct the image, or put credentials into the Secret \
                 registry-credentials beside the Project",
                short(text(container, "image"))
            ),
        );
    }
    if CANT_START.contains(&reason) {
        let told = short(text(waiting, "message"));
        return failed(
            "ContainerNotStarted",
            format!(
                "container {name} can't be started ({reason}: {told}); correct what it names in spec.config"
            ),
        );
    }
    let ended = [&container["state"]["terminated"], &container["lastState"]["terminated"]];
    let code = |ended: &&&Value| ended["exitCode"].as_i64().is_some_and(|code| code != 0);
    let ended = ended.iter().find(code).filter(|_| container["ready"] != true)?;
    let (code, why) = (ended["exitCode"].as_i64().unwrap_or_default(), text(ended, "reason"));
    let log = format!("kubectl logs -n {namespace} {pod} -c {name} --previous");
    if why == "OOMKilled" || code == KILLED {
        return failed(
            "ContainerKilled",
            format!(
                "container {name} was killed ({why}, exit code {code}): most often it needs more memory than it may use; raise limits.memory in its \
                 resources"
            ),
        );
    }
    failed("ContainerExited", format!("container {name} ended with exit code {code}; see why with: {log}"))
}

fn unscheduled(pod: &Value) -> Option<Trouble> {
    let conditions = pod["status"]["conditions"].as_array()?;
    let found =
        conditions.iter().find(|one| one["type"] == "PodScheduled" && one["reason"] == "Unschedulable")?;
    Some(Trouble {
        part: Part::Deployment,
        reason: "Unschedulable",
        message: format!(
            "no node takes the pod {} ({}); lower its requests, or add nodes",
            text(&pod["metadata"], "name"),
            short(text(found, "message"))
        ),
        // Nodes come and go.
        lasts: false,
    })
}

/// What is to be done about a workload that has failed for this reason, and says so.
pub(super) fn explained(message: &str) -> Option<Trouble> {
    let (reason, remedy) = match message {
        _ if message.contains("exceeded quota") => (
            "QuotaExceeded",
            "lower the resources in spec.config, or raise resources.defaultQuota of the Project",
        ),
        _ if message.contains("violates PodSecurity") => (
            "PodRefused",
            "remove what lets the pod reach its node: privileged containers, host networks and paths are not for environments",
        ),
        _ if message.contains("ProgressDeadlineExceeded") => (
            "NotReadyInTime",
            "its container runs and does not become ready: look at its log, or correct the readinessProbe",
        ),
        _ => return None,
    };
    failed(reason, format!("{message}; {remedy}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(container: Value, reason: &str, remedy: &str) {
        let pod = json!({
            "metadata": { "name": "web-1" },
            "status": { "containerStatuses": [container] },
        });
        let found = trouble("acme-shop-pr-1", &[pod]);
        let found = found.unwrap_or_else(|| panic!("nothing found where {reason} is"));
        assert_eq!(found.reason, reason);
        assert!(found.message.contains(remedy), "{}", found.message);
    }

    #[test]
    fn what_keeps_a_container_from_running_is_told_with_what_to_do() {
        let waiting = |reason: &str| json!({ "name": "app", "image": "x:1", "state": { "waiting": { "reason": reason, "message": "no" } } });
        check(waiting("ErrImagePull"), "ImageNotPulled", "\"x:1\" of container app can't be pulled");
        check(waiting("ImagePullBackOff"), "ImageNotPulled", "registry-credentials");
        check(waiting("CreateContainerConfigError"), "ContainerNotStarted", "CreateContainerConfigError: no");
        let crashed = |code: i64, reason: &str| {
            json!({
                "name": "app", "ready": false, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                "lastState": { "terminated": { "exitCode": code, "reason": reason } },
            })
        };
        check(
            crashed(1, "Error"),
            "ContainerExited",
            "kubectl logs -n acme-shop-pr-1 web-1 -c app --previous",
        );
        check(crashed(137, "OOMKilled"), "ContainerKilled", "limits.memory");
    }

    #[test]
    fn a_pod_that_runs_or_is_about_to_is_no_trouble() {
        for status in [
            json!({}),
            json!({ "containerStatuses": [{ "name": "app", "state": { "waiting": { "reason": "ContainerCreating" } } }] }),
            json!({ "containerStatuses": [{ "name": "app", "ready": true, "state": { "running": {} },
                "lastState": { "terminated": { "exitCode": 1 } } }] }),
            json!({ "initContainerStatuses": [{ "name": "a", "state": { "terminated": { "exitCode": 0 } } }] }),
        ] {
            assert_eq!(
                trouble("a", &[json!({ "metadata": { "name": "a" }, "status": status })]),
                None,
                "{status}"
            );
        }
    }
}
