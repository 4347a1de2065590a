//! A project: what is deployed, and how.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use validator::Validate;

use super::{
    config::{self, config_secrets},
    git,
    hierarchy::is_reserved,
    quantity,
    template::Template,
};
use crate::{
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
        review::Review,
        rule::AdmissionRule,
    },
    common::any::any,
    field::at,
    kind::Kind,
    rules, status,
};

mod sources;
mod templates;
mod used;

pub use self::sources::Source;
pub(super) use self::used::{source_key, template_key};

/// What a project consists of.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "catalyst.catalyst.dev",
    version = "v1alpha1",
    kind = "Project",
    plural = "projects",
    namespaced,
    status = "ProjectStatus",
    category = "catalyst",
    doc = "A project of a team: the repositories that it is in, and how its environments are deployed.",
    printcolumn(name = "Source", type_ = "string", json_path = ".spec.sources[0].name"),
    printcolumn(name = "Branch", type_ = "string", json_path = ".spec.sources[0].branch"),
    printcolumn(name = "Environments", type_ = "integer", json_path = ".status.environments"),
    printcolumn(name = "Most", type_ = "integer", json_path = ".spec.environments.max"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ProjectSpec {
    /// The number of the GitHub App's installation, as text, or pat. Needed when images are built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub github_installation_id: Option<String>,
    /// The repositories that the project is in; at least one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub sources: Vec<Source>,
    /// How environments are deployed, by their type: development, deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 20))]
    pub templates: Option<BTreeMap<String, Template>>,
    /// What environments may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ProjectResources>,
    /// How many environments there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub environments: Option<Limits>,
    /// Kept for whoever wrote it. Concierge sets up no monitoring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub monitoring: Option<Value>,
}

/// What environments may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectResources {
    /// What all containers of an environment may use together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_quota: Option<Quota>,
}

/// Amounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// CPUs, for instance 4 or 500m, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub cpu: Option<String>,
    /// Memory, for instance 8Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub memory: Option<String>,
}

/// How many environments there may be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Limits {
    /// The most Environments that may refer to the project at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1000, code = "catalyst.project.environments-max"))]
    pub max: Option<i64>,
}

status! {
    /// What Concierge found out about a project.
    pub struct ProjectStatus() {
        /// How many Environments refer to it.
        pub environments: Option<i64>,
    }
}

rules! {
    use config::RULES, git::RULES;
    SOURCES = Deny "catalyst.project.sources", "A Project has at least one source, and each has a name of its own.";
    SOURCE_NAME = Warn "catalyst.project.source-name", "A source's name has small letters, digits and '-'.";
    REPOSITORY_URL = Deny "catalyst.project.repository-url", "A repository is at an https address, inside the cluster also at an http address, or at an ssh address where an operator allows it, without credentials.";
    INTERNAL = Deny "catalyst.project.internal", "A repository is not inside the cluster, its network or the machine itself, unless an operator allows it.";
    SAME_REPOSITORY = Warn "catalyst.project.same-repository", "No two Projects of a namespace have the same repository.";
    INSTALLATION = Deny "catalyst.project.installation", "githubInstallationId is a number or pat, and is there when templates have builds.";
    PAT = Warn "catalyst.project.pat", "githubInstallationId is pat only where an operator allows it.";
    TEMPLATES = Deny "catalyst.project.templates", "A template's name has up to 63 small letters, digits and '-'.";
    TEMPLATE_TYPE = Warn "catalyst.project.template-type", "A template is of type helm, docker-compose, manifest or kustomize.";
    TEMPLATE_SOURCE = Deny "catalyst.project.template-source", "A template that deploys from a source, and a build, name one of the sources.";
    PATH = Deny "catalyst.project.path", "A path stays in its source: no '..', no control characters, no '-' in front.";
    PATH_ROOTED = Warn "catalyst.project.path-rooted", "A path is relative to its source, without '/' in front.";
    BUILDS = Deny "catalyst.project.builds", "Builds have names of up to 40 small letters, digits and '-', each once in a template.";
    VALUES = Deny "catalyst.project.values", "A chart's values are a map.";
    QUOTA = Deny "catalyst.project.quota", "A defaultQuota is more than nothing, and no more than an operator allows.";
    ENVIRONMENTS_MAX = Deny "catalyst.project.environments-max", "A Project has from 1 to 1000 environments at a time.";
    MONITORING = Warn "catalyst.project.monitoring", "Concierge sets up no monitoring.";
    NAMESPACE = Warn "catalyst.project.namespace", "A Project is in its team's namespace, not in one of the cluster's own.";
    SOURCE_USED = Deny "catalyst.project.source-used", "A source is removed after the Environments that use it.";
    TEMPLATE_USED = Deny "catalyst.project.template-used", "A template is removed after the Environments that use it.";
    REPOSITORY_MOVED = Warn "catalyst.project.repository-moved", "A source's repository stays the same while Environments use it.";
    IN_USE = Deny "catalyst.project.in-use", "A Project is deleted after its Environments, in whichever namespace they are.";
}

