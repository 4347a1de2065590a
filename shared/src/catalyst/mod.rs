//! The group `catalyst.catalyst.dev`: projects of a team, and environments in which what a project consists of runs.
//!
//! Field names, labels and the names of namespaces are those of the operator that served this group before, so that its
//! objects go on; what is new is optional.

mod any;
mod config;
mod container;
mod environment;
mod git;
mod hierarchy;
mod image;
mod project;
mod quantity;
mod repository;
mod sum;
mod template;

pub use config::{EnvironmentConfig, InitContainer, Service, ServiceContainer, Volume, VolumeClaim};
pub use container::{EnvVar, Resources, ValueFrom};
pub use environment::{
    CONFIRM_ANNOTATION, DeploymentMode, Environment, EnvironmentPhase, EnvironmentSource, EnvironmentSpec,
    EnvironmentStatus, ID_ANNOTATION, ProjectRef,
};
pub use hierarchy::{ENVIRONMENT_LABEL, Hierarchy, PROJECT_LABEL, TEAM_LABEL, namespace_of, sanitised};
pub use project::{Limits, Project, ProjectSpec, ProjectStatus, Quota, Source};
pub use quantity::Quantity;
pub use repository::{is_internal, is_internal_ip};
pub use template::{Build, Template};

/// How the tokens of the services begin that repositories and images come from.
pub const SECRET_PREFIXES: &[&str] = &["ghp_", "ghs_", "github_pat_", "glpat-"];

crate::settings! {
    reserved_namespaces: Names,
        "Namespaces that no Environment may have as its own, beside default, kube-* and those that exist already";
    environment_id_setters: Names,
        "Users and groups that may set the annotation catalyst.dev/environment-id; anybody may, with a warning, unless it is set";
    allow_internal_repositories: Switch,
        "Let repositories be at addresses inside the cluster and its network";
    allow_ssh_repositories: Switch,
        "Let repositories be at ssh addresses";
    allow_pat: Switch,
        "Let githubInstallationId be pat, a personal access token of the web application's";
    max_ttl_days: Number { least: 1, default: 30 },
        "The longest ttl of an Environment, in days";
    max_quota_cpu: Number { least: 1, default: 64 },
        "The most CPUs in a Project's defaultQuota";
    max_quota_memory_gib: Number { least: 1, default: 256 },
        "The most memory in a Project's defaultQuota, in GiB";
}

#[cfg(test)]
mod tests;
