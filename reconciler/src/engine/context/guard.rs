//! The guard: the last question before a call that changes something; and the Kubernetes objects that belong to an object.

use std::{ops::Deref, sync::Arc};

use concierge_shared::kind::Kind;
use k8s_openapi::{ByteString, apimachinery::pkg::apis::meta::v1::OwnerReference};
use serde_json::{Map, Value, json};

use crate::engine::{
    account::Account,
    cluster::{ClusterError, Target, resource_of},
    context::{Context, Secret, kubernetes, secret_target},
    once::calls::SendState,
    retry::Failure,
    seams::CrashPoint,
};

/// Lets changing calls pass while this process leads, and will lead until the call has ended. Also a [`Context`].
pub struct Guard {
    ctx: Context,
    token: String,
    once: Option<Arc<SendState>>,
}

impl Guard {
    pub(crate) fn new(ctx: Context, token: String, once: Option<Arc<SendState>>) -> Self {
        Self { ctx, token, once }
    }

    /// The same guard at another account.
    pub(crate) fn elsewhere(&self, account: &Account) -> Self {
        Self { ctx: self.ctx.elsewhere(account), token: self.token.clone(), once: self.once.clone() }
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
        self.ctx.limiter.turn().await?;
        if self.once.is_some() {
            self.ctx.shared.reached(CrashPoint::AboutToSend, self.key()).await;
        }
        // From here to the first poll of the call nothing is awaited, so nothing can come between.
        self.check()?;
        if let Some(send_state) = &self.once {
            send_state.mark_sent()?;
        }
        let result = self.ctx.call(operation, Failure::Ambiguous, call).await;
        if let Some(send_state) = &self.once {
            send_state.note_result(&result);
        }
        result
    }

    /// `Ok` when this process still leads the term in which the run began, and will until a call begun now has ended.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let shared = &self.ctx.shared;
        let term = shared.term.borrow();
        let covered = term.as_ref().is_some_and(|term| {
            term.token == self.token && term.covers(shared.settings.request_timeout, shared.clock.now())
        });
        match covered {
            true => Ok(()),
            false => Err(Failure::NeverSent("another replica leads, or may soon; it goes on".into())),
        }
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

/// A Secret that may belong to an object.
pub type OwnedSecret = Owned<Secret>;

impl Context {
    /// The Secret `name` in the namespace of `owner`, read from the API server.
    ///
    /// # Errors
    /// When the API server can't be asked, or the Secret can't be read.
    pub async fn secret_of<K: Kind>(&self, owner: &K, name: &str) -> Result<OwnedSecret, Failure> {
        let target = secret_beside(owner, name);
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let Some(object) = found else { return Ok(OwnedSecret::Absent) };
        let secret = Secret::read(format!("{}/{name}", target.namespace), &object)?;
        Ok(if belongs_to(owner, &object) { OwnedSecret::Ours(secret) } else { OwnedSecret::Foreign(secret) })
    }

