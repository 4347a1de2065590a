//! A run: one look at one object, and what its kind's code may use during it.

use std::{collections::BTreeMap, fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use concierge_shared::{
    admission::lookup::{Found, Lookup, Query},
    index::Stored,
    kind::Kind,
};
use jiff::Timestamp;
use kube::core::ApiResource;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

pub(crate) mod guard;
pub(crate) mod secrets;

use crate::engine::{
    account::{Account, Limiter, with_status},
    cluster::{
        ClusterError, Target,
        objects::{ObjectKey, is_older},
        resource_of,
    },
    retry::Failure,
    schedule::queue::Lane,
    shared::Shared,
};

/// The run over one object.
#[derive(Clone)]
pub struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) limiter: Arc<Limiter>,
    key: Arc<ObjectKey>,
    lane: Lane,
    id: Arc<str>,
}

impl Context {
    pub(crate) fn new(shared: Arc<Shared>, key: ObjectKey, lane: Lane, id: String) -> Self {
        let limiter = shared.accounts.none();
        Self { shared, limiter, key: Arc::new(key), lane, id: id.into() }
    }

    pub(crate) fn at(mut self, limiter: Arc<Limiter>) -> Self {
        self.limiter = limiter;
        self
    }

    /// The same run at another account.
    pub(crate) fn elsewhere(&self, account: &Account) -> Self {
        self.clone().at(self.shared.accounts.limiter(account))
    }

    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Why the object is looked at.
    pub(crate) fn lane(&self) -> Lane {
        self.lane
    }

    /// Whether somebody has changed the object since it was looked at: then nothing that is remembered of its surroundings is believed.
    pub(crate) fn is_edited(&self) -> bool {
        self.lane == Lane::Edit
    }

    /// The run's id, which all its log lines carry: for a header that a remote service logs.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// What the operator set about the rules.
    pub(crate) fn rules(&self) -> &concierge_shared::group::Settings {
        &self.shared.settings.rules
    }

