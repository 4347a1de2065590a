//! Storages and connectors: nothing is made of them; what they name is looked at.

use std::{convert::Infallible, marker::PhantomData, time::Duration};

use concierge_shared::{
    index::Stored,
    kind::Kind,
    status::{ConditionReason, ConditionType, Conditions},
};
use futures::{
    StreamExt as _,
    stream::{self, FuturesOrdered},
};
use jiff::Timestamp;
use kube::core::object::HasStatus;
use reqwest::Url;

use super::{
    bucket::Bucket,
    looks::Looked,
    seen::{Seen, note_early_end},
    services::{Services, account},
    target::Target,
};
use crate::engine::{
    Account, Checks, Context, Deletion, Failure, Guard, ImplicitUsers, ObjectKey, Outcome, Plan, Reconcile,
    digest,
};

/// How often it is looked at while nothing changes.
const LOOK: Duration = Duration::from_secs(120);
/// The longest wait while no connection comes about: the end of such an outage is seen within ten seconds.
const WAIT: Duration = Duration::from_secs(4);

const UNTRUSTED: &str = "no authority that is believed here has signed the service's certificate, and others may believe it; nobody looks";

/// A kind whose objects name a service.
pub(super) trait Reachable: Kind<Status: Conditions + Clone + Send + Sync> {
    /// Where to look.
    fn target(&self) -> Target<'_>;

    /// How many objects use it, where its status tells.
    ///
    /// # Errors
    /// When that can't be told now.
    fn users(&self, _ctx: &Context) -> Result<Option<usize>, Failure> {
        Ok(None)
    }

    /// Those that use it without naming it.
    fn implicit_users(&self) -> Option<ImplicitUsers> {
        None
    }

    /// Whether `user` is one of them, as far as it may be.
    fn is_used_by(&self, _user: &Stored) -> bool {
        true
    }

    /// Fills its own fields of the status.
    fn report(&self, observed: &Observed, status: &mut <Self as HasStatus>::Status);

    /// Says in a sentence what is wrong, where its status has a field for it.
    fn conclude(_status: &mut <Self as HasStatus>::Status) {}
}

/// Looks at the services that objects of the kind `K` name.
pub(super) struct Reach<K>(Services, PhantomData<fn() -> K>);

impl<K> Reach<K> {
    pub(super) fn new(services: &Services) -> Self {
        Self(services.clone(), PhantomData)
    }
}

/// The way to a service, and the digest of where it leads and with which credentials.
pub(super) struct Way {
    to: To,
    of: String,
}

enum To {
    Bucket(Bucket),
    Catalog(Url),
    Ports(Vec<(String, u16)>),
    Nowhere(&'static str),
    /// What it takes is missing, or can't be used.
    Closed(Failure),
}

pub(super) struct Observed {
    pub(super) looked: Looked,
    pub(super) users: Option<usize>,
}

impl<K: Reachable> Reconcile for Reach<K> {
    type Kind = K;
    type Remote = Way;
    type Observed = Observed;
    type Step = Infallible;
    const NEEDS_SECRETS: bool = true;

    async fn connect(&self, ctx: &Context, object: &K) -> Result<(Account, Way), Failure> {
        let key = ObjectKey::of(object);
        let of = |what: String| {
            let of = format!("{:x}", digest(what));
            (account(&key, of.clone()), of)
        };
        let ((account, of), to) = match object.target() {
            Target::S3(place) => match self.0.open(ctx, &key, &place).await {
                Ok((account, opened)) => {
                    let of = opened.digest.clone();
                    ((account, of), To::Bucket(Bucket::new(&place, opened)))
                }
                Err(failure @ (Failure::DependencyMissing(_) | Failure::Invalid(_))) => {
                    ((Account::none(), String::new()), To::Closed(failure))
                }
                Err(failure) => return Err(failure),
            },
            Target::Catalog(url) => (of(url.to_string()), To::Catalog(url)),
            Target::Ports(ports) => (of(format!("{ports:?}")), To::Ports(ports)),
            Target::Nowhere(why) => ((Account::none(), String::new()), To::Nowhere(why)),
        };
        Ok((account, Way { to, of }))
    }

    async fn observe(&self, ctx: &Context, way: &Way, object: &K) -> Result<Observed, Failure> {
        let users = object.users(ctx)?;
        let unasked = |seen| Looked { seen, again: None, at: None };
        let looked = match &way.to {
            To::Nowhere(why) => unasked(Seen::not_checkable(why)),
            To::Closed(failure) => unasked(Seen::closed(failure)),
            To::Bucket(bucket) => self.0.looks().look(ctx, &way.of, bucket.look(ctx)).await?,
            To::Catalog(url) => self.0.looks().look(ctx, &way.of, self.catalog(ctx, url)).await?,
            To::Ports(ports) => self.0.looks().look(ctx, &way.of, self.ports(ctx, ports)).await?,
        };
        Ok(Observed { looked, users })
    }

