//! What the pet tests share: an API server with stores and pets that no service keeps.

use std::sync::Arc;

use concierge_reconciler::{
    engine::{Kinds, ObjectKey},
    pets,
};
use concierge_shared::kind::{KINDS, KindInfo};
use concierge_tests::simulation::{Server, Simulated};
use serde_json::{Value, json};

/// An API server.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        KINDS
    }

    fn reconcilers(&self) -> Kinds {
        pets::kinds(Kinds::default(), reqwest::Client::new())
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = Server::new();
        server.lease_is_free();
        Self { server }
    }

    pub(crate) fn put(&self, kind: &'static str, name: &str, spec: Value) -> ObjectKey {
        self.server.user_makes("petstore.example.com/v1", kind, name, json!({}), spec)
    }
}
