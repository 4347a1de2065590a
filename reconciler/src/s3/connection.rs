//! The way from an object to its provider.

mod ask;
mod known;
mod secrets;

use std::{collections::HashMap, sync::Arc, time::Duration};

use concierge_shared::{
    s3::{AtProvider, Provider, policy::Profile},
    status::{ConditionReason, ConditionType, Conditions},
};
use parking_lot::Mutex;
use reqwest::Url;
use tokio::time::Instant;

pub(super) use crate::aws::Found;
pub(super) use ask::unanswered;
pub(super) use known::{Refusal, Subject};
pub(super) use secrets::secrets_of;

use crate::{
    aws::{self, Clients, Dial, Endpoint, Keys, Trust, TrustError},
    common::{
        clients::{self, Secrets},
        rate_limit::limits,
    },
    engine::{Account, Context, Failure, Limits, ObjectKey},
};
use known::Known;

/// How long a service may take to know a new access key everywhere.
const NEW: Duration = Duration::from_secs(60);
/// How long it is believed that S3 answers while IAM or STS does not: a service that does not answer is asked as often.
const HEARD: Duration = Duration::from_secs(30);

/// The ways to all providers. Clones are the same.
#[derive(Clone)]
pub struct Providers(Arc<Inner>);

struct Inner {
    dial: Box<Dial>,
    connect: Duration,
    clients: clients::Clients<Opened>,
    /// The digest of the credentials with which each Provider was last seen to be in order.
    proven: Mutex<HashMap<String, String>>,
    /// What S3 last answered each Provider.
    heard: Mutex<HashMap<String, Heard>>,
    known: Known,
    /// The ids of the access keys that were made a moment ago.
    new_keys: Mutex<HashMap<String, Instant>>,
}

/// That S3 answered and took the key.
struct Heard {
    at: Instant,
    /// Of the credentials and the address.
    digest: String,
    /// Whose the buckets are.
    owner: Option<String>,
}

/// The clients of a provider, and of what they were made.
#[derive(Clone)]
struct Opened {
    clients: Clients,
    /// The id of the access key.
    id: String,
    /// Of the credentials and the address.
    digest: String,
}

/// One provider, as one object sees it.
pub(super) struct Connection {
    pub(super) clients: Clients,
    pub(super) provider: Arc<Provider>,
    /// Tells our cluster from any other.
    pub(super) cluster: String,
    /// `namespace/name` of the Provider.
    pub(super) name: String,
    /// What is done at IAM, as an account of its own: either of IAM and S3 may be out of reach while the other is not.
    pub(super) iam: Account,
    /// The same for STS.
    pub(super) sts: Account,
    /// The id of the access key.
    key: String,
    /// Of the credentials and the address.
    pub(super) digest: String,
    providers: Providers,
}

impl Providers {
    /// Over HTTP, as each Provider says where. A connection comes about within `connect`, or the call was never sent.
    pub fn over_http(connect: Duration) -> Self {
        Self::dialled(connect, Clients::new)
    }

