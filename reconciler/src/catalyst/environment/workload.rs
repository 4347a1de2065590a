//! What runs in an environment whose configuration alone says so: a workspace, or the container of an image and what it needs beside it.

use concierge_shared::{
    catalyst::{
        EnvironmentConfig, InitContainer, Resources,
        bounds::{self, Amounts},
    },
    common::words::hex,
};
use k8s_openapi::{
    ByteString,
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy},
        core::v1::{
            Container, EnvFromSource, EnvVar, EnvVarSource, LocalObjectReference, PersistentVolumeClaim,
            PersistentVolumeClaimVolumeSource, PodSpec, PodTemplateSpec, ResourceRequirements, Secret,
            SecretEnvSource, SecretKeySelector, Volume,
        },
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use sha2::{Digest, Sha256};

use super::{checkout::Checkout, place::Place};
use crate::catalyst::{build::CREDENTIALS, convert};

/// The label of pods with the uid of the Environment that they are of.
pub(super) const POD_LABEL: &str = "catalyst.dev/environment-uid";
/// The annotation of pods with a digest of the Secrets that they read: with another value, other pods take their place.
const SECRETS_ANNOTATION: &str = "catalyst.dev/secrets-digest";
/// What a container asks for that says nothing.
pub(super) const ASKED: Amounts = Amounts::new("100m", "256Mi");
/// The Secret with what the web application keeps for the environment.
pub(super) const SECRETS: &str = "catalyst-secrets";

/// What workloads lean on.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// Whether there are credentials of a registry.
    pub(super) credentials: bool,
    /// A digest of the Secrets that pods read, where there are any.
    pub(super) secrets: Option<Sha256>,
    /// The Secret with the address of a database that was made, if there is one.
    pub(super) database: Option<String>,
}

impl Around {
    /// Pods read this Secret: with other values, other pods take their place.
    pub(super) fn reads(&mut self, secret: &Secret) {
        let digest = self.secrets.get_or_insert_with(Sha256::new);
        for (key, ByteString(value)) in secret.data.iter().flatten() {
            digest.update(key);
            digest.update(value);
        }
    }

    fn digest(&self) -> Option<String> {
        Some(hex(&self.secrets.clone()?.finalize()[..8]))
    }
}

fn resources_or(given: Option<&Resources>, usual: ResourceRequirements) -> ResourceRequirements {
    given.map_or(usual, convert::resources)
}

fn filled<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// The template of pods of this app.
pub(super) fn pod(place: &Place<'_>, app: &str, around: &Around, spec: PodSpec) -> PodTemplateSpec {
    let labels = [("app", app), (POD_LABEL, place.uid())];
    let digest = around.digest().map(|digest| (SECRETS_ANNOTATION.to_owned(), digest));
    let credentials = around.credentials.then(|| LocalObjectReference { name: CREDENTIALS.into() });
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            annotations: digest.map(|one| [one].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            image_pull_secrets: credentials.map(|one| vec![one]),
            // What runs here has no business at the API server.
            automount_service_account_token: Some(false),
            ..spec
        }),
    }
}

/// The pods of an app are found by its name.
pub(super) fn selector(app: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some([("app".to_owned(), app.to_owned())].into()),
        ..LabelSelector::default()
    }
}

