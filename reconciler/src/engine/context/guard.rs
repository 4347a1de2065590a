//! The guard, which is the last check before a call that changes something; and the objects of our kinds that belong to an object.

use std::{ops::Deref, sync::Arc, time::Duration};

use concierge_shared::kind::Kind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;

use crate::engine::{
    account::Account,
    cluster::{ClusterError, Target, resource_of},
    context::{Context, kubernetes, unreadable},
    once::calls::SendState,
    retry::Failure,
    seams::CrashPoint,
};

/// A call takes at most the lease divided by this: half of the lease is left when one renewal was missed.
const PARTS_OF_LEASE: u32 = 2;

/// Lets changing calls pass while this process leads, and will lead until the call has ended. Also a [`Context`].
pub struct Guard {
    ctx: Context,
    fencing_token: String,
    once: Option<Arc<SendState>>,
}

impl Guard {
    pub(crate) fn new(ctx: Context, fencing_token: String, once: Option<Arc<SendState>>) -> Self {
        Self { ctx, fencing_token, once }
    }

    /// The same guard at another account.
    pub(crate) fn elsewhere(&self, account: &Account) -> Self {
        Self {
            ctx: self.ctx.elsewhere(account),
            fencing_token: self.fencing_token.clone(),
            once: self.once.clone(),
        }
    }

    /// Makes a call that changes something at the account of this run, in its turn and with the engine's time-out.
    /// In a step that was planned as `once`, it sends one call and no more.
    ///
    /// Leadership is checked after the turn has come, not before: waiting for it can take longer than a lease lasts.
    ///
    /// # Errors
    /// What `call` returns; [`Failure::NeverSent`] without a call when this process no longer leads;
    /// [`Failure::Ambiguous`] when the time-out strikes.
    pub async fn write<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.write_for(operation, self.request_timeout(), call).await
    }

    /// The same for a call that may take longer than the engine's time-out, for instance one that deletes a thousand things: up to
    /// `most`, and no longer than [half a lease](PARTS_OF_LEASE). It is not sent unless the lease lasts for that time, so it waits for a
    /// renewal where less is left. A `once` call gets the engine's time-out: what waits for its effect reckons with that.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_within<T>(
        &self,
        operation: &'static str,
        most: Duration,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let usual = self.request_timeout();
        let longest = (self.ctx.shared.settings.lease_duration / PARTS_OF_LEASE).max(usual);
        let most = if self.once.is_some() { usual } else { most.min(longest) };
        self.write_for(operation, most, call).await
    }

    async fn write_for<T>(
        &self,
        operation: &'static str,
        most: Duration,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.ctx.limiter.turn().await?;
        if self.once.is_some() {
            self.ctx.shared.reached(CrashPoint::AboutToSend, self.key()).await;
        }
        // From here to the first poll of the call nothing is awaited, so nothing can come between.
        self.check_for(most)?;
        if let Some(send_state) = &self.once {
            send_state.mark_sent()?;
        }
        let result = self.ctx.call(operation, most, Failure::Ambiguous, call).await;
        if let Some(send_state) = &self.once {
            send_state.note_result(&result);
        }
        result
    }

    /// `Ok` when this process still leads the term in which the run began, and will until a call begun now has ended.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.check_for(self.request_timeout())
    }

    /// The same for a call that may take `most`. Whoever leads next may make the same call as soon as the lease has run out, so ours
    /// has to have ended by then.
    fn check_for(&self, most: Duration) -> Result<(), Failure> {
        let shared = &self.ctx.shared;
        let term = shared.term.borrow();
        let covered = term
            .as_ref()
            .is_some_and(|term| term.token == self.fencing_token && term.covers(most, shared.clock.now()));
        match covered {
            true => Ok(()),
            false => Err(Failure::NeverSent("another replica leads, or may soon; it goes on".into())),
        }
    }

    /// Writes to the API server. The write is given up when it takes longer than [`check`](Self::check) has made sure that this process
    /// leads.
    pub(crate) async fn in_time<T>(
        &self,
        write: impl Future<Output = Result<T, ClusterError>> + Send,
    ) -> Result<T, ClusterError> {
        let most = self.request_timeout();
        let late = |_| Err(ClusterError::Unknown(format!("no answer within {} s", most.as_secs_f32())));
        tokio::time::timeout(most, write).await.unwrap_or_else(late)
    }
}

