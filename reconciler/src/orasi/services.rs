//! The ways to services.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use concierge_shared::{
    kind::Kind,
    orasi::{AuthenticationMethod, S3Place, Storage},
};
use futures::future::BoxFuture;
use reqwest::Url;
use tokio::net::TcpStream;

use super::looks::Looks;
use crate::{
    aws::{Clients, Endpoint, Keys, Trust, TrustError},
    common::{
        clients::{self, Secrets},
        http,
    },
    engine::{Account, Context, Failure, Limits, ObjectKey},
};

/// What a service that keeps objects bears: S3 takes thousands a second.
const LIMITS: Limits = Limits { concurrency: 8, rate: 100.0, burst: 100 };

/// Connections to services that are only looked at.
pub trait Net: Send + Sync + 'static {
    /// Connects, and sends nothing.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<(), Failure>>;

    /// The status and the body with which a request is answered that says nothing of who asks.
    fn get(&self, url: Url) -> BoxFuture<'_, Result<(u16, Vec<u8>), Failure>>;
}

/// Over sockets.
struct Sockets {
    http: reqwest::Client,
    connect: Duration,
}

impl Net for Sockets {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let unsent = |why: String| Failure::NeverSent(format!("no connection to {host}:{port}{why}"));
            match tokio::time::timeout(self.connect, TcpStream::connect((host, port))).await {
                Ok(connected) => connected.map(drop).map_err(|error: io::Error| unsent(format!(": {error}"))),
                Err(_) => Err(unsent(" in time".into())),
            }
        })
    }

    fn get(&self, url: Url) -> BoxFuture<'_, Result<(u16, Vec<u8>), Failure>> {
        Box::pin(async move {
            let reply = http::send(self.http.get(url)).await?;
            Ok((reply.status.as_u16(), reply.body))
        })
    }
}

/// Makes the clients of an endpoint.
type Dial = dyn Fn(&Endpoint, &Keys) -> Result<Clients, TrustError> + Send + Sync;

/// The ways to all services. Clones are the same.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    net: Arc<dyn Net>,
    dial: Box<Dial>,
    connect: Duration,
    clients: clients::Clients<Opened>,
    looks: Looks,
}

/// The client of a place in a bucket.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) s3: aws_sdk_s3::Client,
    /// Of the address and the credentials.
    pub(super) digest: String,
}

impl Services {
    /// Over sockets. A connection comes about within `connect`, or the call was never sent.
    ///
    /// # Errors
    /// When there is no HTTP client.
    pub fn over_sockets(connect: Duration) -> anyhow::Result<Self> {
        let http = http::client(reqwest::Client::builder(), connect).context("no HTTP client")?;
        Ok(Self::by(connect, Arc::new(Sockets { http, connect }), Clients::new))
    }

    /// By `net`, and over the clients of S3 that `dial` makes.
    pub fn by(
        connect: Duration,
        net: Arc<dyn Net>,
        dial: impl Fn(&Endpoint, &Keys) -> Result<Clients, TrustError> + Send + Sync + 'static,
    ) -> Self {
        let (clients, looks) = (clients::Clients::default(), Looks::default());
        Self(Arc::new(Inner { net, dial: Box::new(dial), connect, clients, looks }))
    }

    pub(super) fn net(&self) -> &dyn Net {
        &*self.0.net
    }

    pub(super) fn looks(&self) -> &Looks {
        &self.0.looks
    }

    /// The place that the Storage `key` says.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when credentials or the authority's certificate are missing.
    pub(super) async fn open(
        &self,
        ctx: &Context,
        key: &ObjectKey,
        place: &S3Place<'_>,
    ) -> Result<(Account, Opened), Failure> {
        let names: BTreeSet<_> = place.secret_refs().map(|entry| entry.name.as_str()).collect();
        let names: Vec<_> = names.into_iter().collect();
        let dial = |secrets: &Secrets| self.dial(ctx, place, secrets);
        let opened = self.0.clients.get(ctx, key, &names, format!("{place:?}"), dial).await?;
        let account = account(key, opened.digest.clone()).with_limits(LIMITS);
        Ok((account, opened))
    }

    fn dial(&self, ctx: &Context, place: &S3Place<'_>, secrets: &Secrets) -> Result<Opened, Failure> {
        let wrong = |why| Failure::Invalid(format!("{}.endpoint {why}", place.field));
        let (keys, region) = (keys(place, secrets)?, place.region.to_owned());
        let endpoint = Endpoint {
            s3: place.url().map_err(wrong)?,
            iam: None,
            iam_region: region.clone(),
            sts: None,
            region,
            path_style: place.path_style,
            trust: trust(place, secrets)?,
            connect: self.0.connect,
            attempt: ctx.request_timeout(),
        };
        let clients = (self.0.dial)(&endpoint, &keys);
        let clients = clients.map_err(|error| Failure::DependencyMissing(error.to_string()))?;
        let digest = digest((&keys.id, &keys.secret, format!("{endpoint:?}")));
        Ok(Opened { s3: clients.s3, digest })
    }
}

/// The account at the service of `key`, which tells others whether it answers.
pub(super) fn account(key: &ObjectKey, credentials: String) -> Account {
    let service = if key.kind == Storage::NAME { "storage" } else { "connector" };
    let name = format!("{}/{}", key.namespace, key.name);
    Account::new(service, name).with_credentials(credentials).watched_by(key.clone())
}

pub(super) fn digest(what: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

fn keys(place: &S3Place<'_>, secrets: &Secrets) -> Result<Keys, Failure> {
    let basic = place.authentication.filter(|given| given.method == AuthenticationMethod::Basic);
    let (mut id, mut secret) = (String::new(), String::new());
    if let Some(given) = basic {
        id = given.username.clone().unwrap_or_default();
        if let Some(entry) = &given.username_secret_ref {
            secrets.of(&entry.name)?.text(&entry.key)?.clone_into(&mut id);
        }
        if let Some(entry) = &given.password_secret_ref {
            secrets.of(&entry.name)?.text(&entry.key)?.clone_into(&mut secret);
        }
    }
    Ok(Keys { id, secret, session: None })
}

fn trust(place: &S3Place<'_>, secrets: &Secrets) -> Result<Trust, Failure> {
    let Some(ca) = place.ca else { return Ok(Trust::System) };
    let missing = || Failure::DependencyMissing(format!("Secret {} has no key {}; add it", ca.name, ca.key));
    Ok(Trust::Authority(secrets.of(&ca.name)?.bytes(&ca.key).ok_or_else(missing)?.to_vec()))
}
