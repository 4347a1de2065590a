//! The group `catalyst.catalyst.dev`: projects of a team, and environments in which what a project consists of runs.
//!
//! Field names, labels and the names of namespaces are those of the operator that served this group before, so that its
//! objects go on; what is new is optional.

pub mod bounds;
mod config;
mod container;
mod environment;
mod git;
mod hierarchy;
mod image;
mod project;
mod quantity;
mod repository;
mod runner_role;
mod sum;
mod template;

pub use config::{EnvironmentConfig, InitContainer, Service, ServiceContainer, Volume, VolumeClaim};
pub use container::{EnvVar, Resources, ValueFrom};
pub use environment::{
    CONFIRM_ANNOTATION, DeploymentMode, Environment, EnvironmentPhase, EnvironmentSource, EnvironmentSpec,
    EnvironmentStatus, ID_ANNOTATION, ProjectRef, TARGET_FREE,
};
pub use git::Commit;
pub use hierarchy::{ENVIRONMENT_LABEL, Hierarchy, PROJECT_LABEL, TEAM_LABEL, namespace_of, sanitised};
pub use image::is_postgres;
pub use project::{Limits, Project, ProjectSpec, ProjectStatus, Quota, Source};
pub use quantity::Quantity;
pub use repository::{is_internal, is_internal_ip};
pub use runner_role::{GIT_ACCOUNT, RUNNER_ROLE, runner_rights};
pub use template::{Build, Template};

/// How the tokens of the services begin that repositories and images come from.
pub const SECRET_PREFIXES: &[&str] = &["ghp_", "ghs_", "github_pat_", "glpat-"];

crate::settings! {
    reserved_namespaces: Names,
        "Namespaces that no Environment may have as its own, beside default, kube-*, the ingress controller's and those that exist already";
    environment_id_setters: Names,
        "Users and groups that may set the annotation catalyst.dev/environment-id; unless it is set, anybody may, with a warning, and no secrets come of it";
    allow_internal_repositories: Switch,
        "Let repositories be at addresses inside the cluster and its network";
    allow_ssh_repositories: Switch,
        "Let repositories be at ssh addresses, from which nothing is fetched: for environments of images alone";
    allow_pat: Switch,
        "Let githubInstallationId be pat, a personal access token of the web application's";
    preview_domain: Text { default: "" },
        "The domain below which environments have their addresses; none has an address unless it is set";
    reserved_hosts: Names,
        "Hosts that no Environment may have, as its first part, such as www, or as a whole address";
    ingress_class: Text { default: "nginx" },
        "The IngressClass of environments";
    ingress_namespace: Text { default: "ingress-nginx" },
        "The namespace of the ingress controller, from which environments take requests";
    ingress_issuer: Text { default: "" },
        "The ClusterIssuer of cert-manager's that signs a certificate for each environment; without one, the ingress controller shows its own";
    egress_ports: Names,
        "The ports that environments reach outside of the cluster; 80 and 443 unless it is set";
    egress_internal: Names,
        "Networks inside of the cluster, such as 10.0.8.0/24, that environments reach on all ports; none unless it is set";
    workspace_image: Text { default: "docker.io/library/alpine:3.22" },
        "The image of workspaces";
    web_url: Text { default: "" },
        "The address of the web application, which has the secrets of environments and the tokens for repositories; nobody asks for them unless it is set";
    registry: Text { default: "" },
        "The registry that images are built into and pulled from, as host[:port][/prefix]; nothing is built unless it is set";
    registry_insecure: Switch,
        "Speak to the registry without TLS";
    builder: Text { default: "kaniko" },
        "What builds images: kaniko, or buildah, which takes user namespaces for pods (Kubernetes 1.33)";
    builder_image: Text { default: "" },
        "Its image; a fixed version of kaniko's living fork, or of buildah, unless it is set";
    git_image: Text { default: "docker.io/alpine/git:2.49.1" },
        "The image with git, wget and sh that fetches sources";
    deploy_image: Text { default: "docker.io/alpine/k8s:1.34.1" },
        "The image with helm, kubectl and sh that deploys what sources say";
    build_minutes: Number { least: 1, default: 30 },
        "How long a build may take";
    deploy_minutes: Number { least: 1, default: 10 },
        "How long a deployment may take, until what was deployed is ready";
    runner_networks: Names,
        "Networks inside of the cluster, such as 10.0.0.1/32, that builds and deployments reach on all ports: of the API server, the web application and the registry";
    max_ttl_days: Number { least: 1, default: 30 },
        "The longest ttl of an Environment, in days";
    max_quota_cpu: Number { least: 1, default: 64 },
        "The most CPUs in a Project's defaultQuota";
    max_quota_memory_gib: Number { least: 1, default: 256 },
        "The most memory in a Project's defaultQuota, in GiB";
    max_volumes: Number { least: 0, default: 10 },
        "The most volumes of an Environment";
    max_storage_gib: Number { least: 0, default: 50 },
        "The most storage that the volumes of an Environment ask for together, in GiB";
}

#[cfg(test)]
mod tests;