    fn plan(&self, object: &K, observed: &Observed, _now: Timestamp) -> Plan<Infallible> {
        let has_secrets = !self.secrets(object).is_empty();
        observed.looked.seen.plan(observed.looked.again, has_secrets)
    }

    async fn act(&self, _: &Guard, _: &Way, _: &K, step: &Infallible) -> Result<Outcome, Failure> {
        match *step {}
    }

    fn plan_deletion(&self, _: &K, _: &Observed, _now: Timestamp) -> Deletion<Infallible> {
        Deletion::Gone
    }

    fn report(&self, object: &K, observed: &Observed, status: &mut K::Status) {
        object.report(observed, status);
    }

    fn phase(&self, object: &K, _: &Checks, status: &mut K::Status) {
        note_early_end(status, object.meta().generation);
        K::conclude(status);
    }

    /// What was put there through it is its referrers' matter, and they are waited for.
    fn needs_finalizer(&self, _: &K, _: Option<&Observed>) -> bool {
        false
    }

    fn implicit_users(&self, _: &Context, object: &K) -> Option<ImplicitUsers> {
        object.implicit_users()
    }

    fn is_used_by(&self, _: &Context, object: &K, user: &Stored) -> bool {
        object.is_used_by(user)
    }

    fn secrets(&self, object: &K) -> Vec<(String, String)> {
        let namespace = object.meta().namespace.clone().unwrap_or_default();
        let Target::S3(place) = object.target() else { return Vec::new() };
        place.secret_refs().map(|entry| (namespace.clone(), entry.name.clone())).collect()
    }

    /// Those that use it are woken when the service answers again.
    fn exports(&self, object: &K) -> Vec<String> {
        let synced = object.status().is_some_and(|status| status.is_true(ConditionType::Synced.as_str()));
        vec![synced.to_string()]
    }

    /// Many wait to hear from it that the service answers again.
    fn longest_back_off(&self) -> Duration {
        WAIT
    }

    fn resync(&self, _: &K) -> Duration {
        LOOK
    }
}

impl<K> Reach<K> {
    /// Whether any of these takes connections. All are tried at once and as one call: of those that follow one that failed, the account
    /// would let none through.
    async fn ports(&self, ctx: &Context, ports: &[(String, u16)]) -> Result<Seen, Failure> {
        let call = async {
            let tries = ports.iter().map(|(host, port)| self.0.net().connect(host, *port));
            // The first in their order that does is told, not the fastest: else the status would change with each look.
            let mut tried = tries.collect::<FuturesOrdered<_>>().zip(stream::iter(ports));
            let mut failed = Vec::new();
            while let Some((connected, (host, port))) = tried.next().await {
                let Err(failure) = connected else {
                    let message = format!("{host}:{port} takes connections; credentials were not tried");
                    return Ok(Seen::connected(message));
                };
                failed.push(failure.to_string());
            }
            Err(Failure::NeverSent(failed.join("; ")))
        };
        ctx.read("connect", call).await
    }

    async fn catalog(&self, ctx: &Context, url: &Url) -> Result<Seen, Failure> {
        const OPERATION: &str = "GET /v1/config";
        let call = async {
            let Some((status, body)) = self.0.net().get(url.clone()).await? else {
                return Ok(Seen::not_checkable(UNTRUSTED));
            };
            let answered = format!("{OPERATION} was answered {status}");
            match status {
                200..=299 if is_config(&body) => Ok(Seen::answered("credentials were not tried")),
                401 | 403 => Ok(Seen::answered("it wants to know who asks; credentials were not tried")),
                429 => Err(Failure::Throttled { message: answered, retry_after: None }),
                408 | 500..=599 => Err(Failure::Transient(answered)),
                _ => {
                    let message = format!(
                        "{answered}, and not as Iceberg's catalogs do; correct the address and the warehouse"
                    );
                    Ok(Seen::wrong(ConditionReason::Refused, "Refused", message))
                }
            }
        };
        ctx.read(OPERATION, call).await
    }
}

/// What every catalog says of itself.
fn is_config(body: &[u8]) -> bool {
    let config = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    config["defaults"].is_object() && config["overrides"].is_object()
}
