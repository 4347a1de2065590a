//! Live reads: before a request is refused because of what a cache does not hold, the API server is asked.

mod objects;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use concierge_runtime::{cache::Cache, client::found, logs::Seldom, warn_seldom};
use concierge_shared::{
    admission::{
        envelope::UserInfo,
        fresh::Fresh,
        lookup::{Namespace, Need},
    },
    index::Stored,
    kind::{KindInfo, by_name},
};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared, join_all},
};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, api::PostParams};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use self::objects::Objects;
use super::metrics::{Metrics, Outcome};

/// How long an answer to "may this user read these objects" is remembered.
const PERMISSION: Duration = Duration::from_secs(10);
/// How many of them.
const PERMISSIONS: usize = 10_000;

/// How many lists, and how many single objects, are read at once.
const LISTS: usize = 4;
const OBJECTS: usize = 64;

/// Reads the cluster.
#[derive(Clone)]
pub(crate) struct Live {
    client: Client,
    metrics: Metrics,
    permissions: Arc<Mutex<HashMap<Permission, (bool, Instant)>>>,
    flights: Arc<Mutex<Flights>>,
    lists: Arc<Semaphore>,
    objects: Arc<Semaphore>,
    told: Arc<Seldom>,
}

/// The reads that wait for their turn.
#[derive(Default)]
struct Flights {
    by_need: HashMap<Need, WeakShared<Flight>>,
    /// How many were left when those that nobody waits for any more were last taken out.
    left: usize,
}

/// A live read. A request that needs the same before it begins waits for its answer; a request that comes later does not, because the
/// answer may be older than the request.
type Flight = BoxFuture<'static, Result<Objects, Arc<kube::Error>>>;

/// The answer to a need.
enum Answer {
    Objects(Objects),
    Namespace(Option<Namespace>),
    Permission(bool),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Permission {
    /// A digest of all that the API server says of the user: a token may have fewer rights than its owner, and of a user with hundreds of
    /// groups ten thousand copies are too many.
    user: [u8; 32],
    kind: &'static str,
    namespace: String,
    /// Of one object; empty for all of the namespace.
    name: String,
}

/// See [`Permission::user`].
fn digest(user: &UserInfo<'_>) -> [u8; 32] {
    let all = format!("{:?}", (&user.username, &user.uid, &user.groups, user.extra));
    Sha256::digest(all).into()
}

impl Live {
    pub(crate) fn new(client: Client, metrics: Metrics) -> Self {
        Self {
            client,
            metrics,
            permissions: Arc::default(),
            flights: Arc::default(),
            lists: Arc::new(Semaphore::new(LISTS)),
            objects: Arc::new(Semaphore::new(OBJECTS)),
            told: Arc::default(),
        }
    }

    /// Reads all `needs` of a request by `user` at once into `fresh`. What can't be read is left to the lookup behind.
    pub(crate) async fn read(&self, user: &UserInfo<'_>, needs: &[Need], fresh: &mut Fresh<'_>) {
        let answers = join_all(needs.iter().map(|need| self.ask(user, need))).await;
        for (need, answer) in needs.iter().zip(answers) {
            let outcome = match answer {
                Ok(answer) => {
                    answer.put(need, fresh);
                    "ok"
                }
                Err(error) => {
                    warn_seldom!(self.told, ?need, %error, "a live read failed");
                    "error"
                }
            };
            self.metrics.live_reads.get_or_create(&Outcome { outcome }).inc();
        }
    }

    async fn ask(&self, user: &UserInfo<'_>, need: &Need) -> Result<Answer, Arc<kube::Error>> {
        match need {
            Need::Object { .. } | Need::List { .. } => self.one(need).await.map(Answer::Objects),
            Need::Namespace { name } => {
                let meta = self.namespace(name).await?;
                Ok(Answer::Namespace(meta.map(|meta| Namespace::of(&meta))))
            }
            Need::Permission { kind, namespace, name } => {
                let Some(kind) = by_name(kind) else { return Ok(Answer::Permission(false)) };
                self.may_read(user, kind, namespace, name).await.map(Answer::Permission)
            }
        }
    }

    async fn namespace(&self, name: &str) -> Result<Option<ObjectMeta>, Arc<kube::Error>> {
        let _turn = self.objects.acquire().await;
        let namespaces: Api<core::Namespace> = Api::all(self.client.clone());
        Ok(found(namespaces.get_metadata(name).await)?.map(|namespace| namespace.metadata))
    }