/// One pod, which the next one waits for: the quota need not be large enough for two, and a volume may be mounted once only.
fn deployment(place: &Place<'_>, app: &str, around: &Around, spec: PodSpec) -> Deployment {
    let strategy = DeploymentStrategy { type_: Some("Recreate".into()), ..DeploymentStrategy::default() };
    Deployment {
        metadata: place.named(app),
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            selector: selector(app),
            strategy: Some(strategy),
            template: pod(place, app, around, spec),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// A container to work in.
pub(super) fn workspace(place: &Place<'_>, around: &Around) -> Deployment {
    let container = Container {
        name: "workspace".into(),
        image: Some(place.settings.workspace_image.clone()),
        command: Some(["sleep", "infinity"].map(str::to_owned).into()),
        resources: Some(convert::needs(Amounts::new("100m", "128Mi"), bounds::CONTAINER)),
        ..Container::default()
    };
    let spec = PodSpec {
        containers: vec![container],
        termination_grace_period_seconds: Some(1),
        ..PodSpec::default()
    };
    deployment(place, "workspace", around, spec)
}

/// The main container.
fn app(config: &EnvironmentConfig, around: &Around) -> Container {
    let mut env = convert::variables(config.env.as_deref());
    let database = around.database.as_ref().filter(|_| !env.iter().any(|one| one.name == DATABASE_URL));
    env.extend(database.map(|secret| of_secret(DATABASE_URL, secret, DATABASE_URL)));
    Container {
        name: "app".into(),
        image: config.image.clone(),
        command: config.command.clone(),
        args: config.args.clone(),
        working_dir: config.working_dir.clone(),
        ports: config.ports.clone(),
        env: filled(env),
        env_from: Some(vec![secrets_of_web()]),
        resources: Some(resources_or(
            config.resources.as_ref(),
            convert::needs(ASKED, bounds::MAIN_CONTAINER),
        )),
        liveness_probe: config.liveness_probe.clone(),
        readiness_probe: config.readiness_probe.clone(),
        startup_probe: config.startup_probe.clone(),
        volume_mounts: config.volume_mounts.clone(),
        ..Container::default()
    }
}

/// The variable with the address of a database.
pub(super) const DATABASE_URL: &str = "DATABASE_URL";

/// A variable with a value of a Secret.
pub(super) fn of_secret(name: &str, secret: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: secret.to_owned(), key: key.to_owned(), optional: None };
    let value_from = EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() };
    EnvVar { name: name.to_owned(), value_from: Some(value_from), ..EnvVar::default() }
}

fn secrets_of_web() -> EnvFromSource {
    let secret_ref = SecretEnvSource { name: SECRETS.into(), optional: Some(true) };
    EnvFromSource { secret_ref: Some(secret_ref), ..EnvFromSource::default() }
}

fn init(init: &InitContainer, config: &EnvironmentConfig, around: &Around) -> Container {
    let mut env = convert::variables(init.env.as_deref());
    let database = around.database.as_ref().filter(|_| !env.iter().any(|one| one.name == DATABASE_URL));
    env.extend(database.map(|secret| of_secret(DATABASE_URL, secret, DATABASE_URL)));
    Container {
        name: init.name.clone(),
        image: init.image.clone().filter(|image| !image.is_empty()).or_else(|| config.image.clone()),
        command: init.command.clone(),
        args: init.args.clone(),
        working_dir: init.working_dir.clone(),
        env: filled(env),
        env_from: Some(vec![secrets_of_web()]),
        resources: Some(resources_or(init.resources.as_ref(), convert::needs(ASKED, bounds::CONTAINER))),
        volume_mounts: init.volume_mounts.clone(),
        ..Container::default()
    }
}

/// The volumes of the configuration, as a pod names them.
fn volumes(config: &EnvironmentConfig) -> Vec<Volume> {
    let of = |name: &String| Volume {
        name: name.clone(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: name.clone(),
            read_only: None,
        }),
        ..Volume::default()
    };
    config.volumes.iter().flatten().map(|volume| of(&volume.name)).collect()
}

/// The claims of the configuration's volumes.
pub(super) fn claims(place: &Place<'_>, config: &EnvironmentConfig) -> Vec<PersistentVolumeClaim> {
    let all = config.volumes.iter().flatten();
    all.filter_map(|volume| {
        Some(PersistentVolumeClaim {
            metadata: place.named(&volume.name),
            spec: Some(convert::claim(volume.persistent_volume_claim.as_ref()?)),
            ..PersistentVolumeClaim::default()
        })
    })
    .collect()
}

/// The Deployment `web` of a configuration.
pub(super) fn web(
    place: &Place<'_>,
    config: &EnvironmentConfig,
    around: &Around,
    checkout: Option<&Checkout<'_>>,
) -> Deployment {
    let inits = config.init_containers.iter().flatten().map(|one| init(one, config, around)).collect();
    let spec = PodSpec {
        init_containers: filled(inits),
        containers: vec![app(config, around)],
        volumes: filled(volumes(config)),
        ..PodSpec::default()
    };
    let mut web = deployment(place, "web", around, spec);
    if let (Some(checkout), Some(spec)) = (checkout, &mut web.spec) {
        checkout.put_into(&mut spec.template);
    }
    web
}

/// The port that the environment's address leads to.
pub(super) fn port(config: &EnvironmentConfig) -> Option<i32> {
    config.ports.iter().flatten().map(|port| port.container_port).next()
}
