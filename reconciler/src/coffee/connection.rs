//! Finds an object's account at the shop, and makes calls to it.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use concierge_shared::{
    admission::lookup::Found,
    coffee::{Environment, Shop, TerminalAccount, UsedAccount, UsesAccount},
    kind::Kind,
    status::{ConditionReason, ConditionType, Conditions},
};
use parking_lot::Mutex;
use reqwest::Url;

use super::client::{Client, Error, Http, HttpError, HttpSettings, Operation, SecretText, Transport};
use crate::common::{
    clients::{Clients, Secrets},
    rate_limit::limits,
};
use crate::engine::{Account, Context, Failure, Guard, Limits, ObjectKey};

/// How many removals are remembered. One that is forgotten is asked for once more.
const REMOVALS: usize = 10_000;
/// How many connections are kept when more are asked for.
const TRANSPORTS: usize = 100;

/// Makes a transport to the shop at a base URL.
pub type Dial = dyn Fn(&Url) -> Result<Arc<dyn Transport>, HttpError> + Send + Sync;

/// The connections to all shops. Clones are the same.
#[derive(Clone)]
pub struct Shops(Arc<Inner>);

struct Inner {
    dial: Box<Dial>,
    transports: Mutex<HashMap<String, Arc<dyn Transport>>>,
    clients: Clients<(Client, String)>,
    removed: Mutex<HashSet<String>>,
}

/// One account at the shop.
pub(super) struct Connection {
    pub(super) client: Client,
    /// The account as the status names it.
    pub(super) used: UsedAccount,
    shops: Shops,
}

impl Shops {
    /// Over HTTP, as each account says where. A call that gets no connection within `connect` was never sent.
    pub fn over_http(connect: Duration) -> Self {
        Self::dialled(move |url| {
            let settings = HttpSettings { connect_timeout: connect, ..HttpSettings::new(url.clone()) };
            Ok(Arc::new(Http::new(&settings)?))
        })
    }

    /// Over the transports that `dial` makes, one for each base URL.
    pub fn dialled(
        dial: impl Fn(&Url) -> Result<Arc<dyn Transport>, HttpError> + Send + Sync + 'static,
    ) -> Self {
        let (transports, removed, clients) = (Mutex::default(), Mutex::default(), Clients::default());
        Self(Arc::new(Inner { dial: Box::new(dial), transports, clients, removed }))
    }

    /// The account of `object`, whose remote thing was made at `made_at` if it was made.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when there is no account, when it is not in order, or not the one at which the remote
    /// thing was made.
    pub(super) async fn connect<K: UsesAccount>(
        &self,
        ctx: &Context,
        object: &K,
        made_at: Option<&UsedAccount>,
    ) -> Result<(Account, Connection), Failure> {
        let key = account_of(ctx, object)?;
        let account = ctx.get::<TerminalAccount>(&key.namespace, &key.name);
        let account = account.ok_or_else(|| {
            Failure::DependencyMissing(format!("{key} does not exist; create it, or set spec.accountRef"))
        })?;
        if let Some(message) = not_in_order(&account) {
            return Err(Failure::DependencyMissing(format!("{key} is not in order: {message}")));
        }
        let (at, connection) = self.open(ctx, &account).await?;
        if let Some(made_at) = made_at {
            check_same(made_at, &connection.used)?;
        }
        Ok((at, connection))
    }

    /// The account that `account` says.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when its token is missing, or is one of the other environment: then nothing is sent.
    pub(super) async fn open(
        &self,
        ctx: &Context,
        account: &TerminalAccount,
    ) -> Result<(Account, Connection), Failure> {
        let namespace = account.metadata.namespace.as_deref().unwrap_or_default();
        let name = account.metadata.name.as_deref().unwrap_or_default();
        let url = account.spec.shop_url();
        let (client, credentials) = self.client(ctx, account, url).await?;
        let status = account.status.as_ref().filter(|status| status.base_url.as_deref() == Some(url));
        let used = UsedAccount {
            name: format!("{namespace}/{name}"),
            base_url: url.to_owned(),
            user_id: status.and_then(|status| status.user_id.clone()),
        };
        let at = Account::new("terminal", used.name.clone())
            .with_limits(one_at_a_time(account))
            .with_credentials(credentials);
        Ok((at, Connection { client, used, shops: self.clone() }))
    }