impl Kind for Project {
    const NAME: &'static str = "Project";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    /// Environments are in namespaces of their own.
    const IMPLIED_REFERRERS: bool = true;
    const SECRET_FIELDS: &'static [&'static str] =
        config_secrets!("spec.templates{}.config", "spec.sources[].repositoryUrl", "spec.templates{}.values");
    /// No more than Deployments, which those see who may only view.
    const CONFIDENTIAL: bool = false;

    fn fill_defaults(&mut self, _: &mut Fill) {}

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        sources::check(review, problems);
        check_installation(review, problems);
        if let Some(templates) = &spec.templates {
            let sources = spec.sources.iter().map(|source| source.name.as_str()).collect();
            templates::check(templates, &sources, spec.github_installation_id.as_deref(), problems);
        }
        check_quota(review, problems);
        if spec.monitoring.is_some() {
            let message = "is kept, and nothing comes of it: Concierge sets up no monitoring; remove it, or set that up beside Concierge";
            problems.add(&MONITORING, Cause::NotSupported, "spec.monitoring", message);
        }
        if is_reserved(review.namespace, &review.settings.catalyst) {
            let message = "is one of the cluster's own; move the Project to its team's namespace";
            problems.add(&NAMESPACE, Cause::Invalid, "metadata.namespace", message);
        }
        sources::check_same_repository(review, problems);
        if let Some(old) = review.old {
            used::check_change(review, old, problems);
        }
    }

    fn index_keys(&self) -> Vec<String> {
        sources::keys(self)
    }
}

fn check_installation(review: &Review<'_, Project>, problems: &mut Problems) {
    let field = "spec.githubInstallationId";
    match review.object.spec.github_installation_id.as_deref() {
        None | Some("") => {}
        Some("pat") if review.settings.catalyst.allow_pat => {}
        Some("pat") => {
            let message = "is a personal access token of the web application's, which no operator has allowed; write the number of the GitHub App's installation";
            problems.add(&PAT, Cause::Forbidden, field, message);
        }
        Some(id) if !id.bytes().all(|byte| byte.is_ascii_digit()) => {
            let message = "is neither a number nor pat; write the number of the GitHub App's installation";
            problems.add(&INSTALLATION, Cause::Invalid, field, message);
        }
        Some(_) => {}
    }
}

const GIB: u128 = 1024 * 1024 * 1024 * 1_000_000_000;

fn check_quota(review: &Review<'_, Project>, problems: &mut Problems) {
    let resources = review.object.spec.resources.as_ref();
    let Some(quota) = resources.and_then(|resources| resources.default_quota.as_ref()) else { return };
    let settings = &review.settings.catalyst;
    let most = |number: i64, unit: u128| u128::try_from(number).unwrap_or(0).saturating_mul(unit);
    for (name, amount, most, shown) in [
        (
            "cpu",
            &quota.cpu,
            most(settings.max_quota_cpu, 1_000_000_000),
            format!("{}", settings.max_quota_cpu),
        ),
        (
            "memory",
            &quota.memory,
            most(settings.max_quota_memory_gib, GIB),
            format!("{}Gi", settings.max_quota_memory_gib),
        ),
    ] {
        let Some(amount) = amount else { continue };
        let message = match quantity::nanos(amount) {
            None | Some(0) => "is no amount; write for instance 4 for CPUs and 8Gi for memory".to_owned(),
            Some(amount) if amount > most => {
                format!("is more than {shown}, the most that an operator allows; lower it")
            }
            Some(_) => continue,
        };
        problems.add(&QUOTA, Cause::Invalid, at("spec.resources.defaultQuota").field(name), message);
    }
}
