//! The loop around a replica's turns: when to take one, and what the rest of the process sees of it.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream::BoxStream};
use jiff::Timestamp;
use kube::Client;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use crate::{
    authority::State,
    bundle::Bundle,
    ca::Certificate,
    cluster::Cluster,
    dial::self_dial,
    options::Options,
    replica::{Replica, Report},
    resolver::Resolver,
    status::Status,
    store::KubeCluster,
};

/// A turn that takes longer hangs on a dead connection; it is dropped and taken again.
const TURN: Duration = Duration::from_secs(20);

/// Keeps the webhook's certificates. Share it in an [`Arc`]: one task [`run`](Self::run)s it, everything else may
/// be called at any time.
#[derive(Debug)]
pub struct Manager<C = KubeCluster> {
    cluster: C,
    options: Options,
    resolver: Arc<Resolver>,
    address: OnceLock<SocketAddr>,
    nudge: Notify,
    seen: watch::Sender<Seen>,
    ready: watch::Sender<bool>,
}

/// What the last turn left behind.
#[derive(Clone, Debug, Default)]
struct Seen {
    state: Option<State>,
    ca_until: Option<Timestamp>,
    leaf_until: Option<Timestamp>,
    bundle_mismatch: bool,
    last_error: Option<String>,
}

impl Manager {
    /// Manages what `options` name through `client`. Does nothing until it is [`run`](Self::run).
    pub fn new(client: Client, options: Options) -> Self {
        Self::with_cluster(KubeCluster::new(client, &options), options)
    }
}

impl<C: Cluster> Manager<C> {
    /// The same with another cluster, for tests.
    pub fn with_cluster(cluster: C, options: Options) -> Self {
        Self {
            cluster,
            options,
            resolver: Resolver::empty(),
            address: OnceLock::new(),
            nudge: Notify::new(),
            seen: watch::Sender::new(Seen::default()),
            ready: watch::Sender::new(false),
        }
    }

    /// For [`server_config`](crate::server_config).
    pub fn resolver(&self) -> Arc<Resolver> {
        self.resolver.clone()
    }

    /// Tells where the server listens, as soon as it accepts connections. Until then nothing gets ready. The first
    /// call counts.
    pub fn self_dial(&self, addr: SocketAddr) {
        if self.address.set(addr).is_ok() {
            self.nudge.notify_one();
        }
    }

    /// Turns true, and stays so, when a leaf exists, every configuration trusts it, and a TLS handshake with the
    /// own server under each of these bundles has succeeded.
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// The state of things at this moment.
    pub fn status(&self) -> Status {
        let seen = self.seen.borrow().clone();
        let now = self.options.clock.now();
        let left = |until: Option<Timestamp>| until.map(|it| it.duration_since(now).as_secs_f64());
        Status {
            state: seen.state,
            ca_expires_in: left(seen.ca_until),
            leaf_expires_in: left(seen.leaf_until),
            bundle_mismatch: seen.bundle_mismatch,
            last_error: seen.last_error,
            ready: *self.ready.borrow(),
        }
    }

    /// Takes turns until `shutdown` resolves. What is served stays served afterwards.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.turns() => {}
        }
    }

    async fn turns(&self) {
        let mut replica = Replica::new(self.options.clone(), self.resolver.clone());
        let mut changes = self.cluster.changes();
        let mut proved = None;
        let mut pace = Pace::default();
        loop {
            let again = self.turn(&mut replica, &mut proved).await;
            self.wait(again, &mut changes, &mut pace).await;
        }
    }

    /// True if another turn should follow at once.
    async fn turn(&self, replica: &mut Replica, proved: &mut Option<Certificate>) -> bool {
        let Ok(report) = timeout(TURN, replica.turn(&self.cluster)).await else {
            self.failed(format!("the API server did not answer in {TURN:?}; it is tried again"));
            return true;
        };
        let dialled = self.prove(replica, &report, proved).await;
        let errors = report.errors.iter().map(ToString::to_string);
        let errors: Vec<_> = errors.chain(dialled.as_ref().err().cloned()).collect();
        self.publish(replica, &report, (!errors.is_empty()).then(|| errors.join("; ")));
        // Last, so that whoever waits for it finds a status that agrees.
        if proved.is_some() {
            self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
        }
        report.again || dialled.is_err()
    }

    /// Dials the own server if the leaf has not yet proved itself there.
    async fn prove(
        &self,
        replica: &Replica,
        report: &Report,
        proved: &mut Option<Certificate>,
    ) -> Result<(), String> {
        let (Some(addr), Some(leaf), true) = (self.address.get(), replica.leaf(), report.trusted) else {
            return Ok(());
        };
        if proved.as_ref() == Some(leaf.certificate()) {
            return Ok(());
        }
        let own = [Bundle::from_iter([leaf.issuer().clone()])];
        let bundles = if report.bundles.is_empty() { &own } else { &report.bundles[..] };
        for bundle in bundles {
            let dialled =
                self_dial(*addr, bundle.pem().as_bytes(), &self.options.server_name(), report.now).await;
            dialled.map_err(|error| error.to_string())?;
        }
        *proved = Some(leaf.certificate().clone());
        Ok(())
    }

    fn publish(&self, replica: &Replica, report: &Report, last_error: Option<String>) {
        if let Some(error) = &last_error
            && self.seen.borrow().last_error.as_ref() != Some(error)
        {
            tracing::warn!(%error, "certificates need attention");
        }
        let current = replica.authority().map(|it| it.current().certificate().not_after());
        self.seen.send_replace(Seen {
            state: replica.authority().map(|it| it.state()),
            ca_until: current,
            leaf_until: replica.leaf().map(|it| it.certificate().not_after()),
            bundle_mismatch: !report.trusted,
            last_error,
        });
    }

    fn failed(&self, error: String) {
        tracing::warn!(%error, "certificates need attention");
        self.seen.send_modify(|seen| seen.last_error = Some(error));
    }

    /// Until there is a reason for another turn.
    async fn wait(&self, again: bool, changes: &mut BoxStream<'static, ()>, pace: &mut Pace) {
        if !again {
            tokio::select! {
                () = sleep(jittered(self.options.tick)) => return pace.rest(),
                () = self.nudge.notified() => return pace.rest(),
                () = self.resolver.due() => {}
                Some(()) = changes.next() => {}
            }
        }
        sleep(pace.pause()).await;
        // What was reported meanwhile is covered by the turn that follows.
        while let Some(Some(())) = changes.next().now_or_never() {}
    }
}

/// The first turns after a change follow at once. If a tool undoes our writes again and again, there is one turn a second.
#[derive(Debug, Default)]
struct Pace {
    turns: u32,
}

impl Pace {
    fn rest(&mut self) {
        self.turns = 0;
    }

    fn pause(&mut self) -> Duration {
        self.turns = (self.turns + 1).min(8);
        Duration::from_millis(5 << self.turns).min(Duration::from_secs(1))
    }
}

/// Replicas that started together must not read at the same time for ever.
fn jittered(tick: Duration) -> Duration {
    tick.mul_f64(0.9 + fastrand::f64() / 5.0)
}
