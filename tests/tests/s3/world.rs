//! What the S3 tests share: an API server and a service.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::{
    aws::{Clients, Endpoint, Keys},
    engine::{Kinds, ObjectKey},
    s3::{self, Providers},
};
use concierge_shared::kind::{KINDS, KindInfo};
use concierge_tests::{
    s3::{
        Sockets,
        fake::{KEY, Store},
    },
    simulation::{MINUTE, Process, ProcessOptions, Server, Simulated},
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// The secret of the fake's access key.
pub(crate) const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";

/// An API server and a service.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    /// The fake, unless the service is a real one.
    pub(crate) store: Store,
    way: Way,
}

/// How the service is reached.
enum Way {
    ToFake,
    OverHttp,
    Over(Arc<Sockets>),
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        KINDS
    }

    fn reconcilers(&self) -> Kinds {
        let transport = match &self.way {
            Way::ToFake => Some(self.store.transport()),
            Way::OverHttp => None,
            Way::Over(sockets) => Some(sockets.clone() as _),
        };
        let providers = match transport {
            None => Providers::over_http(Duration::from_secs(2)),
            Some(transport) => Providers::dialled(Duration::from_secs(2), move |endpoint, keys| {
                Ok(Clients::over(transport.clone(), endpoint, keys))
            }),
        };
        s3::kinds(Kinds::default(), &providers)
    }
}

impl World {
    /// A fake service without buckets, and the Provider `p` of it.
    pub(crate) fn new() -> Self {
        let world = Self::bare(Way::ToFake);
        world.credentials(KEY, SECRET);
        world.provider(json!({}));
        world
    }

    /// A real service, and the Provider `p` of it.
    pub(crate) fn of(endpoint: &Endpoint, keys: &Keys, spec: Value) -> Self {
        Self::by(Way::OverHttp, endpoint, keys, spec)
    }

    /// The same, where `sockets` tell what is sent.
    pub(crate) fn over(sockets: &Arc<Sockets>, endpoint: &Endpoint, keys: &Keys, spec: Value) -> Self {
        Self::by(Way::Over(sockets.clone()), endpoint, keys, spec)
    }

    fn by(way: Way, endpoint: &Endpoint, keys: &Keys, spec: Value) -> Self {
        let world = Self::bare(way);
        world.credentials(&keys.id, &keys.secret);
        let mut all = json!({ "endpoint": endpoint.s3.as_str(), "iamEndpoint": endpoint.iam.as_ref().unwrap().as_str() });
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        world.provider(all);
        world
    }

    /// Whatever service a Provider names, and a Secret with this key.
    pub(crate) fn over_http(id: &str, secret: &str) -> Self {
        let world = Self::bare(Way::OverHttp);
        world.credentials(id, secret);
        world
    }

    fn bare(way: Way) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = Server::new();
        if !matches!(way, Way::ToFake) {
            server.lease_is_free();
        }
        let store = Store::at(server.now());
        server.user_puts(
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "kube-system" } }),
        );
        Self { server, store, way }
    }

    pub(crate) fn credentials(&self, id: &str, secret: &str) {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        self.server.user_puts(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": "login", "namespace": "default" },
            "data": { "access-key": bytes(id), "secret-key": bytes(secret) },
        }));
    }

    pub(crate) fn provider(&self, more: Value) -> ObjectKey {
        let mut spec = json!({
            "type": "generic",
            "endpoint": "http://store.default.svc",
            "iamEndpoint": "http://store.default.svc",
            "region": "us-east-1",
            "auth": { "accessKeySecretRef": { "name": "login" }, "secretKeySecretRef": { "name": "login" } },
            "rateLimit": { "requestsPerSecond": 500, "burst": 500 },
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("Provider", "p", spec)
    }

    /// A bucket of this name, as `more` says.
    pub(crate) fn bucket(&self, name: &str, more: Value) -> ObjectKey {
        let mut spec = json!({ "name": name, "providerRef": { "name": "p" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("Bucket", name, spec)
    }

    /// A user of this name, as `more` says.
    pub(crate) fn user(&self, name: &str, more: Value) -> ObjectKey {
        let mut spec = json!({ "name": name, "providerRef": { "name": "p" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("User", name, spec)
    }

    /// An IAM policy of this name that says this.
    pub(crate) fn iam_policy(&self, name: &str, policy: Value) -> ObjectKey {
        self.put("IAMPolicy", name, json!({ "providerRef": { "name": "p" }, "policy": policy }))
    }

    pub(crate) fn put(&self, kind: &'static str, name: &str, spec: Value) -> ObjectKey {
        self.server.user_makes("s3.cloud37.dev/v1alpha1", kind, name, json!({}), spec)
    }

    /// Starts a process that is in good health.
    pub(crate) fn healthy(&self) -> Process {
        self.start("healthy", ProcessOptions::default())
    }

    /// Waits until `done`, and fails after `most`.
    pub(crate) async fn until(&self, what: &str, most: Duration, done: impl Fn(&World) -> bool) {
        let done = self.server.until(most, || done(self)).await;
        assert!(done, "not {what} after {most:?}:\n{}", self.dump());
    }

    pub(crate) async fn until_ready(&self, key: &ObjectKey) {
        self.until("ready", 5 * MINUTE, |world| world.server.is_ready(key) && world.is_synced(key)).await;
    }

    pub(crate) async fn until_gone(&self, key: &ObjectKey) {
        self.until("gone", 20 * MINUTE, |world| world.server.read(key).is_none()).await;
    }

    pub(crate) fn is_synced(&self, key: &ObjectKey) -> bool {
        self.server.condition(key, "Synced").starts_with("True")
    }

    /// The calls from the `from`th on, those about the Provider left out.
    pub(crate) fn calls_of_objects(&self, from: usize) -> Vec<&'static str> {
        let mut calls = self.store.asked_from(from);
        calls.retain(|one| !["ListBuckets", "GetCallerIdentity"].contains(one));
        calls
    }

    /// The messages of all events so far.
    pub(crate) fn told(&self) -> Vec<String> {
        self.server.events().into_iter().map(|event| format!("{}: {}", event.reason, event.message)).collect()
    }

    /// Every object there is, for a failing test to show.
    pub(crate) fn dump(&self) -> String {
        let all = ["Provider", "Bucket", "BucketPolicy", "User", "IAMPolicy", "AccessKey"]
            .into_iter()
            .flat_map(|kind| self.server.of_kind(kind));
        let line = |object: Value| {
            format!("{} {}: {:#}", object["kind"], object["metadata"]["name"], object["status"])
        };
        all.map(line).chain(self.told()).collect::<Vec<_>>().join("\n")
    }
}