    /// The object as it is now, or nothing when there is none.
    pub(crate) async fn object(&self, need: Need) -> Result<Option<Stored>, Arc<kube::Error>> {
        self.fetch(&need).await.map(|mut read| read.objects.pop())
    }

    /// Whether there is a namespace of this name, in the cache or, when it does not know it, at the API server.
    pub(crate) async fn namespace_exists(&self, cache: &Cache, name: &str) -> Result<bool, Arc<kube::Error>> {
        if cache.knows_namespace(name) {
            return Ok(true);
        }
        Ok(self.namespace(name).await?.is_some())
    }

    async fn one(&self, need: &Need) -> Result<Objects, Arc<kube::Error>> {
        let flight = self.flights.lock().join(need, || {
            let (this, wanted) = (self.clone(), need.clone());
            async move { this.fetch(&wanted).await }.boxed().shared()
        });
        flight.await
    }

    async fn fetch(&self, need: &Need) -> Result<Objects, Arc<kube::Error>> {
        let turns = match need {
            Need::List { .. } => &self.lists,
            _ => &self.objects,
        };
        // The semaphores are never closed.
        let _turn = turns.acquire().await;
        self.flights.lock().by_need.remove(need);
        Ok(objects::read(&self.client, need).await?)
    }

    /// Whether `user` may read the object of this kind and name, or all of the namespace when there is no name, and so may be told of
    /// them.
    ///
    /// # Errors
    /// When the API server does not tell. That is not remembered.
    pub(crate) async fn may_read(
        &self,
        user: &UserInfo<'_>,
        info: &'static KindInfo,
        namespace: &str,
        name: &str,
    ) -> Result<bool, Arc<kube::Error>> {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let permission = Permission { user: digest(user), kind: info.name, namespace, name };
        if let Some((allowed, since)) = self.permissions.lock().get(&permission)
            && since.elapsed() < PERMISSION
        {
            return Ok(*allowed);
        }
        let allowed = self.review(user, info, &permission.namespace, &permission.name).await?;
        let mut permissions = self.permissions.lock();
        if permissions.len() >= PERMISSIONS {
            permissions.clear();
        }
        permissions.insert(permission, (allowed, Instant::now()));
        Ok(allowed)
    }

    async fn review(
        &self,
        user: &UserInfo<'_>,
        info: &KindInfo,
        namespace: &str,
        name: &str,
    ) -> Result<bool, kube::Error> {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let extra = user.extra.map(serde_json::from_str).transpose().map_err(kube::Error::SerdeError)?;
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: text(&user.username),
                uid: text(&user.uid),
                groups: Some(user.groups.iter().map(ToString::to_string).collect()),
                extra,
                resource_attributes: Some(ResourceAttributes {
                    verb: Some("get".to_owned()),
                    group: Some((info.group)()),
                    resource: Some((info.plural)()),
                    namespace: text(namespace),
                    name: text(name),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let _turn = self.objects.acquire().await;
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let reviewed = reviews.create(&PostParams::default(), &review).await?;
        Ok(reviewed.status.is_some_and(|status| status.allowed))
    }
}

impl Answer {
    fn put(self, need: &Need, fresh: &mut Fresh<'_>) {
        match (self, need) {
            (Self::Objects(Objects { objects, complete }), _) => fresh.insert(need, objects, complete),
            (Self::Namespace(read), Need::Namespace { name }) => fresh.insert_namespace(name, read),
            (Self::Permission(may), Need::Permission { kind, namespace, name }) => {
                fresh.insert_permission(kind, namespace, name, may);
            }
            _ => {}
        }
    }
}

impl Flights {
    /// The read of `need` that has not begun, else the one that `begin` begins.
    fn join(&mut self, need: &Need, begin: impl FnOnce() -> Shared<Flight>) -> Shared<Flight> {
        if let Some(flight) = self.by_need.get(need).and_then(WeakShared::upgrade) {
            return flight;
        }
        if self.by_need.len() >= 2 * self.left.max(OBJECTS) {
            self.by_need.retain(|_, flight| flight.upgrade().is_some());
            self.left = self.by_need.len();
        }
        let flight = begin();
        if let Some(weak) = flight.downgrade() {
            self.by_need.insert(need.clone(), weak);
        }
        flight
    }
}

#[cfg(test)]
mod tests;
