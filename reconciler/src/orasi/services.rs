//! The ways to services.

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

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
    aws::{self, Clients, Dial, Endpoint, Keys, Trust, TrustError},
    common::{
        clients::{self, Secrets},
        http,
    },
    engine::{Account, Context, Failure, Limits, ObjectKey},
};

/// What a service that keeps objects bears: S3 takes thousands a second.
const LIMITS: Limits = Limits { concurrency: 8, rate: 100.0, burst: 100 };

/// The status and the body of an answer over HTTP.
pub type StatusAndBody = (u16, Vec<u8>);

/// Connections to services that are only looked at.
pub trait Net: Send + Sync + 'static {
    /// Connects, and sends nothing.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<(), Failure>>;

    /// What a request that says nothing of who asks is answered. `None` when the service's certificate can't be checked with what this
    /// machine believes.
    fn get(&self, url: Url) -> BoxFuture<'_, Result<Option<StatusAndBody>, Failure>>;
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

    fn get(&self, url: Url) -> BoxFuture<'_, Result<Option<StatusAndBody>, Failure>> {
        Box::pin(async move {
            let response = match self.http.get(url).send().await {
                Ok(response) => response,
                Err(error) if http::is_untrusted(&error) => return Ok(None),
                Err(error) => return Err(http::failure(error)),
            };
            let reply = http::read(response).await?;
            Ok(Some((reply.status.as_u16(), reply.body)))
        })
    }
}

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
        let (clients, digest) = aws::dial(&*self.0.dial, &endpoint, &keys)?;
        Ok(Opened { s3: clients.s3, digest })
    }
}

/// The account at the service of `key`, which tells others whether it answers.
pub(super) fn account(key: &ObjectKey, credentials: String) -> Account {
    let service = if key.kind == Storage::NAME { "storage" } else { "connector" };
    let name = format!("{}/{}", key.namespace, key.name);
    Account::new(service, name).with_credentials(credentials).watched_by(key.clone())
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
        if !is_key_id(&id) {
            return Err(Failure::Invalid(format!(
                "{}.authentication: the id of an access key has 3 to 128 letters, digits, '-' and '_'; correct username, or what \
                 usernameSecretRef names",
                place.field
            )));
        }
    }
    Ok(Keys { id, secret, session: None })
}

/// It is sent in the clear, and users say which entry of which Secret it is: nothing else is sent for it than what can be one.
fn is_key_id(text: &str) -> bool {
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (3..=128).contains(&text.len()) && text.bytes().all(is_of_id)
}

fn trust(place: &S3Place<'_>, secrets: &Secrets) -> Result<Trust, Failure> {
    let Some(ca) = place.ca else { return Ok(Trust::System) };
    Ok(Trust::Authority(secrets.of(&ca.name)?.bytes(&ca.key)?.to_vec()))
}
