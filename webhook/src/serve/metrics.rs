//! What the webhook counts and measures.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// The buckets of durations, in seconds, from 100 us.
const BUCKETS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Decision {
    Admitted,
    Warned,
    Refused,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Admission {
    pub(crate) stage: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) decision: Decision,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfKind {
    pub(crate) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfRule {
    pub(crate) rule: &'static str,
    pub(crate) level: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Outcome {
    pub(crate) outcome: &'static str,
}

/// The webhook's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) admissions: Family<Admission, Counter>,
    pub(crate) durations: Family<OfKind, Histogram, fn() -> Histogram>,
    pub(crate) problems: Family<OfRule, Counter>,
    pub(crate) live_reads: Family<Outcome, Counter>,
    pub(crate) claims: Family<Outcome, Counter>,
    pub(crate) handshakes_failed: Family<Outcome, Counter>,
    pub(crate) panics: Counter,
    pub(crate) deadlines: Counter,
    pub(crate) shed: Counter,
    pub(crate) certificate_expiry: Family<Certificate, Gauge<f64, std::sync::atomic::AtomicU64>>,
    pub(crate) bundle_mismatch: Gauge,
    pub(crate) objects: Family<OfKind, Gauge>,
    pub(crate) believed: Family<OfKind, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Certificate {
    pub(crate) certificate: &'static str,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Metrics {
    /// The metrics, all zero, in a registry of their own.
    pub(crate) fn new() -> (Self, Arc<Registry>) {
        let metrics = Self::zero();
        let registry = Arc::new(metrics.registry());
        (metrics, registry)
    }

    fn zero() -> Self {
        Self {
            admissions: Family::default(),
            durations: Family::new_with_constructor(histogram),
            problems: Family::default(),
            live_reads: Family::default(),
            claims: Family::default(),
            handshakes_failed: Family::default(),
            panics: Counter::default(),
            deadlines: Counter::default(),
            shed: Counter::default(),
            certificate_expiry: Family::default(),
            bundle_mismatch: Gauge::default(),
            objects: Family::default(),
            believed: Family::default(),
        }
    }

    fn registry(&self) -> Registry {
        let mut all = Registry::with_prefix("concierge");
        let m = self.clone();
        all.register("admission", "Requests decided, by outcome", m.admissions);
        all.register_with_unit("admission_duration", "Time to decide a request", Unit::Seconds, m.durations);
        all.register(
            "admission_problems",
            "Problems found, by rule and the level it is enforced at",
            m.problems,
        );
        all.register("lookup_live_reads", "Reads of the cluster before a refusal was believed", m.live_reads);
        all.register("claims", "Reservations of unique values, by outcome", m.claims);
        all.register("tls_handshakes_failed", "TLS handshakes that failed, by cause", m.handshakes_failed);
        all.register("admission_panics", "Requests that met a bug in a rule", m.panics);
        all.register("admission_deadlines", "Requests that could not be decided in time", m.deadlines);
        all.register("admission_shed", "Requests turned away because too many were under way", m.shed);
        all.register_with_unit(
            "certificate_expiry",
            "Time until a certificate expires",
            Unit::Seconds,
            m.certificate_expiry,
        );
        all.register(
            "certificate_bundle_mismatch",
            "1 while a caBundle lacks the CA that is served",
            m.bundle_mismatch,
        );
        all.register("cached_objects", "Objects in the watch caches", m.objects);
        all.register(
            "cache_believed",
            "1 while what is cached of a kind may be believed; 0 also when it can't be watched",
            m.believed,
        );
        all
    }
}
