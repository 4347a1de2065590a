//! What an environment needs of its Project's sources.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::VolumeMount;

use super::{DeploymentMode, EnvironmentSpec};
use crate::catalyst::{
    config::{EnvironmentConfig, Volume},
    project::ProjectSpec,
    template::{Build, Template},
};

impl EnvironmentSpec {
    /// The template by which it is deployed.
    pub fn template<'a>(&self, project: &'a ProjectSpec) -> Option<&'a Template> {
        project.templates.as_ref()?.get(&self.kind)
    }

    /// What the template says of containers, and the Environment over it.
    pub fn config_over(&self, project: &ProjectSpec) -> EnvironmentConfig {
        let template =
            self.template(project).and_then(|template| template.config.clone()).unwrap_or_default();
        self.config.clone().unwrap_or_default().over(&template)
    }

    /// The images that are built first.
    pub fn builds<'a>(&self, project: &'a ProjectSpec) -> &'a [Build] {
        let template = self.template(project);
        let template = template.filter(|_| DeploymentMode::of(self, template) != DeploymentMode::Workspace);
        template.and_then(|template| template.builds.as_deref()).unwrap_or_default()
    }

    /// The source that what is deployed stands in, where it stands in one: the template's, or the first.
    pub fn deployed_from<'a>(&self, project: &'a ProjectSpec) -> Option<&'a str> {
        let template = self.template(project);
        let is_seen = match DeploymentMode::of(self, template) {
            DeploymentMode::Production | DeploymentMode::Workspace => false,
            DeploymentMode::Development => self.has_source_volume(template),
            _ => true,
        };
        if !is_seen {
            return None;
        }
        let named = template.and_then(|template| template.source_ref.as_deref());
        let first = || Some(project.sources.first()?.name.as_str());
        named.filter(|name| !name.is_empty()).or_else(first)
    }

    /// Whether the configuration over that of `template` has a volume that the source is put onto. Asked of each Environment of a Project that
    /// loses a source: so nothing is copied.
    fn has_source_volume(&self, template: Option<&Template>) -> bool {
        let configs = [self.config.as_ref(), template.and_then(|template| template.config.as_ref())];
        let mounts = configs.into_iter().flatten().find_map(|config| config.volume_mounts.as_deref());
        let volumes = configs.into_iter().flatten().find_map(|config| config.volumes.as_deref());
        source_volume(mounts, volumes).is_some()
    }

    pub fn needed_sources<'a>(&self, project: &'a ProjectSpec) -> BTreeSet<&'a str> {
        let of_builds = self.builds(project).iter().map(|build| build.source_ref.as_str());
        self.deployed_from(project).into_iter().chain(of_builds).collect()
    }
}

impl EnvironmentConfig {
    /// The volume that the source is put onto in mode development: that of the main container's first mount.
    pub fn source_volume(&self) -> Option<&str> {
        source_volume(self.volume_mounts.as_deref(), self.volumes.as_deref())
    }
}

fn source_volume<'a>(mounts: Option<&'a [VolumeMount]>, volumes: Option<&[Volume]>) -> Option<&'a str> {
    let first = mounts?.first()?.name.as_str();
    volumes?.iter().any(|volume| volume.name == first).then_some(first)
}
