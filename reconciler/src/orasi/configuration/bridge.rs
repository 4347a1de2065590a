//! What a bridge is told, as the type `BridgeConfig` of upstream's crate bridge-core reads it: JSON with names in snake case.
//!
//! Upstream has no value for a field that is missing, unless it may be: so all of them are written, with upstream's defaults. Its type knows
//! no pipelines. They stand beside what it knows, under `pipelines`, and it passes over them.

mod authentication;
mod lakehouse;
mod processing;
mod secrets;
mod security;

use std::{collections::BTreeMap, sync::Arc};

use concierge_shared::{
    common::words::hex,
    orasi::{
        Advanced, Configuration, Connector, Ingestion, LogFormat, LogLevel, Monitoring, Pipeline, Storage,
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::secrets::Secrets;

/// What is published.
pub(super) struct Rendered {
    pub(super) text: String,
    /// Its SHA-256, in hexadecimal digits.
    pub(super) hash: String,
}

/// A Pipeline that is taken, and what it refers to.
pub(super) struct Taken {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) connector: Arc<Connector>,
    pub(super) storage: Arc<Storage>,
}

/// The same text for the same objects.
///
/// # Errors
/// What can't be written, in a sentence.
pub(super) fn render(configuration: &Configuration, taken: &[Taken]) -> Result<Rendered, String> {
    let (spec, namespace) =
        (&configuration.spec, configuration.metadata.namespace.as_deref().unwrap_or_default());
    let mut secrets = Secrets::default();
    let mut lakehouses = BTreeMap::new();
    for one in taken {
        let key = lakehouse_key(&one.storage, namespace);
        lakehouses.insert(key, lakehouse::render(&one.storage, &mut secrets)?);
    }
    let pipelines: Vec<_> = taken.iter().map(|one| pipeline(one, namespace)).collect();
    let config = json!({
        "name": spec.name.as_ref().or(configuration.metadata.name.as_ref()),
        "version": spec.version,
        "environment": spec.environment.as_deref().unwrap_or("development"),
        "ingestion": ingestion(&spec.ingestion.clone().unwrap_or_default(), namespace, &mut secrets),
        "lakehouses": lakehouses,
        "processing": processing::render(&spec.processing.clone().unwrap_or_default()),
        "security": security::render(&spec.security.clone().unwrap_or_default(), namespace, &mut secrets),
        "monitoring": monitoring(&spec.monitoring.clone().unwrap_or_default()),
        "advanced": advanced(&spec.advanced.clone().unwrap_or_default()),
        "pipelines": pipelines,
    });
    secrets.check()?;
    let text = format!("{config:#}\n");
    Ok(Rendered { hash: hex(&Sha256::digest(&text)), text })
}

/// The name of a storage, with its namespace in front if that is another than the configuration's.
fn lakehouse_key(storage: &Storage, own: &str) -> String {
    let namespace = storage.metadata.namespace.as_deref().unwrap_or_default();
    let name = storage.metadata.name.as_deref().unwrap_or_default();
    if namespace == own { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// The fields of upstream's `PipelineConfig`, and what it has in other places or not at all.
fn pipeline(taken: &Taken, own: &str) -> Value {
    let (spec, connector) = (&taken.pipeline.spec, &taken.connector);
    json!({
        "name": taken.pipeline.metadata.name,
        "lakehouse": lakehouse_key(&taken.storage, own),
        "table": spec.table,
        "connector": connector.metadata.name,
        "connector_type": connector.spec.connector_type,
        "max_batch_size": spec.max_batch_size.unwrap_or(1000),
        "flush_interval_ms": spec.flush_interval_ms.unwrap_or(5000),
        "buffer_size": spec.buffer_size.unwrap_or(10_000),
        "enable_backpressure": spec.enable_backpressure.unwrap_or(true),
        "backpressure_threshold": spec.backpressure_threshold.unwrap_or(80),
        "enable_metrics": spec.enable_metrics.unwrap_or(true),
        "enable_health_checks": spec.enable_health_checks.unwrap_or(true),
        "health_check_interval_ms": spec.health_check_interval_ms.unwrap_or(30_000),
        "processing": spec.processing.as_ref().map(processing::render),
    })
}

fn ingestion(given: &Ingestion, namespace: &str, secrets: &mut Secrets) -> Value {
    let authentication = given.authentication.as_ref();
    json!({
        "otlp_endpoint": given.otlp_endpoint.as_deref().unwrap_or("0.0.0.0:4317"),
        "http_endpoint": given.http_endpoint.as_deref().unwrap_or("0.0.0.0:4318"),
        "batch_size": given.batch_size.unwrap_or(1000),
        "flush_interval_ms": given.flush_interval_ms.unwrap_or(5000),
        "buffer_size": given.buffer_size.unwrap_or(10_000),
        "compression_level": given.compression_level.unwrap_or(6),
        "enable_persistence": given.enable_persistence.unwrap_or(false),
        "persistence_path": given.persistence_path,
        "max_persistence_size": given.max_persistence_size,
        "enable_backpressure": given.enable_backpressure.unwrap_or(true),
        "backpressure_threshold": given.backpressure_threshold.unwrap_or(80),
        "authentication": authentication.map(|given| authentication::render(given, namespace, secrets)),
    })
}

fn monitoring(given: &Monitoring) -> Value {
    json!({
        "enable_metrics": given.enable_metrics.unwrap_or(true),
        "metrics_endpoint": given.metrics_endpoint.as_deref().unwrap_or("0.0.0.0:9090"),
        "enable_health_checks": given.enable_health_checks.unwrap_or(true),
        "health_endpoint": given.health_endpoint.as_deref().unwrap_or("0.0.0.0:8080"),
        "enable_structured_logging": given.enable_structured_logging.unwrap_or(true),
        "log_level": given.log_level.unwrap_or(LogLevel::Info),
        "log_format": given.log_format.unwrap_or(LogFormat::Json),
        "log_file_path": given.log_file_path,
        "enable_distributed_tracing": given.enable_distributed_tracing.unwrap_or(false),
        "tracing_endpoint": given.tracing_endpoint,
        "enable_performance_profiling": given.enable_performance_profiling.unwrap_or(false),
        "profiling_interval_secs": given.profiling_interval_secs,
    })
}

fn advanced(given: &Advanced) -> Value {
    json!({
        "enabled": given.enabled.unwrap_or(false),
        "config_file": given.config_file,
        "hot_reload": given.hot_reload.unwrap_or(false),
        "validation": given.validation.unwrap_or(true),
        "encryption": given.encryption.unwrap_or(false),
        "backup": given.backup.unwrap_or(true),
        "versioning": given.versioning.unwrap_or(true),
        "env_substitution": given.env_substitution.unwrap_or(true),
    })
}
