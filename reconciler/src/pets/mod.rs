//! Pets: kept in the cluster alone, or also in a Petstore v3 REST service.

mod capacity;
mod client;
mod pet;
mod petstore;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use concierge_shared::{
    kind::Kind,
    pets::{Pet, PetStore},
};

use crate::{
    common::{
        clients::{Clients, Secrets},
        http,
        rate_limit::limits,
    },
    engine::{Account, Context, Failure, Kinds, Limits, ObjectKey},
};
use client::Client;

/// Adds the reconcilers of this group.
///
/// # Errors
/// When there is no HTTP client.
pub fn add(kinds: Kinds, connect_timeout: Duration) -> anyhow::Result<Kinds> {
    let http = http::client(reqwest::Client::builder(), connect_timeout).context("no HTTP client")?;
    Ok(self::kinds(kinds, http))
}

/// Adds them with a client that is made in another way.
pub fn kinds(kinds: Kinds, http: reqwest::Client) -> Kinds {
    let services = Services(Arc::new((http, Clients::default())));
    kinds.with(pet::PetReconciler::new(services.clone())).with(petstore::PetStoreReconciler { services })
}

/// The base URL of the service that `store` is kept in.
fn base_url(store: &PetStore) -> Option<&str> {
    store.spec.endpoints.as_ref()?.base_url.as_deref()
}

/// The ways to all services. Clones are the same.
#[derive(Clone)]
struct Services(Arc<(reqwest::Client, Clients<Client>)>);

impl Services {
    /// The service at `url`.
    fn at(&self, url: &str, key: Option<String>) -> Client {
        Client::new(self.0.0.clone(), url, key)
    }

    /// The service that `store` is kept in, with the store's key.
    async fn of(&self, ctx: &Context, store: &PetStore) -> Result<Option<Client>, Failure> {
        let Some(url) = base_url(store) else { return Ok(None) };
        let security = store.spec.security.as_ref();
        let Some(reference) = security.and_then(|security| security.api_key_secret_ref.as_ref()) else {
            return Ok(Some(self.at(url, None)));
        };
        let provider = ObjectKey::of(store);
        let make = |secrets: &Secrets| {
            let key = secrets.of(&reference.name)?.text(&reference.key)?;
            Ok(self.at(url, Some(key.to_owned())))
        };
        self.0.1.get(ctx, &provider, &[&reference.name], (url, &reference.key), make).await.map(Some)
    }
}

/// The account whose calls count together: those of one store. Stores of other namespaces may be at the same address; they do
/// not suffer from this one's key and limits.
fn account(store: &PetStore, client: &Client) -> Account {
    let PetStore { metadata, spec, .. } = store;
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    Account::new("petstore", format!("{namespace}/{}", store.name()))
        .with_limits(limits(spec.rate_limit.as_ref(), Limits::default()))
        .with_credentials(client.credentials_digest())
}

/// Which store a pet belongs to, and how many belong to a store, can't be told from a part of them.
fn all_known(ctx: &Context) -> Result<(), Failure> {
    let namespace = ctx.key().namespace.as_str();
    [Pet::NAME, PetStore::NAME].into_iter().try_for_each(|kind| ctx.select(kind, namespace, "").map(drop))
}
