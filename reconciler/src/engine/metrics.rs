//! What the engine counts. Object names are never labels.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// One kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// Its name.
    pub kind: &'static str,
}

/// What came of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PassLabels {
    /// The object's kind.
    pub kind: &'static str,
    /// `ok`, `parked`, or the reason of the failure.
    pub result: String,
}

/// A remote call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// The service.
    pub service: &'static str,
    /// The operation.
    pub operation: &'static str,
    /// `ok`, or the reason of the failure.
    pub outcome: &'static str,
}

/// A remote operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabels {
    /// The service.
    pub service: &'static str,
    /// The operation.
    pub operation: &'static str,
}

/// Objects that are, or are not, ready.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReadyLabels {
    /// Their kind.
    pub kind: &'static str,
    /// `true` or `false`.
    pub ready: &'static str,
}

/// A field that was found to differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DriftLabels {
    /// The object's kind.
    pub kind: &'static str,
    /// The field.
    pub field: &'static str,
}

/// Intents in a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct IntentLabels {
    /// The object's kind.
    pub kind: &'static str,
    /// `open`, `unknown`, `held`, `abandoned`.
    pub state: &'static str,
}

/// A remote account. The accounts are providers that operators set up, so there are few.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AccountLabels {
    /// The service.
    pub service: &'static str,
    /// The account.
    pub account: String,
}

type Timer<L> = Family<L, Histogram, fn() -> Histogram>;

/// The engine's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Passes, by what came of them.
    pub passes: Family<PassLabels, Counter>,
    /// How long a pass took.
    pub pass_seconds: Timer<KindLabel>,
    /// Remote calls.
    pub calls: Family<CallLabels, Counter>,
    /// How long a remote call took.
    pub call_seconds: Timer<OperationLabels>,
    /// Objects, by readiness.
    pub objects: Family<ReadyLabels, Gauge>,
    /// Differences found.
    pub drift: Family<DriftLabels, Counter>,
    /// Intents, by state.
    pub intents: Family<IntentLabels, Gauge>,
    /// 1 while an account's circuit breaker is open.
    pub breaker_open: Family<AccountLabels, Gauge>,
    /// Objects that are due or will be.
    pub queue_depth: Gauge,
    /// How long objects waited after they were due.
    pub queue_age: Histogram,
    /// Writes to the API server, by verb.
    pub writes: Family<WriteLabels, Counter>,
    /// 1 on the replica that reconciles.
    pub leader: Gauge,
}

/// A write to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabels {
    /// The object's kind.
    pub kind: &'static str,
    /// `status`, `metadata`, `target`, `claim`.
    pub what: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            passes: Family::default(),
            pass_seconds: Family::new_with_constructor(seconds),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(seconds),
            objects: Family::default(),
            drift: Family::default(),
            intents: Family::default(),
            breaker_open: Family::default(),
            queue_depth: Gauge::default(),
            queue_age: seconds(),
            writes: Family::default(),
            leader: Gauge::default(),
        }
    }
}

fn seconds() -> Histogram {
    // 1 ms to 65 s.
    Histogram::new(exponential_buckets(0.001, 2.0, 17))
}

impl Metrics {
    /// Names the metrics in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let engine = registry.sub_registry_with_prefix("concierge");
        engine.register("reconcile", "Passes over an object, by what came of them", self.passes.clone());
        engine.register_with_unit(
            "reconcile_duration",
            "How long a pass took",
            Unit::Seconds,
            self.pass_seconds.clone(),
        );
        engine.register("remote_calls", "Calls of remote services", self.calls.clone());
        engine.register_with_unit(
            "remote_call_duration",
            "How long a remote call took",
            Unit::Seconds,
            self.call_seconds.clone(),
        );
        engine.register("objects", "Objects, by readiness", self.objects.clone());
        engine.register(
            "drift",
            "Differences between the spec and the remote side, by field",
            self.drift.clone(),
        );
        engine.register("intents", "Calls that may be sent once and are under way", self.intents.clone());
        engine.register(
            "breaker_open",
            "1 while an account's credentials are taken to be wrong",
            self.breaker_open.clone(),
        );
        engine.register("queue_depth", "Objects waiting for a pass", self.queue_depth.clone());
        engine.register_with_unit(
            "queue_age",
            "How long objects waited after they were due",
            Unit::Seconds,
            self.queue_age.clone(),
        );
        engine.register("writes", "Writes to the API server", self.writes.clone());
        engine.register("leader", "1 on the replica that reconciles", self.leader.clone());
    }

    /// Counts a remote call.
    pub fn call(
        &self,
        service: &'static str,
        operation: &'static str,
        outcome: &'static str,
        took: Duration,
    ) {
        self.calls.get_or_create(&CallLabels { service, operation, outcome }).inc();
        self.call_seconds.get_or_create(&OperationLabels { service, operation }).observe(took.as_secs_f64());
    }

    /// Counts a pass.
    pub fn pass(&self, kind: &'static str, result: String, took: Duration) {
        self.passes.get_or_create(&PassLabels { kind, result }).inc();
        self.pass_seconds.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
    }

    /// Counts a write.
    pub fn write(&self, kind: &'static str, what: &'static str) {
        self.writes.get_or_create(&WriteLabels { kind, what }).inc();
    }
}