    /// The client of `account` at `url`, with a digest of its token.
    async fn client(
        &self,
        ctx: &Context,
        account: &TerminalAccount,
        url: &str,
    ) -> Result<(Client, String), Failure> {
        let entry = &account.spec.token_secret_ref;
        let settings = (url, &entry.key, account.spec.environment.unwrap_or_default() as u8);
        let make = |secrets: &Secrets| {
            let token = SecretText::trimmed(secrets.of(&entry.name)?.text(&entry.key)?);
            if let Some(message) = mismatch(account, &token) {
                return Err(Failure::DependencyMissing(message));
            }
            let digest = digest(token.expose());
            Ok((Client::new(self.transport(url)?, token).with_timeout(ctx.request_timeout()), digest))
        };
        self.0.clients.get(ctx, &ObjectKey::of(account), &[&entry.name], settings, make).await
    }

    fn transport(&self, url: &str) -> Result<Arc<dyn Transport>, Failure> {
        let mut transports = self.0.transports.lock();
        if let Some(transport) = transports.get(url) {
            return Ok(transport.clone());
        }
        if transports.len() >= TRANSPORTS {
            // Users name the URLs. Those that no run uses now are dialled again when one does.
            transports.retain(|_, transport| Arc::strong_count(transport) > 1);
        }
        let parsed =
            Url::parse(url).map_err(|_| Failure::Invalid("the account's baseUrl is no URL".into()))?;
        let transport = (self.0.dial)(&parsed).map_err(|error| Failure::Invalid(error.to_string()))?;
        transports.insert(url.to_owned(), transport.clone());
        Ok(transport)
    }
}

