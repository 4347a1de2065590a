//! A run: one look at one object, and what its kind's code may use during it.

use std::{sync::Arc, time::Duration};

use concierge_shared::{
    admission::lookup::{Found, Lookup, Query},
    index::Stored,
    kind::Kind,
};
use jiff::Timestamp;

mod call;
pub(crate) mod guard;
pub(crate) mod secrets;
mod stored;

pub use self::stored::{Secret, token_request};
pub(crate) use self::stored::{kubernetes, secret_target, unreadable};
use crate::engine::{
    account::{Account, Limiter},
    cluster::objects::{ObjectKey, is_older},
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
        self.find(namespace, name).ok().flatten()
    }

    /// The same, for what must not be taken for gone because the cache does not know.
    ///
    /// # Errors
    /// [`Failure::Transient`] when the cache does not know.
    pub fn find<K: Kind>(&self, namespace: &str, name: &str) -> Result<Option<Arc<K>>, Failure> {
        match self.lookup().find(K::NAME, namespace, name) {
            Found::Unknown => Err(not_complete(K::NAME)),
            Found::Present(object) => Ok(object.get()),
            Found::Absent => Ok(None),
        }
    }
}

fn not_complete(kind: &str) -> Failure {
    Failure::Transient(format!("the {kind} objects can't be looked up now"))
}
