//! All that is wanted of an environment, in the order in which it is made.

use std::collections::BTreeMap;

use concierge_runtime::cache::ChildKey;
use concierge_shared::{
    catalyst::{DeploymentMode, Environment, EnvironmentConfig, Project, Service, Template},
    child::Child,
    common::words::hex,
};
use k8s_openapi::{
    ByteString, Metadata, Resource, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    network,
    part::{Part, PartOf, Trouble},
    place::{self, Place},
    service,
    workload::{self, Around, CREDENTIALS},
};
use crate::engine::{Context, Failure, Owned, children::Wanted};

/// What is wanted of an environment.
#[derive(Default)]
pub(super) struct Wishes {
    pub(super) all: Vec<PartOf>,
    /// What keeps more from being wanted.
    pub(super) trouble: Option<Trouble>,
    pub(super) images: BTreeMap<String, String>,
    /// Whether there is something that an address leads to.
    pub(super) has_address: bool,
    /// Whether this is all: then what there is beside it is wanted no more.
    pub(super) complete: bool,
}

impl Wishes {
    fn add<T>(&mut self, environment: &Environment, part: Part, object: &T) -> Result<(), Failure>
    where
        T: Resource + Metadata<Ty = ObjectMeta> + Serialize,
    {
        self.all.push(PartOf { part, wanted: Wanted::new(environment, object)? });
        Ok(())
    }
}

pub(super) async fn of(ctx: &Context, place: &Place<'_>, project: &Project) -> Result<Wishes, Failure> {
    let environment = place.environment;
    let mut wishes = Wishes { complete: true, ..Wishes::default() };
    let quota = project.spec.resources.as_ref().and_then(|resources| resources.default_quota.as_ref());
    wishes.add(environment, Part::Namespace, &place::namespace(place))?;
    wishes.add(environment, Part::Policies, &place::limit_range(place))?;
    wishes.add(environment, Part::Policies, &place::resource_quota(place, quota))?;
    wishes.add(environment, Part::Policies, &network::policy(place))?;
    let mut around = Around::default();
    if let Some(credentials) = credentials(ctx, place, project).await? {
        around.credentials = true;
        wishes.add(environment, Part::Credentials, &credentials)?;
    }
    let template = project.spec.templates.as_ref().and_then(|all| all.get(&environment.spec.kind));
    match DeploymentMode::of(&environment.spec, template) {
        DeploymentMode::Workspace => {
            let workspace = workload::workspace(place, &around);
            wishes.images.insert("workspace".into(), place.settings.workspace_image.clone());
            wishes.add(environment, Part::Deployment, &workspace)?;
        }
        DeploymentMode::Development | DeploymentMode::Production => {
            configured(ctx, place, &config(environment, template), around, &mut wishes).await?;
        }
        mode => wishes.leave_out(mode),
    }
    Ok(wishes)
}

fn config(environment: &Environment, template: Option<&Template>) -> EnvironmentConfig {
    let template = template.and_then(|template| template.config.clone()).unwrap_or_default();
    environment.spec.config.clone().unwrap_or_default().over(&template)
}

impl Wishes {
    fn leave_out(&mut self, mode: DeploymentMode) {
        let name = match mode {
            DeploymentMode::Helm => "helm",
            DeploymentMode::DockerCompose => "docker-compose",
            DeploymentMode::Kustomize => "kustomize",
            _ => "manifest",
        };
        self.complete = false;
        self.trouble = Some(Trouble {
            part: Part::Deployment,
            reason: "NotSupported",
            message: format!(
                "what a source says is not deployed yet (mode {name}); use workspace, development or production"
            ),
            lasts: true,
        });
    }
}

/// What runs of an image, and what it needs beside it.
async fn configured(
    ctx: &Context,
    place: &Place<'_>,
    config: &EnvironmentConfig,
    mut around: Around,
    wishes: &mut Wishes,
) -> Result<(), Failure> {
    let environment = place.environment;
    let mut secrets = Sha256::new();
    for one in config.services.iter().flatten().filter(|one| service::needs_credentials(one)) {
        let credentials = service::credentials(place, one, &password(ctx, place, one).await?);
        for (key, ByteString(value)) in credentials.data.iter().flatten() {
            secrets.update(key);
            secrets.update(value);
        }
        around.database.get_or_insert_with(|| service::credentials_name(one));
        wishes.add(environment, Part::Secrets, &credentials)?;
    }
    if around.database.is_some() {
        around.secrets = Some(hex(&secrets.finalize()[..8]));
    }
    for claim in workload::claims(place, config) {
        wishes.add(environment, Part::Deployment, &claim)?;
    }
    for one in config.services.iter().flatten() {
        wishes.images.insert(one.name.clone(), one.container.image.clone());
        if let Some(reached_by) = service::reached_by(place, one) {
            wishes.add(environment, Part::Deployment, &reached_by)?;
        }
        wishes.add(environment, Part::Deployment, &service::stateful_set(place, one, &around))?;
    }
    wishes.images.extend(config.image.clone().map(|image| ("app".to_owned(), image)));
    wishes.add(environment, Part::Deployment, &workload::web(place, config, &around))?;
    if let Some(port) = workload::port(config) {
        wishes.add(environment, Part::Deployment, &network::web(place, port))?;
        if let Some(ingress) = network::ingress(place) {
            wishes.has_address = true;
            wishes.add(environment, Part::Ingress, &ingress)?;
        }
    }
    Ok(())
}

/// The password of a service: as it is, or a new one.
async fn password(ctx: &Context, place: &Place<'_>, one: &Service) -> Result<String, Failure> {
    let key = ChildKey {
        resource: Child::of::<Secret>(),
        namespace: place.namespace.to_owned(),
        name: service::credentials_name(one),
    };
    let before = match ctx.child::<_, Secret>(place.environment, &key).await? {
        Owned::Ours(secret) => service::password_of(&secret),
        Owned::Absent | Owned::Foreign(_) => None,
    };
    before.map_or_else(service::new_password, Ok)
}

/// A copy of the credentials of the registry that are beside the Project, where there are any.
async fn credentials(ctx: &Context, place: &Place<'_>, project: &Project) -> Result<Option<Secret>, Failure> {
    const TYPE: &str = "kubernetes.io/dockerconfigjson";
    const KEY: &str = ".dockerconfigjson";
    let namespace = project.metadata.namespace.as_deref().unwrap_or_default();
    let Some(found) = ctx.find_secret(namespace, CREDENTIALS).await? else { return Ok(None) };
    let Some(config) = found.bytes(KEY) else { return Ok(None) };
    let data = [(KEY.to_owned(), ByteString(config.to_vec()))].into();
    Ok(Some(Secret {
        metadata: place.named(CREDENTIALS),
        type_: Some(TYPE.into()),
        data: Some(data),
        ..Secret::default()
    }))
}
