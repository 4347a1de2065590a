//! One Job that deploys what a source says: a chart, a compose file, manifests, or what Kustomize makes of a folder.
//!
//! It runs with the rights of a ServiceAccount in the environment's namespace, and nowhere else: what a chart may not do there fails,
//! and nothing is ever cloned, rendered or applied with our own rights. Its containers, one after the other:
//!
//! | container | image | does |
//! |---|---|---|
//! | `git` | git | fetches the commit |
//! | `compose` | ours | makes manifests of a compose file |
//! | `deploy` | helm and kubectl | applies, all or nothing |
//! | `wait` | ours | waits until what was deployed is ready, and says why it is not |
//!
//! What the one that failed said last is the Job's [outcome]. Everything here is pure data.

pub(crate) mod compose;
pub(super) mod git;
mod job;
mod outcome;
mod pod;
mod values;
pub(crate) mod wait;

use std::{collections::BTreeMap, time::Duration};

use concierge_shared::{catalyst::DeploymentMode, common::words::hex};
use k8s_openapi::{
    ByteString,
    api::{
        batch::v1::Job,
        core::v1::{ConfigMap, Secret, ServiceAccount},
        rbac::v1::{RoleBinding, RoleRef, Subject},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use outcome::{JobOutcome, Step, outcome};
pub(super) use outcome::{Remedy, condition, ended, git_failure, killed, lost};
pub(super) use pod::{container, labels, mount};
pub use wait::said_of;

/// The ServiceAccount and its RoleBinding.
const ACCOUNT: &str = "runner";
/// The label of the runner's pods: they have to reach the API server and the repository.
pub const LABEL: (&str, &str) = ("catalyst.dev/runner", "true");

/// What is deployed, and where.
#[derive(Clone, Copy, Debug)]
pub struct RunnerInput<'a> {
    /// The environment's own namespace.
    pub namespace: &'a str,
    /// The environment's name: the chart's release is called by it.
    pub name: &'a str,
    /// Helm, DockerCompose, Manifest or Kustomize.
    pub mode: DeploymentMode,
    pub repository: &'a str,
    /// All 40 digits.
    pub commit: &'a str,
    /// Of the chart, the file or the folder in the source.
    pub path: &'a str,
    /// The GitHub App's installation that may read the repository.
    pub installation: Option<&'a str>,
    /// A chart's values.
    pub values: Option<&'a Value>,
    /// The environment's own variables: a chart finds them at `env`, a compose file puts them in place of `${NAME}`.
    pub variables: &'a BTreeMap<String, String>,
    /// The images that were built, by the names of their builds.
    pub images: &'a BTreeMap<String, String>,
    /// Another number makes another Job of the same.
    pub attempt: u32,
}

/// With what, and for how long.
#[derive(Clone, Debug)]
pub struct RunnerSettings {
    /// An image with git, sh and wget.
    pub git_image: String,
    /// An image with helm, kubectl and sh.
    pub deploy_image: String,
    /// Our own.
    pub concierge_image: String,
    /// The web application that has the tokens of repositories.
    pub web_url: Option<String>,
    /// The ClusterRole that the runner is bound to in its namespace.
    pub role: String,
    /// How long all of it may take.
    pub timeout: Duration,
    /// How long something may stand in the way of what was deployed before it is a failure.
    pub patience: Duration,
}

/// What is to be there, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct RunnerObjects {
    pub service_account: ServiceAccount,
    pub role_binding: RoleBinding,
    /// What is deployed is told by it, and may hold passwords.
    pub secret: Secret,
    pub job: Job,
}

/// The scripts of all runners and builds of a namespace.
pub fn scripts(namespace: &str) -> ConfigMap {
    let scripts = [
        ("git.sh", include_str!("scripts/git.sh")),
        ("credential.sh", include_str!("scripts/credential.sh")),
        ("helm.sh", include_str!("scripts/helm.sh")),
        ("apply.sh", include_str!("scripts/apply.sh")),
        ("buildah.sh", include_str!("scripts/buildah.sh")),
        ("checkout.sh", include_str!("scripts/checkout.sh")),
    ];
    let data = scripts.map(|(name, script)| (name.to_owned(), script.to_owned())).into();
    ConfigMap { metadata: named(namespace, git::SCRIPTS), data: Some(data), ..ConfigMap::default() }
}

/// How the names of the Jobs begin.
pub(super) const PREFIX: &str = "runner-";

/// What the names of the Jobs that deploy this begin with; the number of the attempt follows. Another image of a tool deploys nothing anew.
pub(super) fn base(input: &RunnerInput<'_>) -> String {
    format!("{PREFIX}{}", digest(input, &values::of(input)))
}

/// The Job, and what it needs beside the [scripts].
pub fn objects(input: &RunnerInput<'_>, settings: &RunnerSettings) -> RunnerObjects {
    let values = values::of(input);
    let name = format!("{PREFIX}{}", digest(input, &values));
    let data = [(values::KEY.to_owned(), ByteString(values.into_bytes()))].into();
    RunnerObjects {
        service_account: ServiceAccount {
            metadata: named(input.namespace, ACCOUNT),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        },
        role_binding: role_binding(input.namespace, &settings.role),
        secret: Secret { metadata: named(input.namespace, &name), data: Some(data), ..Secret::default() },
        job: job::of(input, settings, &name),
    }
}

fn role_binding(namespace: &str, role: &str) -> RoleBinding {
    RoleBinding {
        metadata: named(namespace, ACCOUNT),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".into(),
            kind: "ClusterRole".into(),
            name: role.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".into(),
            name: ACCOUNT.into(),
            namespace: Some(namespace.to_owned()),
            ..Subject::default()
        }]),
    }
}

fn named(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { namespace: Some(namespace.to_owned()), name: Some(name.to_owned()), ..ObjectMeta::default() }
}

/// Of all that makes a difference to what is deployed.
fn digest(input: &RunnerInput<'_>, values: &str) -> String {
    let RunnerInput { name, mode, repository, commit, path, installation, .. } = input;
    let text = format!("{:?}", (name, mode, repository, commit, path, installation, values));
    hex(&Sha256::digest(text)[..8])
}

#[cfg(test)]
mod tests;
