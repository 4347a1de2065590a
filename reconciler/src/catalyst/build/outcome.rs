//! What came of a Job, in words for whoever reads the Environment's conditions.

use concierge_shared::catalyst::SECRET_PREFIXES;
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{ContainerStateTerminated, Pod},
};

use crate::{
    catalyst::runner::{Remedy, condition, ended, git_failure, killed, lost},
    common::redaction::{Prefixes, Redaction},
};

/// Why a build failed: a reason of one word, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::catalyst) struct BuildFailure {
    pub(in crate::catalyst) reason: &'static str,
    pub(in crate::catalyst) message: String,
}

/// Why `job`, which has failed, did; `pods` are its own.
pub(in crate::catalyst) fn outcome(build: &str, job: &Job, pods: &[Pod]) -> BuildFailure {
    let Some((container, end)) = pods.iter().rev().find_map(failed) else {
        let (reason, message) = lost(job, &condition(job, "Failed").unwrap_or_default());
        return BuildFailure { reason, message: format!("build {build}: {message}") };
    };
    let prefixes = Prefixes { secrets: SECRET_PREFIXES, ids: &[] };
    let words = end.message.as_deref().unwrap_or_default().trim();
    let words = Redaction::new(prefixes, "", None).apply(words);
    let too_large = "it was killed, most likely for lack of memory; raise limits.memory in its resources";
    let (reason, remedy) = killed(end, too_large).unwrap_or_else(|| match container {
        "git" => git_failure(&words),
        _ => of_builder(&words),
    });
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let said = if words.is_empty() { format!("exit code {}", end.exit_code) } else { words };
    BuildFailure {
        reason,
        message: format!("build {build} (Job {name}, container {container}): {said}; {remedy}"),
    }
}

/// The container that ended the Job.
fn failed(pod: &Pod) -> Option<(&str, &ContainerStateTerminated)> {
    let status = pod.status.as_ref()?;
    let all = [&status.init_container_statuses, &status.container_statuses];
    all.into_iter().flatten().flatten().find_map(|one| Some((one.name.as_str(), ended(one)?)))
}

fn of_builder(words: &str) -> Remedy {
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["UNAUTHORIZED", "DENIED", "unauthorized", "denied: ", "authentication required"]) {
        (
            "RegistryDenied",
            "put credentials that may push into the Secret registry-credentials beside the Project",
        )
    } else if has(&["resolving dockerfile path", "no \"", "please provide a valid path to a Dockerfile"]) {
        ("DockerfileMissing", "correct the build's dockerfile or path in the Project")
    } else if has(&["no such host", "connection refused", "i/o timeout", "no route to host"]) {
        ("RegistryUnavailable", "is the registry within reach of the environment's namespace?")
    } else {
        ("BuildFailed", "correct the Dockerfile; its log tells more")
    }
}
