//! How a bridge is watched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CREDENTIALS, ENDPOINT, NEEDS, checks};
use crate::{
    admission::problem::{Cause, Problems},
    orasi::{block::block, endpoint},
};

block! {
    /// How the bridge is watched.
    pub struct Monitoring {
        /// Whether it counts what it does; so when absent.
        enable_metrics: bool,
        /// Where it tells, a URL or a host and a port; 0.0.0.0:9090 when absent.
        #[schemars(length(max = 2048))]
        metrics_endpoint: String,
        /// Whether it says how it is; so when absent.
        enable_health_checks: bool,
        /// Where, a URL or a host and a port; 0.0.0.0:8080 when absent.
        #[schemars(length(max = 2048))]
        health_endpoint: String,
        /// Whether log lines have fields; so when absent.
        enable_structured_logging: bool,
        /// Which lines are written; info when absent.
        log_level: LogLevel,
        /// How; json when absent.
        log_format: LogFormat,
        /// The file that they are written to.
        #[schemars(length(max = 1024))]
        log_file_path: String,
        /// Whether the way of a request is traced; not when absent.
        enable_distributed_tracing: bool,
        /// Where traces are sent, a URL or a host and a port.
        #[schemars(length(max = 2048))]
        tracing_endpoint: String,
        /// Whether the bridge is profiled; not when absent.
        enable_performance_profiling: bool,
        /// How often, in seconds.
        #[validate(range(min = 1, code = "orasi.configuration.positive"))]
        profiling_interval_secs: i64,
    }
}

/// Which lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// All.
    Trace,
    /// Those for who mends the bridge, and more important ones.
    Debug,
    /// Those for who runs it, and more important ones.
    Info,
    /// Warnings and errors.
    Warn,
    /// Errors.
    Error,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// As JSON.
    Json,
    /// As text.
    Text,
}

pub(super) fn check(monitoring: Option<&Monitoring>, problems: &mut Problems) {
    let Some(monitoring) = monitoring else { return };
    let tracing = "spec.monitoring.tracingEndpoint";
    for (field, text) in [
        ("spec.monitoring.metricsEndpoint", &monitoring.metrics_endpoint),
        ("spec.monitoring.healthEndpoint", &monitoring.health_endpoint),
        (tracing, &monitoring.tracing_endpoint),
    ] {
        if let Some(text) = text {
            endpoint::check(field, text, (&ENDPOINT, &CREDENTIALS), problems);
        }
    }
    checks::check_path("spec.monitoring.logFilePath", monitoring.log_file_path.as_deref(), problems);
    if monitoring.enable_distributed_tracing == Some(true) && monitoring.tracing_endpoint.is_none() {
        problems.add(&NEEDS, Cause::Required, tracing, "is required by enableDistributedTracing; set it");
    }
}
