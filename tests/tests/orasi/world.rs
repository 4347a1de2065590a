//! What the Orasi tests share: an API server, a service that keeps objects, and what else there is.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::{
    aws::Clients,
    engine::{Kinds, ObjectKey},
    orasi::{self, Services},
};
use concierge_shared::kind::{KINDS, KindInfo};
use concierge_tests::{
    s3::fake::{Bucket, KEY, Store},
    simulation::{Process, ProcessOptions, Server, Simulated},
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::wire::Wire;

/// The secret of the fake's access key.
pub(crate) const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";

pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    /// The service that keeps objects, unless that is a real one.
    pub(crate) store: Store,
    pub(crate) wire: Arc<Wire>,
    over_sockets: bool,
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        KINDS
    }

    fn reconcilers(&self) -> Kinds {
        let (connect, transport) = (Duration::from_secs(2), self.store.transport());
        let services = match self.over_sockets {
            true => Services::over_sockets(connect).unwrap(),
            false => Services::by(connect, self.wire.clone(), move |endpoint, keys| {
                Ok(Clients::over(transport.clone(), endpoint, keys))
            }),
        };
        orasi::kinds(Kinds::default(), &services)
    }
}

impl World {
    /// A fake service with the bucket `lake`, and a Secret with the key to it.
    pub(crate) fn new() -> Self {
        let world = Self::bare(false);
        world.store.with(|state| state.buckets.insert("lake".to_owned(), Bucket::default()));
        world.credentials(KEY, SECRET);
        world
    }

    /// Services as they really are, and the Secret `login`.
    pub(crate) fn over_sockets() -> Self {
        let world = Self::bare(true);
        world.credentials(KEY, SECRET);
        world
    }

    fn bare(over_sockets: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = Server::new();
        if over_sockets {
            server.lease_is_free();
        }
        let store = Store::at(server.now());
        server.user_puts(
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "kube-system" } }),
        );
        Self { server, store, wire: Arc::default(), over_sockets }
    }

    pub(crate) fn credentials(&self, id: &str, secret: &str) {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        self.server.user_puts(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": "login", "namespace": "default" },
            "data": { "id": bytes(id), "secret": bytes(secret) },
        }));
    }

    pub(crate) fn put(&self, kind: &'static str, name: &str, spec: Value) -> ObjectKey {
        self.server.user_makes("orasi.io/v1alpha1", kind, name, json!({}), spec)
    }

    /// A Storage of the bucket `lake`, of the documents below `texts`.
    pub(crate) fn storage(&self, name: &str, more: Value) -> ObjectKey {
        let mut s3 = json!({
            "bucket": "lake", "prefix": "texts", "region": "us-east-1", "endpoint": "http://store.default.svc",
            "authentication": {
                "method": "Basic",
                "usernameSecretRef": { "name": "login", "key": "id" },
                "passwordSecretRef": { "name": "login", "key": "secret" },
            },
        });
        s3.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("Storage", name, json!({ "type": "S3", "s3": s3 }))
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

    pub(crate) fn is_done(&self, key: &ObjectKey) -> bool {
        self.server.is_ready(key) && self.server.condition(key, "Synced").starts_with("True")
    }

    pub(crate) async fn until_done(&self, key: &ObjectKey) {
        self.until("done", Duration::from_secs(300), |world| world.is_done(key)).await;
    }

    /// What its two conditions say.
    pub(crate) fn says(&self, key: &ObjectKey) -> [String; 2] {
        ["Ready", "Checked"].map(|kind| self.server.condition(key, kind))
    }

    /// Every object there is, and what was told, for a failing test to show.
    pub(crate) fn dump(&self) -> String {
        let all = ["Storage", "Connector", "Document"].into_iter().flat_map(|kind| self.server.of_kind(kind));
        let line = |object: Value| {
            format!("{} {}: {:#}", object["kind"], object["metadata"]["name"], object["status"])
        };
        let told =
            self.server.events().into_iter().map(|event| format!("{}: {}", event.reason, event.message));
        all.map(line).chain(told).collect::<Vec<_>>().join("\n")
    }
}
