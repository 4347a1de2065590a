//! What the engine counts. Object names are never labels.

use std::{collections::HashMap, time::Duration};

use concierge_shared::status::intent::IntentState;
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// Its name.
    pub kind: &'static str,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RunLabels {
    pub kind: &'static str,
    /// `ok`, `parked`, or the reason of the failure.
    pub result: String,
}

/// A remote call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    pub service: &'static str,
    pub operation: &'static str,
    /// `ok`, or the reason of the failure.
    pub outcome: &'static str,
}

/// A remote operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabels {
    pub service: &'static str,
    pub operation: &'static str,
}

/// Objects that are, or are not, ready.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReadyLabels {
    pub kind: &'static str,
    /// `true` or `false`.
    pub ready: &'static str,
}

/// A field that was found to differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DriftLabels {
    pub kind: &'static str,
    pub field: &'static str,
}

/// Intents in a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct IntentLabels {
    pub kind: &'static str,
    /// `open`, `unknown`, `held`, `abandoned`.
    pub state: &'static str,
}

/// A remote service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ServiceLabel {
    pub service: &'static str,
}

type Timer<L> = Family<L, Histogram, fn() -> Histogram>;

/// The engine's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Runs, by what came of them.
    pub runs: Family<RunLabels, Counter>,
    /// How long a run took.
    pub run_seconds: Timer<KindLabel>,
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
    /// Accounts whose circuit breaker is open.
    pub breaker_open: Family<ServiceLabel, Gauge>,
    /// Objects that are due and wait for a worker.
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
    /// `status`, `metadata`, `target`, `claim`, `object`, `event`.
    pub what: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            runs: Family::default(),
            run_seconds: Family::new_with_constructor(seconds),
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

fn state_label(state: IntentState) -> &'static str {
    match state {
        IntentState::Open => "open",
        IntentState::Unknown => "unknown",
        IntentState::Held => "held",
        IntentState::Abandoned => "abandoned",
    }
}

impl Metrics {
    /// Names the metrics in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let engine = registry.sub_registry_with_prefix("concierge");
        engine.register("reconcile", "Runs over an object, by what came of them", self.runs.clone());
        engine.register_with_unit(
            "reconcile_duration",
            "How long a run took",
            Unit::Seconds,
            self.run_seconds.clone(),
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
            "Accounts whose credentials are taken to be wrong",
            self.breaker_open.clone(),
        );
        engine.register(
            "queue_depth",
            "Objects that are due and wait for a worker",
            self.queue_depth.clone(),
        );
        engine.register_with_unit(
            "queue_age",
            "How long objects waited after they were due",
            Unit::Seconds,
            self.queue_age.clone(),
        );
        engine.register("writes", "Writes to the API server", self.writes.clone());
        engine.register("leader", "1 on the replica that reconciles", self.leader.clone());
    }

    /// Sets the gauges of the objects of these kinds, each with whether it is ready and the state of its intent.
    pub(crate) fn count_objects(
        &self,
        kinds: impl Iterator<Item = &'static str>,
        objects: impl Iterator<Item = (&'static str, bool, Option<IntentState>)>,
    ) {
        let mut ready: HashMap<ReadyLabels, i64> = HashMap::new();
        let mut intents: HashMap<IntentLabels, i64> = HashMap::new();
        for kind in kinds {
            for state in ["true", "false"] {
                ready.insert(ReadyLabels { kind, ready: state }, 0);
            }
            for state in ["open", "unknown", "held", "abandoned"] {
                intents.insert(IntentLabels { kind, state }, 0);
            }
        }
        for (kind, is_ready, intent) in objects {
            let labels = ReadyLabels { kind, ready: if is_ready { "true" } else { "false" } };
            *ready.entry(labels).or_default() += 1;
            if let Some(state) = intent.map(state_label) {
                *intents.entry(IntentLabels { kind, state }).or_default() += 1;
            }
        }
        for (labels, count) in ready {
            self.objects.get_or_create(&labels).set(count);
        }
        for (labels, count) in intents {
            self.intents.get_or_create(&labels).set(count);
        }
    }

    /// Removes the gauges of objects: the replica that leads shows them.
    pub(crate) fn forget_objects(&self) {
        self.objects.clear();
        self.intents.clear();
        self.queue_depth.set(0);
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

    /// Counts a run.
    pub fn run(&self, kind: &'static str, result: String, took: Duration) {
        self.runs.get_or_create(&RunLabels { kind, result }).inc();
        self.run_seconds.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
    }

    /// How many runs over objects of a kind had this result.
    pub fn runs_of(&self, kind: &'static str, result: &str) -> u64 {
        self.runs.get_or_create(&RunLabels { kind, result: result.to_owned() }).get()
    }

    /// Counts a write.
    pub fn write(&self, kind: &'static str, what: &'static str) {
        self.writes.get_or_create(&WriteLabels { kind, what }).inc();
    }
}
