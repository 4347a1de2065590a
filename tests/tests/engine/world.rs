//! What the engine's tests share: an API server, a service, and two kinds of toys.

use std::sync::Arc;

use concierge_reconciler::engine::{Kinds, ObjectKey};
use concierge_shared::kind::KindInfo;
use concierge_tests::simulation::{LEASE, MINUTE, Process, ProcessOptions, Server, Simulated};
use serde_json::{Value, json};

use crate::{
    chests::{Chest, Chests},
    remote::Service,
    rooms::{Room, Rooms},
    toys::{Ticket, Tickets, Toy, Toys},
};

static KINDS: [KindInfo; 4] =
    [KindInfo::of::<Toy>(), KindInfo::of::<Ticket>(), KindInfo::of::<Chest>(), KindInfo::of::<Room>()];

concierge_shared::assemble!(Toy, Ticket, Chest, Room);

/// An API server and a remote service.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    pub(crate) service: Arc<Service>,
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        &KINDS
    }

    fn reconcilers(&self) -> Kinds {
        let kinds = Kinds::default().with(Toys(self.service.clone())).with(Tickets(self.service.clone()));
        kinds.with(Chests(self.service.clone())).with(Rooms)
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let server = Server::new();
        let clock = server.clone();
        let service = Service::new(move || clock.now());
        Self { server, service }
    }

    /// Starts a process that is in good health, and gives it time to lead.
    pub(crate) async fn healthy(&self) -> Process {
        let process = self.start("healthy", ProcessOptions::default());
        tokio::time::sleep(LEASE * 3).await;
        process
    }

    /// The same for hours: with a lease that lasts so long that little of what is simulated is its renewal.
    pub(crate) async fn patient(&self) -> Process {
        self.server.lease_is_free();
        let process =
            self.start("healthy", ProcessOptions { lease: 2 * MINUTE, ..ProcessOptions::default() });
        tokio::time::sleep(LEASE * 3).await;
        process
    }

    pub(crate) fn toy(&self, name: &str, spec: Value) -> ObjectKey {
        self.put("Toy", name, json!({}), spec)
    }

    pub(crate) fn chest(&self, name: &str, spec: Value) -> ObjectKey {
        self.put("Chest", name, json!({}), spec)
    }

    pub(crate) fn room(&self, name: &str, spec: Value) -> ObjectKey {
        self.put("Room", name, json!({}), spec)
    }

    pub(crate) fn ticket(&self, name: &str, what: &str) -> ObjectKey {
        self.put("Ticket", name, json!({}), json!({ "what": what }))
    }

    pub(crate) fn put(&self, kind: &'static str, name: &str, metadata: Value, spec: Value) -> ObjectKey {
        self.server.user_makes("toys.example.com/v1", kind, name, metadata, spec)
    }
}
