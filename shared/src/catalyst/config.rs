//! How an environment's containers run. The same stands in a Project's templates and in an Environment, whose values go first.

use k8s_openapi::{
    api::core::v1::{ContainerPort, Probe, TypedLocalObjectReference, TypedObjectReference, VolumeMount},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::{EnvVar, Resources};
use crate::{admission::problem::Problems, common::any::bounded, field::FieldPath, rules};

mod amounts;
mod checks;
mod env;
mod merge;
mod probe;

pub(super) use amounts::check as check_amounts;
pub(super) use env::check_value;

/// How an environment's containers run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentConfig {
    /// The image of the main container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,
    /// What it runs, instead of what its image says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), inner(length(max = 32_768)))]
    pub command: Option<Vec<String>>,
    /// The arguments of what it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), inner(length(max = 32_768)))]
    pub args: Option<Vec<String>>,
    /// The folder in which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub working_dir: Option<String>,
    /// Its ports; the first is the one that the environment's address leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub ports: Option<Vec<ContainerPort>>,
    /// Its environment variables. Those of an Environment stand for those of the same name of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub env: Option<Vec<EnvVar>>,
    /// What it asks for and may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// When it is started anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub liveness_probe: Option<Probe>,
    /// When it takes requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub readiness_probe: Option<Probe>,
    /// When it has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub startup_probe: Option<Probe>,
    /// Where it sees volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub volume_mounts: Option<Vec<VolumeMount>>,
    /// What runs before it, one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub init_containers: Option<Vec<InitContainer>>,
    /// What runs beside it, for instance a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub services: Option<Vec<Service>>,
    /// Volumes that are made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub volumes: Option<Vec<Volume>>,
    /// No longer used: write env.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub env_vars: Option<Vec<EnvVar>>,
}

/// A container that runs before the main one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitContainer {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its image; that of the main container when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,
    /// What it runs, instead of what its image says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), inner(length(max = 32_768)))]
    pub command: Option<Vec<String>>,
    /// The arguments of what it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), inner(length(max = 32_768)))]
    pub args: Option<Vec<String>>,
    /// The folder in which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub working_dir: Option<String>,
    /// Its environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub env: Option<Vec<EnvVar>>,
    /// What it asks for and may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where it sees volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub volume_mounts: Option<Vec<VolumeMount>>,
}

/// Something that runs beside the main container, with a name of its own in the environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Its name, by which it is reached.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its container.
    pub container: ServiceContainer,
    /// The volume that its data is kept on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<VolumeClaim>,
    /// The database that is made in it. Only for PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub database: Option<String>,
}

/// The container of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceContainer {
    /// Its image.
    #[schemars(length(max = 512))]
    pub image: String,
    /// Its ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub ports: Option<Vec<ContainerPort>>,
    /// Its environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub env: Option<Vec<EnvVar>>,
    /// What it asks for and may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// A volume that is made for an environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name, by which it is mounted.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<VolumeClaim>,
}

/// What a volume asks for: the spec of a PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeClaim {
    /// How it may be used, for instance ReadWriteOnce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4), inner(length(max = 64)))]
    pub access_modes: Option<Vec<String>>,
    /// How large it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Its StorageClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,
    /// Filesystem or Block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub volume_mode: Option<String>,
    /// The volume, if it is a certain one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub volume_name: Option<String>,
    /// Its VolumeAttributesClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub volume_attributes_class_name: Option<String>,
    /// Which volumes it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub selector: Option<LabelSelector>,
    /// What is in it at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub data_source: Option<TypedLocalObjectReference>,
    /// The same, of any kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub data_source_ref: Option<TypedObjectReference>,
}

/// The fields below the configuration at a path that may hold a secret in the clear.
macro_rules! config_secrets {
    ($at:literal $(, $other:literal)*) => {
        &[
            $($other,)*
            concat!($at, ".env[].value"),
            concat!($at, ".envVars[].value"),
            concat!($at, ".initContainers[].env[].value"),
            concat!($at, ".services[].container.env[].value"),
        ]
    };
}
pub(super) use config_secrets;

rules! {
    IMAGE = Deny "catalyst.config.image", "An image is [registry/]name[:tag][@digest], in small letters and without spaces.";
    IMAGE_LATEST = Warn "catalyst.config.image-latest", "An image has a tag other than latest, or a digest.";
    PORTS = Deny "catalyst.config.ports", "Ports are from 1 to 65535, each once, with names that are listed once, and none is a port of the node.";
    ENV = Deny "catalyst.config.env", "An environment variable has a name of letters, digits, '_', '-' and '.' that is listed once, and either a value or one place where it is.";
    PLAIN_SECRET = Warn "catalyst.config.plain-secret", "Passwords, tokens and keys stand in Secrets, not in values.";
    NAMES = Deny "catalyst.config.names", "Init containers, services and volumes have names of small letters, digits and '-', each once, and none that Concierge uses itself.";
    MOUNTS = Deny "catalyst.config.mounts", "A mount has an absolute path without '..', each once, and names one of the volumes.";
    RESOURCES = Deny "catalyst.config.resources", "Amounts are written as Kubernetes does, and no request is above its limit.";
    PROBE = Deny "catalyst.config.probe", "A probe has one of exec, httpGet, tcpSocket and grpc, and sensible times.";
    STORAGE = Deny "catalyst.config.storage", "A volume is a new one, asks for storage and has an access mode.";
    DATABASE = Warn "catalyst.config.database", "A database is made in services of PostgreSQL only.";
    ENV_VARS = Warn "catalyst.config.env-vars", "Environment variables stand in env; envVars is no longer used.";
}

impl EnvironmentConfig {
    /// Adds what is wrong with the configuration at `at`.
    pub(super) fn check(&self, at: &FieldPath, problems: &mut Problems) {
        checks::check_image(self.image.as_deref(), at, problems);
        checks::check_ports(self.ports.as_deref(), at, problems);
        env::check(self.env.as_deref(), at, problems);
        amounts::check(self.resources.as_ref(), at, problems);
        probe::check_all(self, at, problems);
        checks::check_names(self, at, problems);
        checks::check_mounts(self, at, problems);
        for (nth, init) in self.init_containers.iter().flatten().enumerate() {
            let at = at.clone().field("initContainers").index(nth);
            checks::check_image(init.image.as_deref(), &at, problems);
            env::check(init.env.as_deref(), &at, problems);
            amounts::check(init.resources.as_ref(), &at, problems);
        }
        for (nth, service) in self.services.iter().flatten().enumerate() {
            service.check(&at.clone().field("services").index(nth), problems);
        }
        for (nth, volume) in self.volumes.iter().flatten().enumerate() {
            let at = at.clone().field("volumes").index(nth).field("persistentVolumeClaim");
            checks::check_claim(volume.persistent_volume_claim.as_ref(), &at, problems);
        }
        checks::check_env_vars(self.env_vars.as_deref(), at, problems);
    }
}

impl Service {
    fn check(&self, at: &FieldPath, problems: &mut Problems) {
        let ServiceContainer { image, ports, env, resources } = &self.container;
        let container = at.clone().field("container");
        checks::check_image(Some(image), &container, problems);
        checks::check_ports(ports.as_deref(), &container, problems);
        env::check(env.as_deref(), &container, problems);
        amounts::check(resources.as_ref(), &container, problems);
        if self.storage.is_some() {
            checks::check_claim(self.storage.as_ref(), &at.clone().field("storage"), problems);
        }
        checks::check_database(self, at, problems);
    }
}