    /// How long a remote call may take.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.shared.settings.request_timeout
    }

    /// The objects around, as far as the cache knows.
    pub fn lookup(&self) -> &dyn Lookup {
        &*self.shared.objects
    }

    /// All objects of a kind with an index key, which only objects of `namespace` have unless it is empty.
    ///
    /// # Errors
    /// [`Failure::Transient`] when there can be others than the cache shows: that nothing is seen is no reason to remove anything.
    pub(crate) fn select(
        &self,
        kind: &'static str,
        namespace: &str,
        key: &str,
    ) -> Result<Vec<Stored>, Failure> {
        let selection = match namespace {
            "" => self.lookup().select(kind, key),
            namespace => self.lookup().select_in(kind, namespace, key),
        };
        match selection.complete {
            true => Ok(selection.objects),
            false => Err(not_complete(kind)),
        }
    }

    /// How many objects of a kind have an index key.
    ///
    /// # Errors
    /// As [`Self::select`].
    pub(crate) fn count(&self, kind: &'static str, key: &str) -> Result<usize, Failure> {
        self.lookup().count(kind, key).ok_or_else(|| not_complete(kind))
    }

    /// An object of kind `K` with an index key that is `wanted`, other than that of this run: as the cache has it, or newer, as it was
    /// written a moment ago. Only objects of `namespace` have the key, unless it is empty.
    ///
    /// # Errors
    /// [`Failure::Transient`] when there can be others: what an object has recorded must not be missed.
    pub(crate) async fn find_recorded<K: Kind>(
        &self,
        namespace: &str,
        key: &str,
        wanted: impl Fn(&K) -> bool + Send + Sync,
    ) -> Result<Option<Arc<K>>, Failure> {
        self.wait_counted().await?;
        let newer = self.shared.newer.of_kind(K::NAME);
        let is_wanted = |object: &Stored| {
            ObjectKey::from(object) != *self.key && object.get::<K>().is_some_and(|object| wanted(&object))
        };
        if let Some(found) = newer.values().find(|object| object.has_key(key) && is_wanted(object)) {
            return Ok(found.get());
        }
        let is_newest = |cached: &Stored| {
            let newer = newer.get(&ObjectKey::from(cached));
            newer.is_none_or(|newer| !is_older(cached.meta(), newer.meta()))
        };
        let query = Query::all(K::NAME, namespace, key);
        let selection = self.lookup().first(query, 1, &|cached| is_wanted(cached) && is_newest(cached));
        match (selection.objects.first(), selection.complete) {
            (Some(found), _) => Ok(found.get()),
            (None, true) => Ok(None),
            (None, false) => Err(not_complete(K::NAME)),
        }
    }

    /// Waits until what earlier leaders have written is known.
    async fn wait_counted(&self) -> Result<(), Failure> {
        let fencing_token = self.shared.term.borrow().as_ref().map(|term| term.token.clone());
        let Some(fencing_token) = fencing_token else {
            return Err(Failure::Transient("another replica leads by now".into()));
        };
        let counted =
            tokio::time::timeout(self.request_timeout(), self.shared.calls.wait_counted(&fencing_token));
        counted
            .await
            .map_err(|_| Failure::Transient("the calls of earlier leaders are not counted yet".into()))
    }

    /// The object of kind `K` and this name, as far as the cache knows.
    pub fn get<K: Kind>(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        match self.lookup().find(K::NAME, namespace, name) {
            Found::Present(object) => object.get(),
            Found::Absent | Found::Unknown => None,
        }
    }

    /// The Secret of this name, read from the API server.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when there is none.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Secret, Failure> {
        self.find_secret(namespace, name).await?.ok_or_else(|| {
            Failure::DependencyMissing(format!("Secret {namespace}/{name} does not exist; create it"))
        })
    }

    /// The same, where there need be none.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) async fn find_secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, Failure> {
        let found = self.shared.cluster.get(&secret_target(namespace, name)).await.map_err(|error| match error {
            ClusterError::Forbidden(_) => Failure::DependencyMissing(format!(
                "Secret {namespace}/{name} may not be read; an administrator can allow it (chart: reconciler.secretNamespaces)"
            )),
            error => kubernetes(error),
        })?;
        found.map(|object| Secret::read(format!("{namespace}/{name}"), &object)).transpose()
    }

    /// The objects of a resource with these labels, or all when none are given, in a namespace, as the API server has them now.
    ///
    /// # Errors
    /// When the API server can't be asked.
    pub(crate) async fn labelled(
        &self,
        resource: &ApiResource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut visit = |object| all.push(object);
        let list = self.shared.cluster.list_labelled(resource, namespace, selector, &mut visit);
        list.await.map_err(kubernetes)?;
        Ok(all)
    }

    /// A token of a ServiceAccount, which lasts for ten minutes, the shortest time that there is.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when we may not have it, [`Failure::DependencyMissing`] when there is no such ServiceAccount.
    pub(crate) async fn account_token(&self, namespace: &str, account: &str) -> Result<String, Failure> {
        let (target, request) = token_request(namespace, account);
        let made = self.shared.cluster.create(&target, &request).await.map_err(kubernetes)?;
        let token = made["status"]["token"].as_str().filter(|token| !token.is_empty());
        let missing = || {
            Failure::Transient(format!(
                "the API server gave no token of ServiceAccount {namespace}/{account}"
            ))
        };
        token.map(str::to_owned).ok_or_else(missing)
    }

    /// What tells this cluster from any other: the uid of the namespace kube-system.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) async fn cluster_uid(&self) -> Result<String, Failure> {
        let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Namespace>(&());
        let target = Target { resource, namespace: String::new(), name: "kube-system".into() };
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let uid = found.as_ref().and_then(|namespace| namespace["metadata"]["uid"].as_str());
        let missing = || Failure::DependencyMissing("namespace kube-system can't be read".into());
        uid.map(str::to_owned).ok_or_else(missing)
    }

    /// Shows `visit` each stored object of a kind as the API server has it now, page by page.
    ///
    /// # Errors
    /// When the API server can't be asked; [`Failure::Transient`] when an object can't be read: what it has recorded is then
    /// not known, and whoever asks must not take it for nothing.
    pub(crate) async fn for_each_stored<K: Kind>(
        &self,
        mut visit: impl FnMut(K) + Send,
    ) -> Result<(), Failure> {
        let mut unreadable = 0;
        let mut read = |object| match serde_json::from_value(object) {
            Ok(object) => visit(object),
            Err(error) => {
                tracing::warn!(kind = K::NAME, %error, "a stored object can't be read");
                unreadable += 1;
            }
        };
        self.shared.cluster.for_each(&resource_of::<K>(), "", &mut read).await.map_err(kubernetes)?;
        match unreadable {
            0 => Ok(()),
            _ => Err(Failure::Transient(format!("{unreadable} stored {}s can't be read", K::NAME))),
        }
    }

    /// Makes a call that changes nothing at the account of this run, in its turn and with the engine's time-out.
    ///
    /// # Errors
    /// What `call` returns; [`Failure::Auth`] without a call while the account's credentials are known to be wrong;
    /// [`Failure::Throttled`] without one when the account is too busy.
    pub async fn read<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.read_within(operation, self.request_timeout(), call).await
    }

    /// The same for a call that may take longer than the engine's time-out, up to `most`.
    pub(crate) async fn read_within<T>(
        &self,
        operation: &'static str,
        most: Duration,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.limiter.turn().await?;
        self.call(operation, most, Failure::Transient, call).await.map_err(Failure::of_a_read)
    }

    /// Lets one call of this run's account through although its breaker is open: a person asks whether it can be used by now.
    pub(crate) fn probe_if_edited(self) -> Self {
        if self.is_edited() {
            self.limiter.allow_probe();
        }
        self
    }

    /// Makes a call whose turn it is, and which is over after `most`.
    pub(crate) async fn call<T>(
        &self,
        operation: &'static str,
        most: Duration,
        unanswered: fn(String) -> Failure,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        // The monotonic clock stands still while a machine is suspended, and others lead meanwhile, so the wall clock is asked too.
        let clock = &self.shared.clock;
        let latest = clock.now().saturating_add(most).unwrap_or(Timestamp::MAX);
        let (result, status) =
            within(began + most, || clock.now() > latest, with_status(call)).await.unwrap_or_else(|| {
                let late = format!("{operation} was not answered within {} s", most.as_secs_f32());
                (Err(unanswered(late)), None)
            });
        self.limiter.note_result(&result, status);
        let outcome = result.as_ref().map_or_else(|failure| failure.reason().as_str(), |_| "ok");
        self.shared.metrics.call(self.limiter.service, operation, outcome, began.elapsed());
        tracing::debug!(operation, outcome, "remote call");
        result
    }
}

