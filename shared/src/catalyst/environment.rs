//! An environment: a namespace in which a project runs, as it is at a commit.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::Job,
    core::v1::{
        ConfigMap, LimitRange, Namespace, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service,
        ServiceAccount,
    },
    networking::v1::{Ingress, NetworkPolicy},
    rbac::v1::RoleBinding,
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use validator::Validate;

use super::{
    config::{self, EnvironmentConfig, config_secrets},
    git,
    hierarchy::{Hierarchy, LABELS},
    runner_role::{GIT_ACCOUNT, RUNNER_ROLE, runner_rights},
};
use crate::{
    access::{Access, BoundRole},
    admission::{
        claim::Claim, defaults::Fill, problem::Problems, reference::Reference, review::Review,
        rule::AdmissionRule,
    },
    child::Child,
    common::any::any,
    field::at,
    kind::Kind,
    rules, status,
};

mod checks;
mod deletion;
mod id;
mod identity;
mod mode;
mod needed;
mod of_project;
mod target;

pub use deletion::CONFIRM_ANNOTATION;
pub use id::ID_ANNOTATION;
pub use mode::DeploymentMode;

/// What an environment is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "catalyst.catalyst.dev",
    version = "v1alpha1",
    kind = "Environment",
    plural = "environments",
    namespaced,
    status = "EnvironmentStatus",
    category = "catalyst",
    doc = "An environment: a namespace of its own in which a project runs, as it is at a commit or on a branch.",
    printcolumn(name = "Project", type_ = "string", json_path = ".spec.projectRef.name"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.deploymentMode"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".status.namespace", priority = 1),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expiresAt", priority = 1),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSpec {
    /// The Project, in the namespace of the team that the label catalyst.dev/team names. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another Environment instead"))]
    pub project_ref: ProjectRef,
    /// The name of one of the Project's templates: development, deployment, staging or production. It never changes.
    #[serde(rename = "type")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another Environment instead"))]
    pub kind: String,
    /// workspace, development, production, helm or docker-compose; what the template's type says when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub deployment_mode: Option<String>,
    /// What of the project's sources is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    #[schemars(length(max = 50))]
    pub sources: Option<Vec<EnvironmentSource>>,
    /// How containers run, where it differs from the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<EnvironmentConfig>,
    /// How long the environment lives, for instance 72h or 14d; as long as its object when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub ttl: Option<String>,
    /// The first part of the environment's address, in the operator's domain. The environment's namespace when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub host: Option<String>,
    /// Whether the environment is kept from being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<bool>,
    /// No longer used: write sources, a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub source: Option<Value>,
    /// No longer used: write host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub ingress: Option<Value>,
}

/// A Project in the team's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectRef {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// What of a source is deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSource {
    /// The source's name in the Project.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The commit, with all 40 digits; the branch's newest when it is empty or HEAD.
    #[schemars(length(max = 64))]
    pub commit_sha: String,
    /// The branch.
    #[schemars(length(max = git::MAX_BRANCH))]
    pub branch: String,
    /// The number of the pull request, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, code = "catalyst.environment.pr-number"))]
    pub pr_number: Option<i64>,
}

/// Where an environment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EnvironmentPhase {
    /// Not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// Its namespace is made.
    Provisioning,
    /// Its images are built.
    Building,
    /// Its workloads start.
    Deploying,
    /// All is well.
    Ready,
    /// It ran, and something is wrong now.
    Degraded,
    /// Something must be mended first.
    Failed,
    /// It is deleted, with its namespace.
    Terminating,
}

status! {
    /// What Concierge found out about an environment.
    pub struct EnvironmentStatus() {
        /// Where the environment stands, in one word.
        pub phase: Option<EnvironmentPhase>,
        /// Its address.
        pub url: Option<String>,
        /// Its namespace.
        pub namespace: Option<String>,
        /// The uid of its namespace.
        pub namespace_uid: Option<String>,
        /// The images that run, by container.
        #[schemars(extend("maxProperties" = 200, "additionalProperties" = {"type": "string", "maxLength": 512}))]
        pub images: Option<BTreeMap<String, String>>,
        /// The commits that are deployed, by source.
        #[schemars(extend("maxProperties" = 50, "additionalProperties" = {"type": "string", "maxLength": 64}))]
        pub commits: Option<BTreeMap<String, String>>,
        /// When it is deleted by itself, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub expires_at: Option<String>,
    }
}

