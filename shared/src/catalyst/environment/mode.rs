//! How an environment is deployed.

use super::{EnvironmentSpec, MODE};
use crate::{
    admission::problem::{Cause, Problems},
    catalyst::template::Template,
};

/// How an environment is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentMode {
    /// A container to work in.
    Workspace,
    /// A container that sees the source.
    Development,
    /// A container of an image.
    Production,
    /// A chart.
    Helm,
    /// What a compose file says.
    DockerCompose,
    /// The manifests of a folder.
    Manifest,
    /// What Kustomize makes of a folder.
    Kustomize,
}

/// Those that a user may choose; the others follow from the template.
const CHOSEN: [(&str, DeploymentMode); 5] = [
    ("workspace", DeploymentMode::Workspace),
    ("development", DeploymentMode::Development),
    ("production", DeploymentMode::Production),
    ("helm", DeploymentMode::Helm),
    ("docker-compose", DeploymentMode::DockerCompose),
];

impl DeploymentMode {
    /// The mode that the Environment names; `None` when it names none, or one that does not exist.
    pub fn chosen(spec: &EnvironmentSpec) -> Option<Self> {
        let name = spec.deployment_mode.as_deref()?;
        CHOSEN.iter().find(|(chosen, _)| *chosen == name).map(|(_, mode)| *mode)
    }

    /// How an Environment with this template is deployed.
    pub fn of(spec: &EnvironmentSpec, template: Option<&Template>) -> Self {
        let of_template = || match template.filter(|template| template.is_in_source())?.kind.as_str() {
            "helm" => Some(Self::Helm),
            "docker-compose" => Some(Self::DockerCompose),
            "manifest" => Some(Self::Manifest),
            "kustomize" => Some(Self::Kustomize),
            _ => None,
        };
        let of_type = || match spec.kind.as_str() {
            "development" => Self::Development,
            "deployment" | "staging" | "production" => Self::Production,
            _ => Self::Workspace,
        };
        Self::chosen(spec).or_else(of_template).unwrap_or_else(of_type)
    }

    /// The type that a template has to have.
    pub(super) fn template_type(self) -> Option<&'static str> {
        match self {
            Self::Helm => Some("helm"),
            Self::DockerCompose => Some("docker-compose"),
            _ => None,
        }
    }
}

/// Adds a problem when the mode does not exist.
pub(super) fn check(spec: &EnvironmentSpec, problems: &mut Problems) {
    let named = spec.deployment_mode.as_deref().filter(|name| !name.is_empty());
    if named.is_some() && DeploymentMode::chosen(spec).is_none() {
        let names = CHOSEN.map(|(name, _)| name).join(", ");
        let message = format!("is none of {names}; use one of them, or leave it out");
        problems.add(&MODE, Cause::NotSupported, "spec.deploymentMode", message);
    }
}