/// `call` as long as it is driven before `deadline`, and not `too_late`. A process that was suspended does not go on with what it was
/// about to send: [`tokio::time::timeout`] would let it.
async fn within<T>(
    deadline: Instant,
    too_late: impl Fn() -> bool,
    call: impl Future<Output = T>,
) -> Option<T> {
    let (mut call, mut late) = (pin!(call), pin!(sleep_until(deadline)));
    poll_fn(|context| {
        let over = Instant::now() >= deadline || too_late() || late.as_mut().poll(context).is_ready();
        if over { Poll::Ready(None) } else { call.as_mut().poll(context).map(Some) }
    })
    .await
}

/// What an error of the API server means for the code of a kind.
pub(crate) fn kubernetes(error: ClusterError) -> Failure {
    match error {
        ClusterError::Conflict | ClusterError::Exists => Failure::Conflict(error.to_string()),
        ClusterError::NotFound => Failure::DependencyMissing(error.to_string()),
        ClusterError::Forbidden(said) => Failure::Forbidden(forbidden(&said)),
        ClusterError::Refused(_) => Failure::Invalid(error.to_string()),
        ClusterError::Unknown(_) => Failure::Transient(error.to_string()),
    }
}

/// What the API server said, which names the right that is missing if it is one, and who can do what about it.
fn forbidden(said: &str) -> String {
    let remedy = match said.contains(" cannot ") {
        true if said.contains("resource \"secrets\"") => {
            "; an administrator can allow it (chart: reconciler.secretNamespaces)"
        }
        true => "; an administrator gives this right back by installing the chart again (helm upgrade)",
        // A quota, or a namespace that is being deleted.
        false => "",
    };
    format!("the API server forbids it: {said}{remedy}")
}

