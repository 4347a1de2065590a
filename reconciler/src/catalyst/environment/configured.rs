//! What runs where the configuration alone says so: containers of images, and what they need beside them.

use std::collections::BTreeMap;

use concierge_runtime::cache::ChildKey;
use concierge_shared::{
    catalyst::{EnvironmentConfig, Service},
    child::Child,
};
use k8s_openapi::api::core::v1::Secret;

use super::{
    basis::{Basis, Wishes},
    checkout::Checkout,
    network,
    part::Part,
    service,
    source::Sources,
    workload::{self, Around},
};
use crate::engine::{Failure, Owned};

pub(super) async fn wish(
    basis: &Basis<'_>,
    mut around: Around,
    sources: &Sources<'_>,
    wishes: &mut Wishes,
) -> Result<(), Failure> {
    let (environment, place) = (basis.environment(), basis.place);
    let mut config = basis.config();
    use_built(&mut config, &wishes.images);
    for one in config.services.iter().flatten().filter(|one| service::needs_credentials(one)) {
        let credentials = service::credentials(place, one, &password(basis, one).await?);
        around.reads(&credentials);
        around.database.get_or_insert_with(|| service::credentials_name(one));
        wishes.add(environment, Part::Secrets, &credentials)?;
    }
    for claim in workload::claims(place, &config) {
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
    let at = basis.deployed_from().and_then(|name| sources.get(name));
    let checkout = at.zip(config.source_volume()).map(|(at, volume)| Checkout::new(basis, at, volume));
    wishes.add(environment, Part::Deployment, &workload::web(place, &config, &around, checkout.as_ref()))?;
    if let Some(port) = workload::port(&config) {
        wishes.add(environment, Part::Deployment, &network::web(place, port))?;
        address(basis, wishes)?;
    }
    Ok(())
}

/// The Ingress to the Service `web`, where environments have addresses.
pub(super) fn address(basis: &Basis<'_>, wishes: &mut Wishes) -> Result<(), Failure> {
    let Some(ingress) = network::ingress(basis.place) else { return Ok(()) };
    wishes.has_address = true;
    wishes.add(basis.environment(), Part::Ingress, &ingress)
}

/// An image that is called as a build is the one that was built.
fn use_built(config: &mut EnvironmentConfig, built: &BTreeMap<String, String>) {
    let inits = config.init_containers.iter_mut().flatten().filter_map(|one| one.image.as_mut());
    let services = config.services.iter_mut().flatten().map(|one| &mut one.container.image);
    for image in config.image.iter_mut().chain(inits).chain(services) {
        if let Some(found) = built.get(image.as_str()) {
            image.clone_from(found);
        }
    }
}

/// The password of a service: as it is, or a new one.
async fn password(basis: &Basis<'_>, one: &Service) -> Result<String, Failure> {
    let key = ChildKey {
        resource: Child::of::<Secret>(),
        namespace: basis.place.namespace.to_owned(),
        name: service::credentials_name(one),
    };
    let before = match basis.ctx.child::<_, Secret>(basis.environment(), &key).await? {
        Owned::Ours(secret) => service::password_of(&secret),
        Owned::Absent | Owned::Foreign(_) => None,
    };
    before.map_or_else(service::new_password, Ok)
}