rules! {
    use config::RULES, git::RULES;
    NAME = Deny "catalyst.environment.name", "An Environment's name has up to 63 small letters, digits and '-', and up to 53 when Helm deploys it.";
    LABELS_RULE = Deny "catalyst.environment.labels", "The labels catalyst.dev/team, catalyst.dev/project and catalyst.dev/environment say whose the Environment is, in small letters, digits and single '-'; the last is its name.";
    PROJECT_LABEL_RULE = Warn "catalyst.environment.project-label", "The label catalyst.dev/project is the name of the Project.";
    NAMESPACE = Warn "catalyst.environment.namespace", "An Environment is in the namespace TEAM-PROJECT.";
    TARGET_NAME = Deny protects_others "catalyst.environment.target-name", "The namespace TEAM-PROJECT-ENVIRONMENT can be a namespace, and is none of the cluster's own.";
    TARGET_FREE = Deny protects_others "catalyst.environment.target-free", "The namespace of an Environment is not there yet, or was made for it.";
    TARGET_UNIQUE = Deny protects_others "catalyst.environment.target-unique", "No two Environments have the same namespace.";
    HOST = Deny "catalyst.environment.host", "A host has up to 63 small letters, digits and '-'.";
    HOST_FREE = Deny protects_others "catalyst.environment.host-free", "A host is none that an operator reserves.";
    HOST_UNIQUE = Deny protects_others "catalyst.environment.host-unique", "No two Environments have the same host.";
    PROJECT_EXISTS = Deny protects_others "catalyst.environment.project-exists", "The Project of an Environment exists in the team's namespace, and whoever asks may read it there.";
    PROJECT_FULL = Deny "catalyst.environment.project-full", "A Project has no more Environments than its environments.max. Those that are created at the same instant may pass.";
    TYPE = Deny "catalyst.environment.type", "An Environment's type is one of the Project's templates, except for a workspace.";
    MODE = Deny "catalyst.environment.mode", "A deploymentMode is workspace, development, production, helm or docker-compose, and fits the type of the template.";
    CONTAINER = Deny "catalyst.environment.container", "The modes development and production have an image, and development has a port, in the template's config or the Environment's.";
    QUOTA = Warn "catalyst.environment.quota", "What the containers may use together fits in the Project's defaultQuota.";
    SOURCES = Deny "catalyst.environment.sources", "Each source has a name of its own.";
    SOURCE_KNOWN = Warn "catalyst.environment.source-known", "A source is one of the Project's.";
    COMMIT = Deny "catalyst.environment.commit", "A commit is empty, HEAD, or has 7 to 40 hexadecimal digits.";
    COMMIT_SHORT = Warn "catalyst.environment.commit-short", "A commit has all 40 digits.";
    PR_NUMBER = Deny "catalyst.environment.pr-number", "A pull request's number is 1 or more.";
    TTL = Deny "catalyst.environment.ttl", "A ttl is a number of minutes, hours or days, from 10m to as many days as an operator allows.";
    ID_FORM = Deny "catalyst.environment.id", "The annotation catalyst.dev/environment-id has up to 63 letters, digits and '-'.";
    ID_SETTER = Deny protects_others "catalyst.environment.id-setter", "The annotation catalyst.dev/environment-id is set by the users and groups that an operator names.";
    ID_ANYBODY = Warn "catalyst.environment.id-anybody", "An operator has named the users and groups that may set the annotation catalyst.dev/environment-id.";
    ID_IMMUTABLE = Deny protects_others "catalyst.environment.id-immutable", "The annotation catalyst.dev/environment-id never changes once it is set.";
    IMMUTABLE = Deny "catalyst.environment.immutable", "An Environment's Project, labels, type and deploymentMode never change.";
    SOURCE_FIELD = Warn "catalyst.environment.source-field", "What is deployed stands in sources, a list; source is no longer used.";
    INGRESS_FIELD = Warn "catalyst.environment.ingress-field", "The address stands in host; ingress is no longer used.";
    PROTECTED = Deny "catalyst.environment.protected", "An Environment with protect: true is not deleted.";
    CONFIRM_DELETE = Deny "catalyst.environment.confirm-delete", "An Environment of type production is deleted once the annotation concierge.dev/confirm-delete names it.";
}

impl Kind for Environment {
    const NAME: &'static str = "Environment";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ASKED_ON_DELETE: bool = true;
    /// They say whose it is, and where it runs.
    const READ_LABELS: &'static [&'static str] = LABELS;
    const READ_ANNOTATIONS: &'static [&'static str] = &[ID_ANNOTATION];
    /// Those whose ttl is over.
    const ACCESS: &'static [Access] =
        &[Access { group: "catalyst.catalyst.dev", resource: "environments", verbs: &["delete"] }];
    const CHILDREN: &'static [Child] = &[
        Child::of::<Namespace>(),
        Child::of::<LimitRange>(),
        Child::of::<ResourceQuota>(),
        Child::of::<NetworkPolicy>(),
        Child::of::<ServiceAccount>(),
        Child::of::<RoleBinding>(),
        Child::of::<Secret>(),
        Child::of::<ConfigMap>(),
        Child::of::<PersistentVolumeClaim>(),
        Child::of::<Service>(),
        Child::of::<Job>(),
        Child::of::<Pod>(),
        Child::of::<StatefulSet>(),
        Child::of::<Deployment>(),
        Child::of::<Ingress>(),
    ];
    const BINDS: &'static [BoundRole] = &[BoundRole { name: RUNNER_ROLE, rights: runner_rights }];
    const ACTS_AS: &'static [&'static str] = &[GIT_ACCOUNT];
    const SECRET_FIELDS: &'static [&'static str] = config_secrets!("spec.config");
    /// No more than Deployments, which those see who may only view.
    const CONFIDENTIAL: bool = false;

    fn fill_defaults(&mut self, _: &mut Fill) {}

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        problems.add_invalid_fields(&**review.object);
        identity::check(review, problems);
        target::check(review, problems);
        checks::check(review, problems);
        of_project::check(review, problems);
        id::check(review, problems);
        if let Some(config) = &review.object.spec.config {
            config.check(&at("spec.config"), problems);
        }
    }

    fn check_deletion(review: &Review<'_, Self>, problems: &mut Problems) {
        deletion::check(review, problems);
    }

    /// Also where it was before somebody took its labels away.
    fn child_namespaces(&self) -> Vec<String> {
        let target = self.hierarchy().and_then(|of| of.target_namespace());
        let made = self.status.as_ref().and_then(|status| status.namespace.clone());
        target.into_iter().chain(made).collect()
    }

    fn references(&self) -> Vec<Reference> {
        self.project_reference().into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        target::claims(self)
    }

    fn index_keys(&self) -> Vec<String> {
        of_project::keys(self)
    }
}

impl Environment {
    /// Whose it is; `None` when a label is missing.
    pub fn hierarchy(&self) -> Option<Hierarchy<'_>> {
        Hierarchy::of(&self.metadata)
    }
}
