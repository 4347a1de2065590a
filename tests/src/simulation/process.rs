//! A process of the reconciler, and what happens to it.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::engine::{
    Dependencies, Engine, Kinds, ObjectKey, Settings,
    cluster::Cluster,
    lease::{Leadership, LeaseSettings},
    metrics::Metrics,
    seams::{Clock, CrashPoint, Hook, Random},
};
use concierge_shared::{admission::rule::Enforcement, group, kind::KindInfo};
use futures::future::BoxFuture;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    MINUTE,
    server::{Connection, Server},
    view::View,
};

/// How long a lease lasts.
pub const LEASE: Duration = Duration::from_secs(15);
/// How long a call to a remote service may take.
pub const REQUEST: Duration = Duration::from_secs(6);

/// Where processes run: an API server, the kinds that it knows, and their reconcilers.
pub trait Simulated {
    /// The API server.
    fn server(&self) -> &Arc<Server>;

    /// The kinds that processes watch.
    fn watched(&self) -> &'static [KindInfo];

    /// The reconcilers of a new process.
    fn reconcilers(&self) -> Kinds;

    /// What the operator set about the rules.
    fn rules(&self) -> group::Settings {
        group::Settings::default()
    }

    fn start(&self, identity: &str, options: ProcessOptions) -> Process {
        Process::start(self.server(), self.watched(), self.reconcilers(), self.rules(), identity, options)
    }
}

/// How a process behaves.
#[derive(Clone, Copy, Debug)]
pub struct ProcessOptions {
    /// How far its cache is behind.
    pub lag: Duration,
    /// Where it is interrupted, and at which visit.
    pub crash_at: Option<(CrashPoint, usize)>,
    /// The kind of the object with which it has to get there, if that matters.
    pub with: Option<&'static str>,
    /// What happens: nothing more, or nothing for so long.
    pub frozen_for: Option<Duration>,
    /// Whether it only looks.
    pub observe_only: bool,
    /// How many objects it works on at a time.
    pub concurrency: usize,
    /// How long its lease lasts, which it renews three times as often.
    pub lease: Duration,
    /// How many changes that come together it is told of one by one: as many as a real cache.
    pub changes: usize,
}

impl Default for ProcessOptions {
    /// In good health, in step, four objects at a time.
    fn default() -> Self {
        Self {
            lag: Duration::ZERO,
            crash_at: None,
            with: None,
            frozen_for: None,
            observe_only: false,
            concurrency: 4,
            lease: LEASE,
            changes: 4096,
        }
    }
}

/// A running process. Dropped, it is dead at once.
pub struct Process {
    tasks: Vec<JoinHandle<()>>,
    /// What it counts.
    pub metrics: Metrics,
    /// True once what was to happen to it has happened.
    pub interrupted: watch::Receiver<bool>,
    shutdown: CancellationToken,
}

impl Process {
    fn start(
        server: &Arc<Server>,
        watched: &'static [KindInfo],
        reconcilers: Kinds,
        rules: group::Settings,
        identity: &str,
        options: ProcessOptions,
    ) -> Self {
        let (frozen, freezing) = watch::channel(false);
        let (interrupt, interrupted) = watch::channel(false);
        let cluster: Arc<dyn Cluster> = Arc::new(Connection { server: server.clone(), frozen: freezing });
        let clock: Arc<dyn Clock> = Arc::new(ServerClock(server.clone()));
        let random: Arc<dyn Random> = Arc::new(Chance::of(identity));
        let lease = LeaseSettings {
            namespace: "concierge".into(),
            name: "reconciler".into(),
            identity: identity.into(),
            duration: options.lease,
            request_timeout: REQUEST,
        };
        let (leadership, term) = Leadership::new(cluster.clone(), clock.clone(), random.clone(), lease);
        let view = View::new(server.clone(), watched, options.lag, options.changes);
        let metrics = Metrics::default();
        let hook: Arc<dyn Hook> = Arc::new(CrashHook { options, count: Mutex::new(0), frozen, interrupt });
        let dependencies = Dependencies {
            cluster,
            objects: view.clone(),
            children: view.clone(),
            clock,
            random,
            term,
            hook: Some(hook),
        };
        let settings = Settings {
            concurrency: options.concurrency,
            request_timeout: REQUEST,
            lease_duration: options.lease,
            settle: MINUTE,
            observe_only: options.observe_only,
            enforcement: Enforcement::default(),
            rules,
        };
        let engine = Engine::new(dependencies, settings, metrics.clone(), reconcilers);
        let shutdown = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(engine.run(shutdown.clone())),
            tokio::spawn(leadership.keep(shutdown.clone())),
            tokio::spawn(view.follow()),
        ];
        Self { tasks, metrics, interrupted, shutdown }
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        for task in self.tasks.iter_mut().take(2) {
            task.await.unwrap();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The API server's clock.
pub struct ServerClock(pub Arc<Server>);

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Chance that is the same in every run.
pub struct Chance(Mutex<fastrand::Rng>);

impl Chance {
    /// The chance of the process with this identity.
    pub fn of(identity: &str) -> Self {
        let seed = identity.bytes().fold(7, |seed: u64, byte| seed * 31 + u64::from(byte));
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Random for Chance {
    fn unit(&self) -> f64 {
        self.0.lock().f64()
    }

    fn bits(&self) -> u128 {
        self.0.lock().u128(..)
    }
}

/// Interrupts a process where its options say.
struct CrashHook {
    options: ProcessOptions,
    count: Mutex<usize>,
    frozen: watch::Sender<bool>,
    interrupt: watch::Sender<bool>,
}

impl Hook for CrashHook {
    fn reached(&self, point: CrashPoint, key: &ObjectKey) -> BoxFuture<'static, ()> {
        let interrupts = self.options.crash_at.is_some_and(|(at, nth)| {
            let here = at == point && self.options.with.is_none_or(|kind| kind == key.kind);
            let mut count = self.count.lock();
            *count += usize::from(here);
            here && *count == nth
        });
        if !interrupts {
            let mut frozen = self.frozen.subscribe();
            return Box::pin(async move {
                let _ = frozen.wait_for(|frozen| !frozen).await;
            });
        }
        self.interrupt.send_replace(true);
        let (frozen, options) = (self.frozen.clone(), self.options);
        frozen.send_replace(true);
        Box::pin(async move {
            match options.frozen_for {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
            frozen.send_replace(false);
        })
    }
}
