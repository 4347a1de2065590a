//! The Secrets that are made for an object: reserved, filled, and deleted with it. One that is somebody else's is never touched.

use std::{collections::BTreeMap, fmt};

use concierge_shared::kind::Kind;
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

use crate::engine::{
    cluster::{ClusterError, MetadataPatch, Target},
    context::{
        Context, Secret,
        guard::{Guard, Owned, belongs_to, owner_reference},
        kubernetes, secret_target,
    },
    retry::Failure,
};

/// The label by which what we make is found.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// A Secret that may belong to an object.
pub type OwnedSecret = Owned<Secret>;

/// What a Secret that belongs to an object holds, and how others find it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretSpec {
    /// Labels beside our own.
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// `Opaque` when there is none. It can't be changed while the Secret is there.
    pub type_: Option<String>,
    /// All of its keys.
    pub data: BTreeMap<String, Vec<u8>>,
}

impl SecretSpec {
    /// One that holds this.
    pub fn of(data: &[(&str, &[u8])]) -> Self {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec()));
        Self { data: data.collect(), ..Self::default() }
    }

    /// As server-side apply takes it, at `target`.
    fn object(&self, target: &Target) -> Value {
        let labels = self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let labels: BTreeMap<_, _> = labels.chain([(MANAGED_BY, "concierge")]).collect();
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": target.name,
                "namespace": target.namespace,
                "labels": labels,
                "annotations": self.annotations,
            },
        });
        if let Some(type_) = &self.type_ {
            object["type"] = type_.as_str().into();
        }
        object
    }
}

/// The names of the keys, never the values.
impl fmt::Debug for SecretSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { labels, annotations, type_, data } = self;
        let mut shown = f.debug_struct("SecretSpec");
        shown.field("labels", labels).field("annotations", annotations).field("type", type_);
        shown.field("keys", &data.keys()).finish()
    }
}

impl Context {
    /// The Secret `name` in the namespace of `owner`, read from the API server.
    ///
    /// # Errors
    /// When the API server can't be asked, or the Secret can't be read.
    pub async fn secret_of<K: Kind>(&self, owner: &K, name: &str) -> Result<OwnedSecret, Failure> {
        let target = secret_beside(owner, name);
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let Some(object) = found else { return Ok(Owned::Absent) };
        let secret = Secret::read(format!("{}/{name}", target.namespace), &object)?;
        Ok(if belongs_to(owner, &object) { Owned::Ours(secret) } else { Owned::Foreign(secret) })
    }
}

impl Guard {
    /// Makes sure that the Secret `name` in the namespace of `owner` exists and belongs to it, so that it can be
    /// [filled](Self::fill_secret) once there is something to fill it with. Of `secret`, the data is not written yet.
    ///
    /// It is changed by nothing, which shows that it may be changed: what a service shows once would be lost otherwise.
    ///
    /// # Errors
    /// [`Failure::Invalid`] when there is a Secret of that name that does not belong to `owner`.
    pub async fn reserve_secret<K: Kind>(
        &self,
        owner: &K,
        name: &str,
        secret: &SecretSpec,
    ) -> Result<(), Failure> {
        self.check()?;
        let target = secret_beside(owner, name);
        let mut object = secret.object(&target);
        object["metadata"]["ownerReferences"] = json!([owner_reference(owner)?]);
        let reserved = match self.in_time(self.shared.cluster.create(&target, &object)).await {
            Ok(created) => created,
            Err(ClusterError::Exists) => self.reserved(owner, &target).await?,
            Err(error) => return Err(kubernetes(error)),
        };
        let resource_version =
            reserved["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let nothing = MetadataPatch { resource_version, ..MetadataPatch::default() };
        self.in_time(self.shared.cluster.patch_metadata(&target, &nothing)).await.map_err(kubernetes)?;
        Ok(())
    }

    /// The Secret that is there already.
    async fn reserved<K: Kind>(&self, owner: &K, target: &Target) -> Result<Value, Failure> {
        let name = &target.name;
        match self.shared.cluster.get(target).await.map_err(kubernetes)? {
            Some(found) if belongs_to(owner, &found) => Ok(found),
            None => Err(Failure::Conflict(format!("Secret {name} came and went"))),
            Some(_) => Err(Failure::Invalid(format!(
                "Secret {name} exists and does not belong to this object; delete or rename it"
            ))),
        }
    }

    /// Writes `secret` into the Secret that was [reserved](Self::reserve_secret), and into no other. Keys, labels and annotations that
    /// an earlier call wrote and this one does not have go.
    ///
    /// # Errors
    /// [`Failure::Conflict`] when the Secret is gone, or another's by now. Nothing was written then.
    pub async fn fill_secret<K: Kind>(
        &self,
        owner: &K,
        name: &str,
        secret: &SecretSpec,
    ) -> Result<(), Failure> {
        let target = secret_beside(owner, name);
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let reserved = found.filter(|object| belongs_to(owner, object)).ok_or_else(|| {
            Failure::Conflict(format!("Secret {name} was deleted or replaced while it was to be filled"))
        })?;
        let mut object = secret.object(&target);
        // Preconditions: a Secret that took the place of ours meanwhile is not touched.
        for precondition in ["uid", "resourceVersion"] {
            object["metadata"][precondition] = reserved["metadata"][precondition].clone();
        }
        let data = secret.data.iter().map(|(key, value)| (key.clone(), json!(ByteString(value.clone()))));
        object["data"] = data.collect::<Map<_, _>>().into();
        self.check()?;
        self.in_time(self.shared.cluster.apply(&target, &object)).await.map_err(kubernetes)?;
        Ok(())
    }

    /// Deletes the Secret `name` in the namespace of `owner` if it belongs to it. One that does not is left alone; that there is none
    /// is no error.
    ///
    /// # Errors
    /// What the API server says. The kind needs [`SECRETS_DELETED`](concierge_shared::access::Access::SECRETS_DELETED).
    pub async fn delete_secret<K: Kind>(&self, owner: &K, name: &str) -> Result<(), Failure> {
        let target = secret_beside(owner, name);
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let Some(ours) = found.filter(|object| belongs_to(owner, object)) else { return Ok(()) };
        let text = |field: &str| ours["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (uid, version) = (text("uid"), text("resourceVersion"));
        self.check()?;
        // Preconditions: a Secret that took the place of ours meanwhile is not touched.
        match self.in_time(self.shared.cluster.delete(&target, &uid, &version)).await {
            Ok(()) | Err(ClusterError::NotFound) => Ok(()),
            Err(error) => Err(kubernetes(error)),
        }
    }
}

fn secret_beside<K: Kind>(owner: &K, name: &str) -> Target {
    secret_target(owner.meta().namespace.as_deref().unwrap_or_default(), name)
}
