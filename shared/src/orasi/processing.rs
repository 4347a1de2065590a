//! Processing: what becomes of records before they are stored. Pipelines and Configurations have it alike.

mod anomalies;
mod checks;
mod cycle;
mod filter;
pub(super) mod pattern;
mod steps;

use validator::Validate;

use crate::{admission::problem::Problems, orasi::block::block, rules};

pub use self::{
    anomalies::{Alerting, AnomalyDetection},
    filter::{FilterAction, FilterOperator, FilterRule},
    steps::{AggregationFunction, AggregationRule, TransformationRule, TransformationType},
};

block! {
    /// What becomes of records before they are stored.
    pub struct Processing {
        /// How many threads work; 8 when absent.
        #[validate(range(min = 1, max = 64, code = "orasi.processing.threads"))]
        worker_threads: i64,
        /// Whether records are worked on as they come; so when absent.
        enable_streaming: bool,
        /// How many milliseconds of a stream are looked at together; 60000 when absent.
        #[validate(range(min = 1000, max = 300_000, code = "orasi.processing.window"))]
        stream_window_ms: i64,
        /// Whether transformationRules are applied; when there are some unless it says otherwise.
        enable_transformation: bool,
        /// What is made of fields, in this order.
        #[validate(nested)]
        #[schemars(length(max = 100))]
        transformation_rules: Vec<TransformationRule>,
        /// Whether filterRules are applied; when there are some unless it says otherwise.
        enable_filtering: bool,
        /// Which records are kept.
        #[validate(nested)]
        #[schemars(length(max = 100))]
        filter_rules: Vec<FilterRule>,
        /// Whether aggregationRules are applied; when there are some unless it says otherwise.
        enable_aggregation: bool,
        /// What is made of many records.
        #[validate(nested)]
        #[schemars(length(max = 100))]
        aggregation_rules: Vec<AggregationRule>,
        /// Whether what is unusual is looked for; when anomalyDetection is there unless it says otherwise.
        enable_anomaly_detection: bool,
        /// How.
        #[validate(nested)]
        anomaly_detection: AnomalyDetection,
        /// How many seconds a query may take; 30 when absent.
        #[validate(range(min = 1, max = 3600, code = "orasi.processing.query"))]
        query_timeout_secs: i64,
        /// How much memory a query may use, in bytes; without a limit when absent.
        #[validate(range(min = 1, code = "orasi.processing.query"))]
        max_query_memory: i64,
        /// Whether results are kept; so when absent.
        enable_query_caching: bool,
        /// How much of them, in bytes; 100 MiB when absent.
        #[validate(range(min = 1, code = "orasi.processing.query"))]
        cache_size: i64,
        /// For how many seconds; 300 when absent.
        #[validate(range(min = 1, code = "orasi.processing.query"))]
        cache_ttl_secs: i64,
    }
}

rules! {
    THREADS = Deny "orasi.processing.threads", "From 1 to 64 threads work on records.";
    WINDOW = Deny "orasi.processing.window", "A stream's window is from 1000 to 300000 milliseconds, and that of an aggregation up to 86400000.";
    QUERY = Deny "orasi.processing.query", "A query may take from 1 to 3600 seconds; what it may use and what is kept of it is 1 or more.";
    THRESHOLD = Deny "orasi.processing.threshold", "Unusual is what is from 1 to 10 standard deviations away, and alerts are raised after 1 to 100.";
    NAMES = Deny "orasi.processing.names", "Each rule has a name of 1 to 255 characters, which no other of its list has.";
    FIELDS = Deny "orasi.processing.fields", "Names of fields have from 1 to 255 characters, without white space around them.";
    PARAMETERS = Deny "orasi.processing.parameters", "Parameters are texts, numbers, switches, or lists of them.";
    VALUE = Deny "orasi.processing.value", "The value of a filter is what its operator compares with: a list for In and NotIn, a text for Contains, StartsWith, EndsWith and Regex.";
    REGEX = Deny "orasi.processing.regex", "Regular expressions have up to 1000 bytes and can be compiled in 256 KiB, eight of an object in 4 MiB each; where they ignore case, all together have up to 128 classes of characters.";
    CYCLE = Deny "orasi.processing.cycle", "No rule makes a field of itself, be it by way of others.";
    IDLE = Warn "orasi.processing.idle", "Rules that are there are not switched off, and what is switched on has rules.";
    ALERTING = Deny "orasi.processing.alerting", "Alerts by e-mail have recipients, and those to a webhook its address.";
    CREDENTIALS = Deny "orasi.processing.credentials", "No credential stands in the clear in a parameter, a value or a URL.";
}

/// The fields of processing that may hold a secret, below `$at`.
macro_rules! secret_fields {
    ($at:literal $(, $other:literal)*) => {
        &[
            concat!($at, ".transformationRules[].parameters{}"),
            concat!($at, ".filterRules[].value"),
            concat!($at, ".anomalyDetection.mlModelPath"),
            concat!($at, ".anomalyDetection.mlParameters{}"),
            concat!($at, ".anomalyDetection.alerting.webhookUrl"),
            $($other,)*
        ]
    };
}
pub(super) use secret_fields;

/// Adds all problems of `spec.processing`.
pub(super) fn check(processing: Option<&Processing>, problems: &mut Problems) {
    if let Some(processing) = processing {
        checks::check(processing, problems);
        cycle::check(processing, problems);
    }
}