impl Deref for Guard {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.ctx
    }
}

/// Something beside an object that may belong to it.
#[derive(Debug)]
pub enum Owned<T> {
    /// There is none of that name.
    Absent,
    /// There is one, and it belongs to the object.
    Ours(T),
    /// There is one that does not.
    Foreign(T),
}

impl Context {
    /// The object `name` of kind `T` in the namespace of `owner`, read from the API server: the cache may not show yet what was
    /// [applied](Guard::apply_owned) a moment ago.
    ///
    /// # Errors
    /// When the API server can't be asked, or the object can't be read.
    pub async fn owned_by<K: Kind, T: Kind>(&self, owner: &K, name: &str) -> Result<Owned<T>, Failure> {
        let namespace = owner.meta().namespace.clone().unwrap_or_default();
        let target = Target { resource: resource_of::<T>(), namespace, name: name.to_owned() };
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let Some(object) = found else { return Ok(Owned::Absent) };
        let ours = belongs_to(owner, &object);
        let child = serde_json::from_value(object).map_err(|_| unreadable(T::NAME, name))?;
        Ok(if ours { Owned::Ours(child) } else { Owned::Foreign(child) })
    }
}

impl Guard {
    /// Applies `object`, of another kind, which from then on belongs to `owner` and goes with it. With a uid and a version in its
    /// metadata, it changes that one and no other.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn apply_owned<K: Kind, T: Kind>(&self, owner: &K, object: T) -> Result<(), Failure> {
        self.check()?;
        let (target, object) = owned(owner, object)?;
        self.shared.metrics.write(T::NAME, "object");
        self.in_time(self.shared.cluster.apply(&target, &object)).await.map(drop).map_err(kubernetes)
    }

    /// Creates `object`, of another kind, which belongs to `owner` and goes with it.
    ///
    /// # Errors
    /// [`Failure::Conflict`] when there is one of that name; it is left as it is. Else what the API server says.
    pub async fn create_owned<K: Kind, T: Kind>(&self, owner: &K, object: T) -> Result<(), Failure> {
        self.check()?;
        let (target, object) = owned(owner, object)?;
        self.shared.metrics.write(T::NAME, "object");
        self.in_time(self.shared.cluster.create(&target, &object)).await.map(drop).map_err(kubernetes)
    }

    /// Deletes `object`, of another kind, if nobody changed it meanwhile.
    ///
    /// # Errors
    /// What the API server says; that it is gone already is none.
    pub async fn delete_owned<T: Kind>(&self, object: &T) -> Result<(), Failure> {
        self.check()?;
        let meta = object.meta();
        let (uid, version) = (meta.uid.as_deref(), meta.resource_version.as_deref());
        self.shared.metrics.write(T::NAME, "object");
        let target = target_of(object);
        let (uid, version) = (uid.unwrap_or_default(), version.unwrap_or_default());
        match self.in_time(self.shared.cluster.delete(&target, uid, version)).await {
            Ok(()) | Err(ClusterError::NotFound) => Ok(()),
            Err(error) => Err(kubernetes(error)),
        }
    }
}

/// `object` as it is sent, belonging to `owner`.
fn owned<K: Kind, T: Kind>(owner: &K, mut object: T) -> Result<(Target, Value), Failure> {
    object.meta_mut().owner_references = Some(vec![owner_reference(owner)?]);
    let target = target_of(&object);
    let mut object = serde_json::to_value(&object).map_err(|error| Failure::Invalid(error.to_string()))?;
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    Ok((target, object))
}

fn target_of<T: Kind>(object: &T) -> Target {
    let meta = object.meta();
    Target {
        resource: resource_of::<T>(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
    }
}

pub(super) fn owner_reference<K: Kind>(owner: &K) -> Result<OwnerReference, Failure> {
    owner.controller_owner_ref(&()).ok_or_else(|| Failure::Invalid("the object has no uid".into()))
}

pub(super) fn belongs_to<K: Kind>(owner: &K, object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let uid = owner.meta().uid.as_deref();
    uid.is_some() && owners.into_iter().flatten().any(|one| one["uid"].as_str() == uid)
}
