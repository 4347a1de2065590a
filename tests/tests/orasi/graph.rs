//! An API server with pipelines, and with storages and connectors of which each test says whether they are ready.

use std::{collections::BTreeSet, convert::Infallible, marker::PhantomData, sync::Arc};

use concierge_reconciler::{
    engine::{
        Account, Context, Deletion, Failure, Guard, Kinds, ObjectKey, Outcome, Plan, Readiness, Reconcile,
    },
    orasi,
};
use concierge_shared::{
    kind::{KINDS, Kind, KindInfo},
    orasi::{Connector, Storage},
    status::{ConditionReason, Conditions},
};
use concierge_tests::simulation::{LEASE, Process, ProcessOptions, Server, Simulated};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::sleep;

/// The names of what is not ready.
type Down = Arc<Mutex<BTreeSet<String>>>;

/// An API server.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    down: Down,
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        KINDS
    }

    fn reconcilers(&self) -> Kinds {
        let kinds = orasi::within_the_cluster(Kinds::default());
        kinds.with(Said::<Storage>::new(&self.down)).with(Said::<Connector>::new(&self.down))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let server = Server::new();
        server.user_puts_whole(
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "default" } }),
        );
        Self { server, down: Down::default() }
    }

    /// Starts a process that is in good health, and gives it time to lead.
    pub(crate) async fn healthy(&self) -> Process {
        let process = self.start("healthy", ProcessOptions::default());
        sleep(LEASE * 3).await;
        process
    }

    pub(crate) fn put(&self, kind: &'static str, name: &str, metadata: Value, spec: Value) -> ObjectKey {
        self.server.user_makes("orasi.io/v1alpha1", kind, name, metadata, spec)
    }

    /// A lake of Hudi tables.
    pub(crate) fn storage(&self, name: &str) -> ObjectKey {
        let hudi = json!({ "storagePath": format!("s3://lakes/{name}"), "tableType": "COPY_ON_WRITE" });
        self.put("Storage", name, json!({}), json!({ "type": "Hudi", "hudi": hudi }))
    }

    pub(crate) fn connector(&self, name: &str) -> ObjectKey {
        self.put("Connector", name, json!({}), json!({ "type": "Hudi" }))
    }

    /// A pipeline by the connector `hudi` into the table that is named like it, with these labels.
    pub(crate) fn pipeline(&self, name: &str, storage: &str, labels: Value) -> ObjectKey {
        let (connector, storage) = (json!({ "name": "hudi" }), json!({ "name": storage }));
        let spec = json!({ "connectorRef": connector, "storageRef": storage, "table": name });
        self.put("Pipeline", name, json!({ "labels": labels }), spec)
    }

    /// From now on the storage or connector is ready, or not. Only its status tells.
    pub(crate) fn turns(&self, key: &ObjectKey, ready: bool) {
        let name = key.name.clone();
        let mut down = self.down.lock();
        if ready {
            down.remove(&name)
        } else {
            down.insert(name)
        };
        drop(down);
        let mut object = self.server.read(key).unwrap();
        let conditions = object["status"]["conditions"].as_array_mut().unwrap();
        let one = conditions.iter_mut().find(|one| one["type"] == "Ready").unwrap();
        one["status"] = if ready { "True" } else { "False" }.into();
        self.server.user_puts_whole(object);
    }

    pub(crate) fn waiting_for(&self, pipeline: &ObjectKey) -> Value {
        self.server.status(pipeline)["waitingFor"].clone()
    }
}

/// How many runs there were over objects of a kind.
pub(crate) fn runs(process: &Process, kind: &'static str) -> u64 {
    let results =
        ["ok", "ReferencesMissing", "Reconciling", "Invalid", "OwnedByOther", "Transient", "Unsupported"];
    results.into_iter().map(|result| process.metrics.runs_of(kind, result)).sum()
}

/// Says of an object what the test says.
struct Said<K> {
    down: Down,
    kind: PhantomData<fn() -> K>,
}

impl<K> Said<K> {
    fn new(down: &Down) -> Self {
        Self { down: down.clone(), kind: PhantomData }
    }
}

impl<K: Kind<Status: Conditions + Clone + Send + Sync>> Reconcile for Said<K> {
    type Kind = K;
    type Remote = ();
    type Observed = bool;
    type Step = Infallible;

    async fn connect(&self, _: &Context, _: &K) -> Result<(Account, ()), Failure> {
        Ok((Account::none(), ()))
    }

    async fn observe(&self, ctx: &Context, (): &(), _: &K) -> Result<bool, Failure> {
        Ok(!self.down.lock().contains(&ctx.key().name))
    }

    fn plan(&self, _: &K, ready: &bool, _: Timestamp) -> Plan<Infallible> {
        let down = || Readiness::NotReady(ConditionReason::Transient, "it does not answer".into());
        Plan::new(if *ready { Readiness::Ready } else { down() })
    }

    async fn act(&self, _: &Guard, (): &(), _: &K, step: &Infallible) -> Result<Outcome, Failure> {
        match *step {}
    }

    fn plan_deletion(&self, _: &K, _: &bool, _: Timestamp) -> Deletion<Infallible> {
        Deletion::Gone
    }
}
