//! What the controller before us counted of documents, under its names. We count the same of every kind, by labels.

use std::time::Duration;

use prometheus_client::{
    metrics::{
        counter::Counter,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// The predecessor's metrics. Clones are the same.
#[derive(Clone, Debug)]
pub struct DocumentCounts {
    seconds: Histogram,
    done: Counter,
    failed: Counter,
}

impl Default for DocumentCounts {
    fn default() -> Self {
        // 1 ms to 65 s, as the engine's.
        let seconds = Histogram::new(exponential_buckets(0.001, 2.0, 17));
        Self { seconds, done: Counter::default(), failed: Counter::default() }
    }
}

impl DocumentCounts {
    /// Names them in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let Self { seconds, done, failed } = self.clone();
        let help = "How long a run over a Document took; see concierge_reconcile_duration_seconds";
        registry.register_with_unit("doc_controller_reconcile_duration", help, Unit::Seconds, seconds);
        let help = "Runs over a Document that went well; see concierge_reconcile_total";
        registry.register("doc_controller_reconciliations", help, done);
        let help = "Runs over a Document that did not; see concierge_reconcile_total";
        registry.register("doc_controller_reconciliation_errors", help, failed);
    }

    /// Counts a run.
    pub(super) fn ran(&self, result: &str, took: Duration) {
        let count = match result {
            "ok" => &self.done,
            // It has only waited for its turn.
            "parked" => return,
            _ => &self.failed,
        };
        count.inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_predecessor() {
        let (counts, mut registry) = (DocumentCounts::default(), Registry::default());
        counts.register(&mut registry);
        for result in ["ok", "ok", "ReferencesMissing", "parked"] {
            counts.ran(result, Duration::from_secs(1));
        }
        let mut told = String::new();
        prometheus_client::encoding::text::encode(&mut told, &registry).unwrap();
        for line in [
            "doc_controller_reconciliations_total 2",
            "doc_controller_reconciliation_errors_total 1",
            "doc_controller_reconcile_duration_seconds_count 3",
        ] {
            assert!(told.lines().any(|one| one == line), "{told}");
        }
    }
}
