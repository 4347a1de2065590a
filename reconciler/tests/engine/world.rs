//! Processes of the reconciler, and what they live in.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::engine::{
    Engine, Kinds, ObjectKey, Outside, Settings,
    clock::{Clock, Random},
    cluster::Cluster,
    crash::{CrashPoint, Hook},
    lease::{Leadership, LeaseSettings},
    metrics::Metrics,
};
use concierge_shared::{admission::rule::Enforcement, settings};
use futures::future::BoxFuture;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Connection, Server},
    remote::Service,
    toys::{Tickets, Toys},
    view::View,
};

pub(crate) const LEASE: Duration = Duration::from_secs(15);
pub(crate) const REQUEST: Duration = Duration::from_secs(6);
pub(crate) const SETTLE: Duration = Duration::from_secs(60);

/// An API server and a remote service.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    pub(crate) service: Arc<Service>,
}

/// How a process behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nature {
    /// How far its cache is behind.
    pub(crate) lag: Duration,
    /// Where something happens to it, and the how-manieth time it gets there.
    pub(crate) fate: Option<(CrashPoint, usize)>,
    /// What happens: nothing more, or nothing for so long.
    pub(crate) frozen_for: Option<Duration>,
    pub(crate) observe_only: bool,
}

/// A running process. Dropped, it is dead at once.
pub(crate) struct Process {
    tasks: Vec<JoinHandle<()>>,
    pub(crate) metrics: Metrics,
    /// True once what was to happen to it has happened.
    pub(crate) struck: watch::Receiver<bool>,
    shutdown: CancellationToken,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let server = Server::new();
        let clock = server.clone();
        let service = Service::new(move || clock.now());
        Self { server, service }
    }

    /// Starts a process.
    pub(crate) fn start(&self, identity: &str, nature: Nature) -> Process {
        let (frozen, freezing) = watch::channel(false);
        let (strike, struck) = watch::channel(false);
        let cluster: Arc<dyn Cluster> =
            Arc::new(Connection { server: self.server.clone(), frozen: freezing });
        let clock: Arc<dyn Clock> = Arc::new(ServerClock(self.server.clone()));
        let random: Arc<dyn Random> = Arc::new(Seeded::new(identity));
        let lease = LeaseSettings {
            namespace: "concierge".into(),
            name: "reconciler".into(),
            identity: identity.into(),
            duration: LEASE,
            request_timeout: REQUEST,
        };
        let (leadership, term) = Leadership::new(cluster.clone(), clock.clone(), random.clone(), lease);
        let view = View::new(self.server.clone(), nature.lag);
        let metrics = Metrics::default();
        let fate = Fate { nature, count: Mutex::new(0), frozen, strike };
        let outside =
            Outside { cluster, objects: view.clone(), clock, random, term, hook: Some(Arc::new(fate)) };
        let kinds = Kinds::default().with(Toys(self.service.clone())).with(Tickets(self.service.clone()));
        let settings = Settings {
            concurrency: 4,
            request_timeout: REQUEST,
            lease_duration: LEASE,
            settle: SETTLE,
            observe_only: nature.observe_only,
            enforcement: Enforcement::default(),
            rules: settings::Settings::default(),
        };
        let engine = Engine::new(outside, settings, metrics.clone(), kinds);
        let shutdown = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(engine.run(shutdown.clone())),
            tokio::spawn(leadership.keep(shutdown.clone())),
            tokio::spawn(view.follow()),
        ];
        Process { tasks, metrics, struck, shutdown }
    }

    /// Starts a process that is in good health, and gives it time to lead.
    pub(crate) async fn healthy(&self) -> Process {
        let process = self.start("healthy", Nature::default());
        tokio::time::sleep(LEASE * 3).await;
        process
    }

    pub(crate) fn toy(&self, name: &str, spec: Value) -> ObjectKey {
        self.put("Toy", name, json!({}), spec)
    }

    pub(crate) fn ticket(&self, name: &str, what: &str) -> ObjectKey {
        self.put("Ticket", name, json!({}), json!({ "what": what }))
    }

    pub(crate) fn put(&self, kind: &'static str, name: &str, metadata: Value, spec: Value) -> ObjectKey {
        let mut object = json!({
            "apiVersion": "toys.example.com/v1",
            "kind": kind,
            "metadata": { "name": name, "namespace": "default" },
            "spec": spec,
        });
        object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        self.server.user_puts(object);
        ObjectKey::new(kind, "default", name)
    }

    /// The condition of this type, as `status reason`; empty when there is none.
    pub(crate) fn condition(&self, key: &ObjectKey, kind: &str) -> String {
        let object = self.server.read(key).unwrap_or_default();
        let all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|one| one["type"] == kind);
        found.map_or(String::new(), |one| {
            format!("{} {}", one["status"].as_str().unwrap(), one["reason"].as_str().unwrap())
        })
    }

    /// What a condition says.
    pub(crate) fn message(&self, key: &ObjectKey, kind: &str) -> String {
        let object = self.server.read(key).unwrap_or_default();
        let all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|one| one["type"] == kind);
        found.map_or(String::new(), |one| one["message"].as_str().unwrap().to_owned())
    }
}

impl Process {
    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        for task in self.tasks.iter_mut().take(2) {
            task.await.unwrap();
        }
    }
}

/// The API server's clock.
pub(crate) struct ServerClock(pub(crate) Arc<Server>);

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Chance that is the same in every run.
pub(crate) struct Seeded(Mutex<fastrand::Rng>);

impl Seeded {
    pub(crate) fn new(identity: &str) -> Self {
        let seed = identity.bytes().fold(7, |seed: u64, byte| seed * 31 + u64::from(byte));
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Random for Seeded {
    fn unit(&self) -> f64 {
        self.0.lock().f64()
    }

    fn bits(&self) -> u128 {
        self.0.lock().u128(..)
    }
}

/// What happens to a process, and when.
struct Fate {
    nature: Nature,
    count: Mutex<usize>,
    frozen: watch::Sender<bool>,
    strike: watch::Sender<bool>,
}

impl Hook for Fate {
    fn reached(&self, point: CrashPoint, _: &ObjectKey) -> BoxFuture<'static, ()> {
        let strikes = self.nature.fate.is_some_and(|(at, nth)| {
            let mut count = self.count.lock();
            *count += usize::from(at == point);
            at == point && *count == nth
        });
        if !strikes {
            let mut frozen = self.frozen.subscribe();
            return Box::pin(async move {
                let _ = frozen.wait_for(|frozen| !frozen).await;
            });
        }
        self.strike.send_replace(true);
        let (frozen, nature) = (self.frozen.clone(), self.nature);
        frozen.send_replace(true);
        Box::pin(async move {
            match nature.frozen_for {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
            frozen.send_replace(false);
        })
    }
}
