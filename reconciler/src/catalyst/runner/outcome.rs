//! What came of a Job, in words for whoever reads the Environment's conditions.

use concierge_shared::{
    catalyst::{DeploymentMode, SECRET_PREFIXES},
    common::secret::is_secret,
};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{ContainerStateTerminated, ContainerStatus, Pod},
};
use serde_json::{Value, json};

use super::RunnerInput;
use crate::{
    catalyst::obstacle::{self, Obstacle},
    common::redaction::{Prefixes, Redaction},
};

/// What came of a Job so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    Running,
    Deployed,
    Failed {
        /// Where it came to.
        step: Step,
        reason: &'static str,
        /// What happened, and what to do about it. It holds no secret that the input has.
        message: String,
    },
}

/// A part of the Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetching the source.
    Git,
    /// Reading the compose file.
    Compose,
    /// Applying.
    Deploy,
    /// Waiting for what was deployed.
    Wait,
}

/// What came of `job`; `pods` are those of the Job, and of no use before it has failed.
pub fn outcome(input: &RunnerInput<'_>, job: &Job, pods: &[Pod]) -> JobOutcome {
    match condition(job, "Failed") {
        _ if condition(job, "Complete").is_some() => JobOutcome::Deployed,
        None => JobOutcome::Running,
        Some(reason) => match pods.iter().rev().find_map(failed) {
            Some((step, ended)) => failure(input, step, ended),
            None => {
                let (reason, message) = lost(job, &reason);
                JobOutcome::Failed { step: Step::Deploy, reason, message }
            }
        },
    }
}

/// The reason of a condition that is true.
pub(in crate::catalyst) fn condition(job: &Job, kind: &str) -> Option<String> {
    let all = job.status.as_ref()?.conditions.as_ref()?;
    let one = all.iter().find(|one| one.type_ == kind && one.status == "True")?;
    Some(one.reason.clone().unwrap_or_default())
}

/// The container that ended the Job.
fn failed(pod: &Pod) -> Option<(Step, &ContainerStateTerminated)> {
    let status = pod.status.as_ref()?;
    let all = [&status.init_container_statuses, &status.container_statuses];
    all.into_iter().flatten().flatten().find_map(|one| Some((step(one)?, ended(one)?)))
}

fn step(container: &ContainerStatus) -> Option<Step> {
    match container.name.as_str() {
        "git" => Some(Step::Git),
        "compose" => Some(Step::Compose),
        "deploy" => Some(Step::Deploy),
        "wait" => Some(Step::Wait),
        _ => None,
    }
}

/// How a container ended that went wrong.
pub(in crate::catalyst) fn ended(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    container.state.as_ref()?.terminated.as_ref().filter(|ended| ended.exit_code != 0)
}

fn failure(input: &RunnerInput<'_>, step: Step, ended: &ContainerStateTerminated) -> JobOutcome {
    let words = without_secrets(input, ended.message.as_deref().unwrap_or_default().trim());
    let too_large = "the runner was killed, most likely for lack of memory: what it deploys is too large";
    let (reason, remedy) = killed(ended, too_large).unwrap_or_else(|| match step {
        Step::Git => git_failure(&words),
        Step::Compose => ("InvalidComposeFile", "correct the compose file"),
        Step::Deploy => obstacle::of_refusal(&words)
            .map_or_else(|| by_mode(input.mode), |(obstacle, remedy)| (obstacle.reason(), remedy)),
        // It tells a remedy itself.
        Step::Wait => (Obstacle::of_exit_code(ended.exit_code).reason(), ""),
    });
    let message = match (words.is_empty(), remedy) {
        (false, "") => words,
        (true, remedy) => format!("the runner ended with exit code {}; {remedy}", ended.exit_code),
        (false, remedy) => format!("{words}; {remedy}"),
    };
    JobOutcome::Failed { step, reason, message }
}

/// The Job ended for `reason`, and nothing of it is left to be asked.
pub(in crate::catalyst) fn lost(job: &Job, reason: &str) -> (&'static str, String) {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    match reason {
        "DeadlineExceeded" => (
            "DeadlineExceeded",
            format!(
                "Job {name} did not end in time; are its images there, the quota large enough, and the repository within reach?"
            ),
        ),
        _ => ("RunnerLost", format!("the pod of Job {name} is gone, and nothing is known of its end")),
    }
}

/// A reason, and what to do.
pub(in crate::catalyst) type Remedy = (&'static str, &'static str);

/// That a container was killed, if it was.
pub(in crate::catalyst) fn killed(ended: &ContainerStateTerminated, remedy: &'static str) -> Option<Remedy> {
    (ended.exit_code == 137).then_some((Obstacle::ContainerKilled.reason(), remedy))
}

/// What these words of git mean.
pub(in crate::catalyst) fn git_failure(words: &str) -> Remedy {
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["not our ref", "remote ref", "unadvertised"]) {
        ("CommitNotFound", "the repository has no such commit; was it pushed, and not replaced since?")
    } else if has(&["no token", "Authentication failed", "could not read", "403", "401"]) {
        (
            "RepositoryDenied",
            "correct the Project's githubInstallationId, and install the App in the repository",
        )
    } else if has(&["not found"]) {
        ("RepositoryNotFound", "correct the source's repositoryUrl in the Project")
    } else {
        ("SourceUnavailable", "is the repository within reach of the environment's namespace?")
    }
}

fn by_mode(mode: DeploymentMode) -> Remedy {
    match mode {
        DeploymentMode::Helm => ("ChartFailed", "correct the chart, or the template's values"),
        DeploymentMode::DockerCompose => ("InvalidComposeFile", "correct the compose file"),
        _ => ("ManifestsFailed", "correct the manifests"),
    }
}

/// `words` as one line of bounded length, without what the input calls a secret.
fn without_secrets(input: &RunnerInput<'_>, words: &str) -> String {
    let mut secrets = Vec::new();
    let variables = input.variables.iter().filter(|(name, value)| is_secret(name, value));
    secrets.extend(variables.map(|(_, value)| value.clone()));
    collect("", input.values.unwrap_or(&Value::Null), &mut secrets);
    let body = json!(secrets).to_string();
    let prefixes = Prefixes { secrets: SECRET_PREFIXES, ids: &[] };
    Redaction::new(prefixes, "", Some(body.as_bytes())).apply(words)
}

fn collect(name: &str, value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::String(text) if is_secret(name, text) => secrets.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(name, item, secrets)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(name, value, secrets)),
        _ => {}
    }
}
