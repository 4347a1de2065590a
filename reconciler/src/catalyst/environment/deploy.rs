//! What a source says is deployed by the runner's Job, which is there once for each thing that is deployed, and again when it has failed.

use std::{collections::BTreeMap, time::Duration};

use concierge_runtime::cache::{ChildHealth, ChildKey};
use concierge_shared::catalyst::{DeploymentMode, RUNNER_ROLE};

use super::{
    basis::{Basis, Wishes},
    configured,
    part::{Again, Part, Trouble},
    pods,
    source::Sources,
};
use crate::{
    catalyst::{
        self,
        attempt::{self, Attempt, Failed},
        runner::{self, JobOutcome, RunnerInput, RunnerSettings},
    },
    engine::Failure,
};

/// How long something may stand in the way of what was deployed before it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// When pods that no longer run are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

pub(super) async fn wish(
    basis: &Basis<'_>,
    mode: DeploymentMode,
    sources: &Sources<'_>,
    wishes: &mut Wishes,
) -> Result<(), Failure> {
    let at = basis.deployed_from().and_then(|name| sources.get(name));
    let (Some(template), Some(at)) = (basis.template(), at) else {
        let message =
            "the Project has no template of this type with a source; add one, or use another deploymentMode";
        wishes.refuse(Part::Deployment, "TemplateMissing", message);
        return Ok(());
    };
    if basis.means.image.is_empty() {
        let message = "the image of Concierge is not known, which deploys what sources say; an operator starts the reconciler with --image";
        wishes.refuse(Part::Deployment, "NotConfigured", message);
        return Ok(());
    }
    let (images, variables) = (wishes.images.clone(), variables(basis));
    let input = RunnerInput {
        namespace: basis.place.namespace,
        name: basis.environment().metadata.name.as_deref().unwrap_or_default(),
        mode,
        repository: at.repository,
        commit: &at.commit,
        path: template.path.as_deref().unwrap_or_default(),
        installation: basis.installation(),
        values: template.values.as_ref(),
        variables: &variables,
        images: &images,
        attempt: 1,
    };
    run(basis, input, wishes).await?;
    configured::address(basis, wishes)
}

/// The variables of the configuration whose values stand there.
fn variables(basis: &Basis<'_>) -> BTreeMap<String, String> {
    let all = basis.config().env.unwrap_or_default();
    all.into_iter().filter_map(|one| Some((one.name, one.value?))).collect()
}

fn settings(basis: &Basis<'_>) -> RunnerSettings {
    let (settings, means) = (basis.place.settings, basis.means);
    let minutes = u64::try_from(settings.deploy_minutes).unwrap_or(1);
    RunnerSettings {
        git_image: settings.git_image.clone(),
        deploy_image: settings.deploy_image.clone(),
        concierge_image: means.image.clone(),
        web_url: means.remotes.web_address().map(str::to_owned),
        role: format!("{}{RUNNER_ROLE}", means.role_prefix),
        timeout: Duration::from_secs(60 * minutes),
        patience: PATIENCE,
    }
}

/// Wants the Job, and what it needs, unless it is there.
async fn run(basis: &Basis<'_>, input: RunnerInput<'_>, wishes: &mut Wishes) -> Result<(), Failure> {
    let (environment, base) = (basis.environment(), runner::base(&input));
    let attempt = attempt::of(basis.ctx, environment, basis.known, &base).await?;
    let number = if let Attempt::Due(number) = attempt { number } else { 1 };
    let objects = runner::objects(&RunnerInput { attempt: number, ..input }, &settings(basis));
    wishes.add(environment, Part::Deployment, &objects.service_account)?;
    wishes.add(environment, Part::Deployment, &objects.role_binding)?;
    wishes.add(environment, Part::Deployment, &objects.secret)?;
    match attempt {
        Attempt::Done(key) => {
            wishes.kept.push(key);
            let pods = catalyst::pods::of(basis.ctx, basis.place.namespace, "").await?;
            wishes.troubles.extend(pods::trouble_since(&pods, Again::After(LOOK_AGAIN)));
        }
        Attempt::Runs(key) => {
            wishes.wait(Part::Deployment, format!("waits for {key}, which deploys commit {}", input.commit));
            wishes.kept.push(key);
        }
        Attempt::Failed(failed) => {
            wishes.troubles.push(trouble(&input, &failed));
            wishes.kept.push(failed.key);
        }
        Attempt::Due(_) => match other(basis, &base) {
            // It goes first, since two at a time would undo each other's work.
            Some(key) => {
                let message = format!(
                    "waits until {key}, which is out of date, and its pod are gone; if the pod's node is lost, delete the Node"
                );
                wishes.wait(Part::Deployment, message)
            }
            None => wishes.add(environment, Part::Deployment, &objects.job)?,
        },
    }
    Ok(())
}

/// A Job that deploys something else now.
fn other<'a>(basis: &Basis<'a>, base: &str) -> Option<&'a ChildKey> {
    let mut all = attempt::jobs(basis.known, runner::PREFIX);
    let other = all.find(|(key, seen, _)| {
        let is_same = key.name.strip_prefix(base).is_some_and(|rest| rest.starts_with('-'));
        !is_same && matches!(seen.health, ChildHealth::Progressing(_))
    });
    other.map(|(key, ..)| key)
}

fn trouble(input: &RunnerInput<'_>, failed: &Failed) -> Trouble {
    let (reason, message) = match runner::outcome(input, &failed.job, &failed.pods) {
        JobOutcome::Failed { reason, message, .. } => (reason, message),
        JobOutcome::Running | JobOutcome::Deployed => {
            ("RunnerLost", "the Job changed while it was looked at".into())
        }
    };
    let trouble = Trouble::lasting(Part::Deployment, reason, failed.with_next(&message));
    Trouble { again: Some(Again::At(failed.again)), ..trouble }
}