impl Connection {
    /// Makes a call that changes nothing.
    pub(super) async fn read<T>(
        &self,
        ctx: &Context,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Failure> {
        ctx.read(operation.name(), async { call.await.map_err(failure) }).await
    }

    /// Looks for one thing; `None` when the shop does not show it.
    pub(super) async fn find<T>(
        &self,
        ctx: &Context,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<Option<T>, Failure> {
        let call = async {
            match call.await {
                Ok(found) => Ok(Some(found)),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(failure(error)),
            }
        };
        ctx.read(operation.name(), call).await
    }

    /// Makes a call that changes something.
    pub(super) async fn write<T>(
        &self,
        guard: &Guard,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Failure> {
        guard.write(operation.name(), async { call.await.map_err(failure) }).await
    }

    /// Removes `id`, and remembers that the shop has confirmed it. That it is gone already confirms it too.
    pub(super) async fn remove(
        &self,
        guard: &Guard,
        operation: Operation,
        id: &str,
        call: impl Future<Output = Result<(), Error>> + Send,
    ) -> Result<(), Failure> {
        let call = async {
            match call.await {
                Err(error) if error.is_not_found() => Ok(()),
                other => other.map_err(failure),
            }
        };
        guard.write(operation.name(), call).await?;
        let mut removed = self.shops.0.removed.lock();
        if removed.len() >= REMOVALS {
            removed.clear();
        }
        removed.insert(id.to_owned());
        Ok(())
    }

    /// Whether the shop has confirmed the removal of `id` to this process.
    pub(super) fn is_removed(&self, id: &str) -> bool {
        self.shops.0.removed.lock().contains(id)
    }
}

/// The TerminalAccount that `object` belongs to.
pub(super) fn account_of<K: UsesAccount>(ctx: &Context, object: &K) -> Result<ObjectKey, Failure> {
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    let shop = Shop::of(ctx.lookup(), &ctx.rules().coffee, namespace, object.account_ref());
    let name = shop.account.ok_or_else(|| Failure::Transient("the account can't be looked up now".into()))?;
    match name.split_once('/') {
        Some((namespace, name)) => Ok(ObjectKey::new(TerminalAccount::NAME, namespace, name)),
        None => Err(Failure::DependencyMissing(format!(
            "there is no account: create a TerminalAccount named default in namespace {namespace}, or set spec.accountRef"
        ))),
    }
}

/// The accounts to wake when an object that uses them changes or goes: one that is being deleted may be waiting for that. An object
/// that never got our finalizer goes without being seen to be deleted.
pub(super) fn accounts_to_wake<K: UsesAccount>(ctx: &Context, versions: &[&K]) -> Vec<ObjectKey> {
    let is_leaving = |key: &ObjectKey| match ctx.lookup().find(key.kind, &key.namespace, &key.name) {
        Found::Present(account) => account.meta().deletion_timestamp.is_some(),
        Found::Absent | Found::Unknown => false,
    };
    versions.iter().flat_map(|object| account_of(ctx, *object)).filter(is_leaving).collect()
}

/// Whose token it is was checked, and it is not the account's user's.
fn not_in_order(account: &TerminalAccount) -> Option<&str> {
    let ready = account.status.as_ref()?.condition(ConditionType::Ready.as_str())?;
    let wrong = ready.status == "False" && ready.reason == ConditionReason::OwnedByOther.as_str();
    wrong.then_some(ready.message.as_str())
}

fn check_same(made_at: &UsedAccount, now: &UsedAccount) -> Result<(), Failure> {
    let same = made_at.base_url == now.base_url
        && match (&made_at.user_id, &now.user_id) {
            (Some(before), Some(now)) => before == now,
            _ => made_at.name == now.name,
        };
    let message = format!(
        "belongs to account {} at {}, and ids mean nothing elsewhere; restore that account",
        made_at.name, made_at.base_url
    );
    if same { Ok(()) } else { Err(Failure::DependencyMissing(message)) }
}

/// One run at a time, so that an account's orders are placed one after the other.
fn one_at_a_time(account: &TerminalAccount) -> Limits {
    Limits { concurrency: 1, ..limits(account.spec.rate_limit.as_ref(), Limits::default()) }
}

/// What is wrong when the token is of the other environment.
fn mismatch(account: &TerminalAccount, token: &SecretText) -> Option<String> {
    let environment = account.spec.environment.unwrap_or_default();
    let (kind, word) = match environment {
        Environment::Dev if token.expose().starts_with("trm_live_") => ("a live token", "dev"),
        Environment::Production if token.expose().starts_with("trm_test_") => ("a test token", "production"),
        _ => return None,
    };
    let entry = &account.spec.token_secret_ref;
    Some(format!(
        "key {} of Secret {} holds {kind}, but the account's environment is {word}; put a token of that environment there",
        entry.key, entry.name
    ))
}

fn digest(token: &str) -> String {
    let mut digest = DefaultHasher::new();
    token.hash(&mut digest);
    format!("{:x}", digest.finish())
}

/// The class of what went wrong with a call.
pub(super) fn failure(error: Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::NeverSent { .. } => Failure::NeverSent(message),
        Error::Unsendable { .. } => Failure::Invalid(message),
        Error::Refused { refusal, .. } if refusal.status == 409 => Failure::Conflict(message),
        Error::Refused { .. } => Failure::Invalid(message),
        Error::Throttled { retry_after, .. } => Failure::Throttled { message, retry_after },
        Error::Auth { .. } => Failure::Auth(message),
        Error::Transient { .. } => Failure::Transient(message),
        Error::Ambiguous { .. } => Failure::Ambiguous(message),
    }
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::*;
    use crate::coffee::client::{Answer, Failure as Lost, Request};

    struct Nowhere;

    impl Transport for Nowhere {
        fn send(&self, _: Request) -> BoxFuture<'_, Result<Answer, Lost>> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn shops_that_nobody_uses_now_are_forgotten_and_those_in_use_are_not() {
        let shops = Shops::dialled(|_| Ok(Arc::new(Nowhere)));
        let used = shops.transport("https://used.example").unwrap();
        for n in 0..10 * TRANSPORTS {
            shops.transport(&format!("https://shop-{n}.example")).unwrap();
            assert!(shops.0.transports.lock().len() <= TRANSPORTS + 1);
        }
        assert!(Arc::ptr_eq(&used, &shops.transport("https://used.example").unwrap()));
    }
}
