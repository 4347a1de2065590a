//! Kubernetes objects that are written for an object, and belong to it.

use concierge_shared::kind::Kind;
use k8s_openapi::{ByteString, apimachinery::pkg::apis::meta::v1::OwnerReference};
use serde_json::{Map, Value, json};

use crate::engine::{
    cluster::{ClusterError, Target, resource_of},
    context::{Context, Secret, guard::Guard, kubernetes, secret_target},
    retry::Failure,
};

/// A Secret that may belong to an object.
#[derive(Debug)]
pub enum OwnedSecret {
    /// There is none of that name.
    Absent,
    /// There is one, and it belongs to the object.
    Ours(Secret),
    /// There is one that does not.
    Foreign(Secret),
}

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