fn not_complete(kind: &str) -> Failure {
    Failure::Transient(format!("the {kind} objects can't be looked up now"))
}

pub(crate) fn secret_target(namespace: &str, name: &str) -> Target {
    let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Secret>(&());
    Target { resource, namespace: namespace.into(), name: name.into() }
}

/// The request for a token of a ServiceAccount. It is created, and not stored.
pub fn token_request(namespace: &str, account: &str) -> (Target, Value) {
    let resource = ApiResource {
        group: String::new(),
        version: "v1".into(),
        api_version: "v1".into(),
        kind: "TokenRequest".into(),
        plural: format!("serviceaccounts/{account}/token"),
    };
    let target = Target { resource, namespace: namespace.into(), name: account.into() };
    let request = serde_json::json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {},
        "spec": { "audiences": [], "expirationSeconds": 600 },
    });
    (target, request)
}

/// A Secret's values.
pub struct Secret {
    name: String,
    data: BTreeMap<String, Vec<u8>>,
}

impl Secret {
    /// The Secret in an object of the API server.
    pub(crate) fn read(name: String, object: &Value) -> Result<Self, Failure> {
        let data = object.get("data").filter(|data| !data.is_null()).cloned();
        let data = data.unwrap_or_else(|| Value::Object(Default::default()));
        let data: BTreeMap<String, k8s_openapi::ByteString> = serde_json::from_value(data)
            .map_err(|_| Failure::DependencyMissing(format!("Secret {name} can't be read")))?;
        Ok(Self { name, data: data.into_iter().map(|(key, value)| (key, value.0)).collect() })
    }

    /// The text under `key`, without white space around it.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when there is none, or it is not text.
    pub fn text(&self, key: &str) -> Result<&str, Failure> {
        match std::str::from_utf8(self.bytes(key)?) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim()),
            _ => Err(Failure::DependencyMissing(format!("key {key} of Secret {} is not text", self.name))),
        }
    }

    /// All keys with their bytes.
    pub(crate) fn all(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.data
    }

    /// The bytes under `key`.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when there are none.
    pub fn bytes(&self, key: &str) -> Result<&[u8], Failure> {
        let missing = || Failure::DependencyMissing(format!("Secret {} has no key {key}; add it", self.name));
        self.data.get(key).map(Vec::as_slice).ok_or_else(missing)
    }
}

/// The names, never the values.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).field("keys", &self.data.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a call was sent, of which so much time is left by the one clock and which is too late by the other.
    async fn sends(left: Duration, too_late: bool) -> bool {
        within(Instant::now() + left, || too_late, async {}).await.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_late_by_either_clock_is_not_sent() {
        let hour = Duration::from_secs(3600);
        assert!(sends(hour, false).await);
        assert!(!sends(Duration::ZERO, false).await);
        assert!(!sends(hour, true).await, "the machine was suspended, and its own clock with it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_under_way_ends_when_it_is_too_late_by_either_clock() {
        let began = Instant::now();
        assert!(
            within(began + Duration::from_secs(5), || false, std::future::pending::<()>()).await.is_none()
        );
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        let (suspended, sent) = (std::cell::Cell::new(false), std::cell::Cell::new(false));
        let call = async {
            suspended.set(true);
            tokio::task::yield_now().await;
            sent.set(true);
        };
        assert!(within(began + Duration::from_secs(3600), || suspended.get(), call).await.is_none());
        assert!(!sent.get());
    }
}
