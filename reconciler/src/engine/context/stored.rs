//! What a run reads from the API server rather than from the caches, and what its errors mean.

use std::{collections::BTreeMap, fmt};

use concierge_shared::kind::Kind;
use kube::core::ApiResource;
use serde_json::Value;

use super::Context;
use crate::engine::{
    cluster::{ClusterError, Target, objects::ObjectKey, resource_of},
    retry::Failure,
};

impl Context {
    /// The same object as the API server has it now; `None` when it is gone.
    ///
    /// # Errors
    /// When the API server can't be asked, or the object can't be read.
    pub(crate) async fn stored<K: Kind>(&self, object: &K) -> Result<Option<K>, Failure> {
        let ObjectKey { namespace, name, .. } = ObjectKey::of(object);
        let target = Target { resource: resource_of::<K>(), namespace, name };
        let Some(found) = self.shared.cluster.get(&target).await.map_err(kubernetes)? else {
            return Ok(None);
        };
        let found: K = serde_json::from_value(found).map_err(|_| unreadable(K::NAME, &target.name))?;
        Ok(Some(found).filter(|found| found.meta().uid == object.meta().uid))
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
        if let Some(known) = self.shared.cluster_uid.get() {
            return Ok(known.clone());
        }
        let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Namespace>(&());
        let target = Target { resource, namespace: String::new(), name: "kube-system".into() };
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        let uid = found.as_ref().and_then(|namespace| namespace["metadata"]["uid"].as_str());
        let missing = || Failure::DependencyMissing("namespace kube-system can't be read".into());
        let uid = uid.ok_or_else(missing)?;
        Ok(self.shared.cluster_uid.get_or_init(|| uid.to_owned()).clone())
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

/// That a stored object can't be read. What serde says of it is left out: it repeats values.
pub(crate) fn unreadable(kind: &str, name: &str) -> Failure {
    Failure::Transient(format!("{kind} {name} can't be read"))
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
