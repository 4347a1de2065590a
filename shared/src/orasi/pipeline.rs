//! A pipeline: what is written where, by which connector, and what becomes of it before.

mod checks;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    Connector, Storage,
    processing::{self, Processing, secret_fields},
    selector::{SELECTED, keys_of_labels},
};
use crate::{
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, missing},
        problem::Problems,
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::ObjectRef,
    field::at,
    kind::{EVERY_LABEL, Kind},
    rules, status,
};

/// What a pipeline is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "orasi.io",
    version = "v1alpha1",
    kind = "Pipeline",
    plural = "pipelines",
    namespaced,
    status = "PipelineStatus",
    category = "orasi",
    doc = "A way of telemetry into a table: by a Connector, to a Storage.",
    printcolumn(name = "Connector", type_ = "string", json_path = ".spec.connectorRef.name"),
    printcolumn(name = "Storage", type_ = "string", json_path = ".spec.storageRef.name"),
    printcolumn(name = "Table", type_ = "string", json_path = ".spec.table"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PipelineSpec {
    /// The Connector that writes the table.
    pub connector_ref: ObjectRef,
    /// The Storage that the table is in.
    pub storage_ref: ObjectRef,
    /// The table's name, which no other Pipeline of the Storage has.
    #[validate(length(min = 1, max = 255, code = "orasi.pipeline.table"))]
    pub table: String,
    /// How many records are written at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 10_000, code = "orasi.pipeline.batch-size"))]
    #[schemars(extend("default" = 1000))]
    pub max_batch_size: Option<i64>,
    /// After how many milliseconds fewer are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 100, max = 60_000, code = "orasi.pipeline.flush-interval"))]
    #[schemars(extend("default" = 5000))]
    pub flush_interval_ms: Option<i64>,
    /// How many records may wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1000, max = 100_000, code = "orasi.pipeline.buffer-size"))]
    #[schemars(extend("default" = 10_000))]
    pub buffer_size: Option<i64>,
    /// Whether senders are slowed down when many records wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_backpressure: Option<bool>,
    /// From how many on, in percent of bufferSize.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 50, max = 95, code = "orasi.pipeline.backpressure"))]
    #[schemars(extend("default" = 80))]
    pub backpressure_threshold: Option<i64>,
    /// Whether the bridge counts what it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_metrics: Option<bool>,
    /// Whether the bridge looks after the pipeline's health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_health_checks: Option<bool>,
    /// How often, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1000, max = 3_600_000, code = "orasi.pipeline.health-check"))]
    #[schemars(extend("default" = 30_000))]
    pub health_check_interval_ms: Option<i64>,
    /// What becomes of records before they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub processing: Option<Processing>,
}

status! {
    /// What Concierge found out about a pipeline.
    pub struct PipelineStatus(message) {
        /// The objects that it waits for: Storage data/lake.
        pub waiting_for: Vec<String>,
        /// The uids and generations that its Connector and its Storage had when it was last ready.
        pub targets_seen: Option<String>,
    }
}

rules! {
    use processing::RULES;
    CONNECTOR_EXISTS = Deny protects_others "orasi.pipeline.connector-exists", "The Connector that a Pipeline names exists and permits its namespace.";
    STORAGE_EXISTS = Deny protects_others "orasi.pipeline.storage-exists", "The Storage that a Pipeline names exists and permits its namespace.";
    CONNECTOR_TYPE = Deny "orasi.pipeline.connector-type", "A Pipeline's Connector is of its Storage's type or of Kafka, and its Storage holds tables.";
    TABLE = Deny "orasi.pipeline.table", "A table's name has from 1 to 255 characters, without '/', white space around it and what does not print.";
    UNIQUE = Deny protects_others "orasi.pipeline.unique", "No two Pipelines write the same table of a Storage, whatever the case of its letters.";
    BATCH_SIZE = Deny "orasi.pipeline.batch-size", "A Pipeline writes from 1 to 10000 records at a time.";
    FLUSH_INTERVAL = Deny "orasi.pipeline.flush-interval", "A Pipeline writes what it has every 100 to 60000 milliseconds.";
    BUFFER_SIZE = Deny "orasi.pipeline.buffer-size", "From 1000 to 100000 records may wait.";
    BACKPRESSURE = Deny "orasi.pipeline.backpressure", "Senders are slowed down from 50 to 95 percent on.";
    HEALTH_CHECK = Deny "orasi.pipeline.health-check", "A Pipeline's health is looked after every 1000 to 3600000 milliseconds.";
    LABELS = Deny "orasi.pipeline.labels", "A Pipeline has at most 64 labels.";
    IN_USE = Deny "orasi.pipeline.in-use", "A Pipeline is deleted after the Configurations that take it, or once they take it no more.";
}

impl Kind for Pipeline {
    const NAME: &'static str = SELECTED;
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ASKED_ON_DELETE: bool = true;
    /// Configurations take Pipelines by any of them.
    const READ_LABELS: &'static [&'static str] = EVERY_LABEL;
    const SECRET_FIELDS: &'static [&'static str] = secret_fields!("spec.processing");
    /// What is secret is refused.
    const CONFIDENTIAL: bool = false;
    const FILLS: &'static [Filled] = &[
        missing("spec.maxBatchSize"),
        missing("spec.flushIntervalMs"),
        missing("spec.bufferSize"),
        missing("spec.enableBackpressure"),
        missing("spec.backpressureThreshold"),
        missing("spec.enableMetrics"),
        missing("spec.enableHealthChecks"),
        missing("spec.healthCheckIntervalMs"),
    ];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        let spec = &mut self.spec;
        fill.missing(&mut spec.max_batch_size, "spec.maxBatchSize", 1000);
        fill.missing(&mut spec.flush_interval_ms, "spec.flushIntervalMs", 5000);
        fill.missing(&mut spec.buffer_size, "spec.bufferSize", 10_000);
        fill.missing(&mut spec.enable_backpressure, "spec.enableBackpressure", true);
        fill.missing(&mut spec.backpressure_threshold, "spec.backpressureThreshold", 80);
        fill.missing(&mut spec.enable_metrics, "spec.enableMetrics", true);
        fill.missing(&mut spec.enable_health_checks, "spec.enableHealthChecks", true);
        fill.missing(&mut spec.health_check_interval_ms, "spec.healthCheckIntervalMs", 30_000);
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        problems.add_invalid_fields(&**review.object);
        processing::check(review.object.spec.processing.as_ref(), problems);
        checks::check(review, problems);
    }

    fn check_deletion(review: &Review<'_, Self>, problems: &mut Problems) {
        checks::check_taken(review, problems);
    }

    fn references(&self) -> Vec<Reference> {
        let spec = &self.spec;
        let connector =
            spec.connector_ref.reference("spec.connectorRef", Connector::NAME, &CONNECTOR_EXISTS, true);
        let storage = spec.storage_ref.reference("spec.storageRef", Storage::NAME, &STORAGE_EXISTS, true);
        connector.into_iter().chain(storage).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let storage = &self.spec.storage_ref;
        // Many catalogs and databases, Snowflake among them, take a name for the same in whatever letters.
        let table = self.spec.table.to_lowercase();
        let key = format!("{}/{}#{table}", storage.namespace_in(namespace), storage.name);
        let taken = "another Pipeline writes this table of the Storage; choose another table, or change that Pipeline";
        vec![Claim { field: at("spec.table"), rule: &UNIQUE, key, taken: Some(taken) }]
    }

    fn index_keys(&self) -> Vec<String> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        keys_of_labels(namespace, self.metadata.labels.as_ref())
    }
}