    /// The object `name` of kind `T` in the namespace of `owner`, read from the API server: the cache may not show yet what was
    /// [applied](Guard::apply_owned) a moment ago.
    ///
    /// # Errors
    /// When the API server can't be asked, or the object can't be read.
    pub async fn child_of<K: Kind, T: Kind>(&self, owner: &K, name: &str) -> Result<Owned<T>, Failure> {
        let namespace = owner.meta().namespace.clone().unwrap_or_default();
        let target = Target { resource: resource_of::<T>(), namespace, name: name.to_owned() };
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let Some(object) = found else { return Ok(Owned::Absent) };
        let ours = belongs_to(owner, &object);
        let child = serde_json::from_value(object)
            .map_err(|error| Failure::Transient(format!("{} {name} can't be read: {error}", T::NAME)))?;
        Ok(if ours { Owned::Ours(child) } else { Owned::Foreign(child) })
    }
}

impl Guard {
    /// Makes sure that the Secret `name` in the namespace of `owner` exists and belongs to it, so that it can be
    /// [filled](Self::fill_secret) once there is something to fill it with.
    ///
    /// # Errors
    /// [`Failure::Invalid`] when there is a Secret of that name that does not belong to `owner`.
    pub async fn reserve_secret<K: Kind>(&self, owner: &K, name: &str) -> Result<(), Failure> {
        self.check()?;
        let target = secret_beside(owner, name);
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": target.namespace,
                "labels": { "app.kubernetes.io/managed-by": "concierge" },
                "ownerReferences": [owner_reference(owner)?],
            },
        });
        match self.shared.cluster.create(&target, &object).await {
            Ok(_) => Ok(()),
            Err(ClusterError::Exists) => match self.secret_of(owner, name).await? {
                OwnedSecret::Ours(_) => Ok(()),
                OwnedSecret::Absent => Err(Failure::Conflict(format!("Secret {name} came and went"))),
                OwnedSecret::Foreign(_) => Err(Failure::Invalid(format!(
                    "Secret {name} exists and does not belong to this object; delete or rename it"
                ))),
            },
            Err(error) => Err(kubernetes(error)),
        }
    }

    /// Writes `data` into the Secret that was [reserved](Self::reserve_secret), and into no other.
    ///
    /// # Errors
    /// [`Failure::Conflict`] when the Secret is gone, or another's by now. Nothing was written then.
    pub async fn fill_secret<K: Kind>(
        &self,
        owner: &K,
        name: &str,
        data: &[(&str, &[u8])],
    ) -> Result<(), Failure> {
        let target = secret_beside(owner, name);
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let reserved = found.filter(|object| belongs_to(owner, object)).ok_or_else(|| {
            Failure::Conflict(format!("Secret {name} was deleted or replaced while it was to be filled"))
        })?;
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), json!(ByteString(value.to_vec()))));
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": target.namespace,
                // Preconditions: a Secret that took the place of ours meanwhile is not touched.
                "uid": reserved["metadata"]["uid"],
                "resourceVersion": reserved["metadata"]["resourceVersion"],
            },
            "data": data.collect::<Map<_, _>>(),
        });
        self.check()?;
        self.shared.cluster.apply(&target, &object).await.map_err(kubernetes)?;
        Ok(())
    }

    /// Applies `object`, of another kind, which from then on belongs to `owner` and goes with it.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn apply_owned<K: Kind, T: Kind>(&self, owner: &K, mut object: T) -> Result<(), Failure> {
        self.check()?;
        object.meta_mut().owner_references = Some(vec![owner_reference(owner)?]);
        let target = target_of(&object);
        let mut object =
            serde_json::to_value(&object).map_err(|error| Failure::Invalid(error.to_string()))?;
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        self.shared.metrics.write(T::NAME, "object");
        self.shared.cluster.apply(&target, &object).await.map_err(kubernetes)?;
        Ok(())
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
        match self.shared.cluster.delete(&target, uid, version).await {
            Ok(()) | Err(ClusterError::NotFound) => Ok(()),
            Err(error) => Err(kubernetes(error)),
        }
    }
}

fn secret_beside<K: Kind>(owner: &K, name: &str) -> Target {
    secret_target(owner.meta().namespace.as_deref().unwrap_or_default(), name)
}

fn target_of<T: Kind>(object: &T) -> Target {
    let meta = object.meta();
    Target {
        resource: resource_of::<T>(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
    }
}

fn owner_reference<K: Kind>(owner: &K) -> Result<OwnerReference, Failure> {
    owner.controller_owner_ref(&()).ok_or_else(|| Failure::Invalid("the object has no uid".into()))
}

fn belongs_to<K: Kind>(owner: &K, object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let uid = owner.meta().uid.as_deref();
    uid.is_some() && owners.into_iter().flatten().any(|one| one["uid"].as_str() == uid)
}