    /// Over the clients that `dial` makes.
    pub fn dialled(
        connect: Duration,
        dial: impl Fn(&Endpoint, &Keys) -> Result<Clients, TrustError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            dial: Box::new(dial),
            connect,
            clients: clients::Clients::default(),
            proven: Mutex::default(),
            heard: Mutex::default(),
            known: Known::default(),
            new_keys: Mutex::default(),
        }))
    }

    /// The provider of `object`.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when it is not there or not in order, [`Failure::Auth`] when its credentials are refused or not
    /// proven yet. Nothing is sent for it.
    pub(super) async fn connect<K: AtProvider>(
        &self,
        ctx: &Context,
        object: &K,
    ) -> Result<(Account, Connection), Failure> {
        let namespace = object.meta().namespace.as_deref().unwrap_or_default();
        let name = object.provider_key();
        let provider: Option<Arc<Provider>> = object.provider_ref().visible(ctx.lookup(), namespace);
        let provider = provider.ok_or_else(|| {
            Failure::DependencyMissing(format!(
                "Provider {name} does not exist, or does not allow references from namespace {namespace}"
            ))
        })?;
        if let Some(message) = not_in_order(&provider) {
            return Err(Failure::DependencyMissing(format!("Provider {name} is not in order: {message}")));
        }
        let (account, connection) = self.open(ctx, &provider).await?;
        match self.0.proven.lock().get(&name) {
            Some(digest) if *digest == connection.digest => Ok((account, connection)),
            Some(_) => {
                Err(Failure::Auth(format!("Provider {name} has credentials that are not proven; see there")))
            }
            None => Err(Failure::Transient(format!("Provider {name} is not looked at yet"))),
        }
    }

    /// The provider of `object`, all of which is at IAM.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub(super) async fn connect_to_iam<K: AtProvider>(
        &self,
        ctx: &Context,
        object: &K,
    ) -> Result<(Account, Connection), Failure> {
        let (_, connection) = self.connect(ctx, object).await?;
        Ok((connection.iam.clone(), connection))
    }

    /// The provider that `provider` says.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when credentials or a CA bundle are missing.
    pub(super) async fn open(
        &self,
        ctx: &Context,
        provider: &Arc<Provider>,
    ) -> Result<(Account, Connection), Failure> {
        let key = ObjectKey::of(&**provider);
        let name = format!("{}/{}", key.namespace, key.name);
        let needed = secrets_of(provider);
        let needed: Vec<_> = needed.iter().map(|(_, name)| name.as_str()).collect();
        let spec = serde_json::to_string(&provider.spec).unwrap_or_default();
        let dial = |secrets: &Secrets| self.dial(ctx, provider, secrets);
        let Opened { clients, id, digest } = self.0.clients.get(ctx, &key, &needed, spec, dial).await?;
        let account = Account::new("s3", name.clone())
            .with_limits(limits(provider.spec.rate_limit.as_ref(), Limits::default()))
            .with_credentials(digest.clone())
            .watched_by(key);
        let cluster = ctx.cluster_uid().await?;
        let (provider, providers) = (provider.clone(), self.clone());
        let (iam, sts) = (account.part("IAM"), account.part("STS"));
        Ok((account, Connection { clients, provider, cluster, name, iam, sts, key: id, digest, providers }))
    }

    fn endpoint(&self, ctx: &Context, provider: &Provider, trust: Trust) -> Result<Endpoint, Failure> {
        let spec = &provider.spec;
        let parse = |field: &str, text: &str| {
            Url::parse(text).map_err(|_| Failure::Invalid(format!("the Provider's {field} is no URL")))
        };
        let s3 = parse("endpoint", &spec.endpoint)?;
        let iam = spec.iam_endpoint.as_deref().map(|url| parse("iamEndpoint", url)).transpose()?;
        let sts = match spec.profile() {
            Profile::Aws if s3.host_str().is_some_and(|host| host.ends_with(".amazonaws.com")) => {
                Url::parse(&format!("https://sts.{}.amazonaws.com", spec.region)).ok()
            }
            Profile::Wasabi if s3.host_str().is_some_and(|host| host.ends_with(".wasabisys.com")) => {
                Url::parse("https://sts.wasabisys.com").ok()
            }
            _ => iam.clone(),
        };
        Ok(Endpoint {
            s3,
            iam,
            iam_region: spec.iam_region().to_owned(),
            sts,
            region: spec.region.clone(),
            path_style: spec.path_style.unwrap_or(true),
            trust,
            connect: self.0.connect,
            attempt: ctx.request_timeout(),
        })
    }

    fn dial(&self, ctx: &Context, provider: &Provider, secrets: &Secrets) -> Result<Opened, Failure> {
        let keys = secrets::keys(provider, secrets)?;
        let trust = secrets::trust(provider.spec.tls.as_ref(), secrets)?;
        let endpoint = self.endpoint(ctx, provider, trust)?;
        let (clients, digest) = aws::dial(&*self.0.dial, &endpoint, &keys)?;
        Ok(Opened { clients, id: keys.id, digest })
    }

    /// Nobody is to use the Provider of this name, or uses it any more.
    pub(super) fn forget(&self, name: &str) {
        self.0.proven.lock().remove(name);
        self.0.heard.lock().remove(name);
    }
}

impl Connection {
    /// The same for a bucket of `region`, where that is another than the Provider's.
    pub(super) fn in_region(mut self, region: Option<&str>) -> Self {
        if let Some(region) = region.filter(|region| *region != self.provider.spec.region) {
            self.clients = self.clients.in_region(region);
        }
        self
    }

    /// From now on others may use the credentials.
    pub(super) fn prove(&self) {
        let mut proven = self.providers.0.proven.lock();
        proven.insert(self.name.clone(), self.digest.clone());
    }

    /// From now on nobody may, whatever becomes of the condition that says so.
    pub(super) fn disprove(&self) {
        self.providers.forget(&self.name);
    }

    /// Keeps in mind that S3 answered, and whose the buckets are.
    pub(super) fn note_heard(&self, owner: Option<String>) {
        let heard = Heard { at: Instant::now(), digest: self.digest.clone(), owner };
        self.providers.0.heard.lock().insert(self.name.clone(), heard);
    }

    /// Whose the buckets are, when S3 answered so short a time ago that it is not asked again for the sake of IAM or STS.
    pub(super) fn heard(&self) -> Option<Option<String>> {
        let all = self.providers.0.heard.lock();
        let is_fresh = |heard: &&Heard| heard.digest == self.digest && heard.at.elapsed() < HEARD;
        all.get(&self.name).filter(is_fresh).map(|heard| heard.owner.clone())
    }

    /// Keeps in mind that the service may not know this access key everywhere yet.
    pub(super) fn note_new_key(&self, id: &str) {
        let mut keys = self.providers.0.new_keys.lock();
        keys.retain(|_, made| made.elapsed() < NEW);
        keys.insert(id.to_owned(), Instant::now());
    }

    /// Whether the access key that is used here was made a moment ago.
    pub(super) fn key_is_new(&self) -> bool {
        self.providers.0.new_keys.lock().get(&self.key).is_some_and(|made| made.elapsed() < NEW)
    }

    pub(super) fn known(&self) -> &Known {
        &self.providers.0.known
    }
}

/// What is wrong with a Provider whose credentials are taken.
fn not_in_order(provider: &Provider) -> Option<&str> {
    let ready = provider.status.as_ref()?.condition(ConditionType::Ready.as_str())?;
    let wrong = ready.status == "False" && ready.reason == ConditionReason::OwnedByOther.as_str();
    wrong.then_some(ready.message.as_str())
}
