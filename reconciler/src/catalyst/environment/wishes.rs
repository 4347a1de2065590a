//! All that is wanted of an environment, in the order in which it is made.

use concierge_shared::catalyst::DeploymentMode;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{
    basis::{Basis, Wishes},
    builds, configured, deploy, network,
    part::Part,
    place, source, web_secrets,
    workload::{self, Around},
};
use crate::{catalyst::build::CREDENTIALS, engine::Failure};

pub(super) async fn of(basis: &Basis<'_>) -> Result<Wishes, Failure> {
    let (environment, place) = (basis.environment(), basis.place);
    let mut wishes = Wishes::default();
    let quota = basis.project.spec.resources.as_ref().and_then(|all| all.default_quota.as_ref());
    wishes.add(environment, Part::Namespace, &place::namespace(place))?;
    wishes.add(environment, Part::Policies, &place::limit_range(place))?;
    wishes.add(environment, Part::Policies, &place::resource_quota(place, quota))?;
    wishes.add(environment, Part::Policies, &network::policy(place))?;
    let credentials = credentials(basis).await?;
    if let Some(credentials) = &credentials {
        wishes.add(environment, Part::Credentials, credentials)?;
    }
    let around = Around { credentials: credentials.is_some(), ..Around::default() };
    match DeploymentMode::of(&environment.spec, basis.template()) {
        DeploymentMode::Workspace => {
            wishes.images.insert("workspace".into(), place.settings.workspace_image.clone());
            wishes.add(environment, Part::Deployment, &workload::workspace(place, &around))?;
        }
        mode => deployed(basis, mode, credentials.as_ref(), around, &mut wishes).await?,
    }
    Ok(wishes)
}

/// What is deployed, each part once those before it have what they need.
async fn deployed(
    basis: &Basis<'_>,
    mode: DeploymentMode,
    credentials: Option<&Secret>,
    mut around: Around,
    wishes: &mut Wishes,
) -> Result<(), Failure> {
    let needed = needed(basis);
    if !web_secrets::wish(basis, &mut around, wishes).await? {
        wishes.stop_at(Part::Secrets, &needed);
        return Ok(());
    }
    let Some(sources) = source::wish(basis, wishes).await? else {
        wishes.stop_at(Part::Source, &needed);
        return Ok(());
    };
    if !builds::wish(basis, credentials, &sources, wishes).await? {
        wishes.stop_at(Part::Build, &needed);
        return Ok(());
    }
    match mode {
        DeploymentMode::Development | DeploymentMode::Production => {
            configured::wish(basis, around, &sources, wishes).await
        }
        mode => deploy::wish(basis, mode, &sources, wishes).await,
    }
}

/// The parts that something is wanted of sooner or later.
fn needed(basis: &Basis<'_>) -> Vec<Part> {
    let mut needed = vec![Part::Deployment];
    if !basis.needed_sources().is_empty() {
        needed.push(Part::Source);
    }
    if !basis.builds().is_empty() {
        needed.push(Part::Build);
    }
    if basis.place.address().is_some() {
        needed.push(Part::Ingress);
    }
    needed
}

/// A copy of the credentials of the registry that are beside the Project, where there are any.
async fn credentials(basis: &Basis<'_>) -> Result<Option<Secret>, Failure> {
    const TYPE: &str = "kubernetes.io/dockerconfigjson";
    let Some(found) = basis.ctx.find_secret(basis.team(), CREDENTIALS).await? else { return Ok(None) };
    let Ok(config) = found.bytes(builds::CONFIG_KEY) else { return Ok(None) };
    let data = [(builds::CONFIG_KEY.to_owned(), ByteString(config.to_vec()))].into();
    Ok(Some(Secret {
        metadata: basis.place.named(CREDENTIALS),
        type_: Some(TYPE.into()),
        data: Some(data),
        ..Secret::default()
    }))
}
