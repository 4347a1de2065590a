//! What a bridge reads: types with the fields of upstream's `BridgeConfig`, written down here from `crates/bridge-core/src/config` of
//! github.com/chytirio/orasi (Apache-2.0), state of 2025-08-26. Upstream passes over what it does not know. These do not, so that
//! no name is misspelt; the one field of ours is `pipelines`.

#![allow(dead_code, reason = "what can be read is all that matters")]
#![allow(clippy::upper_case_acronyms, reason = "the words are upstream's")]

use std::{collections::HashMap, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;

macro_rules! read {
    ($($name:ident { $($field:ident: $type:ty,)* })*) => {
        $(#[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* })*
    };
}

macro_rules! words {
    ($($name:ident { $($word:ident)* })*) => {
        $(#[derive(Debug, PartialEq, Deserialize)]
        pub(crate) enum $name { $($word,)* })*
    };
}

read! {
    BridgeConfig {
        name: String,
        version: Option<String>,
        environment: String,
        ingestion: Ingestion,
        lakehouses: HashMap<String, Lakehouse>,
        processing: Processing,
        security: Security,
        monitoring: Monitoring,
        advanced: Advanced,
        pipelines: Vec<Pipeline>,
    }
    Ingestion {
        otlp_endpoint: String,
        http_endpoint: Option<String>,
        batch_size: usize,
        flush_interval_ms: u64,
        buffer_size: usize,
        compression_level: u32,
        enable_persistence: bool,
        persistence_path: Option<PathBuf>,
        max_persistence_size: Option<u64>,
        enable_backpressure: bool,
        backpressure_threshold: u8,
        authentication: Option<Authentication>,
    }
    Authentication {
        method: Method,
        api_key: Option<String>,
        username: Option<String>,
        password: Option<String>,
        oauth: Option<OAuth>,
        certificate_path: Option<PathBuf>,
        private_key_path: Option<PathBuf>,
    }
    OAuth {
        client_id: String,
        client_secret: String,
        token_endpoint: String,
        scopes: Vec<String>,
        redirect_uri: Option<String>,
    }
    Processing {
        worker_threads: usize,
        enable_streaming: bool,
        stream_window_ms: u64,
        enable_transformation: bool,
        transformation_rules: Option<Vec<Transformation>>,
        enable_filtering: bool,
        filter_rules: Option<Vec<Filter>>,
        enable_aggregation: bool,
        aggregation_rules: Option<Vec<Aggregation>>,
        enable_anomaly_detection: bool,
        anomaly_detection: Option<Anomalies>,
        query_timeout_secs: u64,
        max_query_memory: Option<u64>,
        enable_query_caching: bool,
        cache_size: Option<u64>,
        cache_ttl_secs: Option<u64>,
    }
    Transformation {
        name: String,
        description: Option<String>,
        source_field: String,
        target_field: String,
        transformation_type: TransformationType,
        parameters: Option<HashMap<String, Value>>,
    }
    Filter {
        name: String,
        description: Option<String>,
        field: String,
        operator: Operator,
        value: Value,
        action: Action,
    }
    Aggregation {
        name: String,
        description: Option<String>,
        source_field: String,
        target_field: String,
        function: Function,
        time_window_ms: Option<u64>,
        group_by: Option<Vec<String>>,
    }
    Anomalies {
        enable_statistical: bool,
        statistical_threshold: f64,
        enable_ml: bool,
        ml_model_path: Option<PathBuf>,
        ml_parameters: Option<HashMap<String, Value>>,
        alerting: Alerting,
    }
    Alerting {
        enable_email_alerts: bool,
        email_recipients: Option<Vec<String>>,
        enable_webhook_alerts: bool,
        webhook_url: Option<String>,
        alert_threshold: u32,
    }
    Security {
        enable_tls: bool,
        tls_cert_path: Option<PathBuf>,
        tls_key_path: Option<PathBuf>,
        enable_authentication: bool,
        authentication_methods: Vec<Method>,
        enable_authorization: bool,
        authorization_policies: Option<Vec<Policy>>,
        enable_audit_logging: bool,
        audit_log_path: Option<PathBuf>,
        enable_pii_scrubbing: bool,
        pii_scrubbing_rules: Option<Vec<Scrubbing>>,
        data_retention_days: u32,
        enable_encryption_at_rest: bool,
        encryption_key: Option<EncryptionKey>,
    }
    Policy {
        name: String,
        description: Option<String>,
        allowed_roles: Vec<String>,
        allowed_actions: Vec<String>,
        allowed_resources: Vec<String>,
        conditions: Option<HashMap<String, Value>>,
    }
    Scrubbing {
        name: String,
        field_pattern: String,
        scrubbing_method: ScrubbingMethod,
        replacement: Option<String>,
    }
    EncryptionKey {
        key_id: String,
        key_material: String,
        algorithm: String,
        rotation_interval_days: Option<u32>,
    }
    Monitoring {
        enable_metrics: bool,
        metrics_endpoint: String,
        enable_health_checks: bool,
        health_endpoint: String,
        enable_structured_logging: bool,
        log_level: String,
        log_format: String,
        log_file_path: Option<PathBuf>,
        enable_distributed_tracing: bool,
        tracing_endpoint: Option<String>,
        enable_performance_profiling: bool,
        profiling_interval_secs: Option<u64>,
    }
    Advanced {
        enabled: bool,
        config_file: Option<PathBuf>,
        hot_reload: bool,
        validation: bool,
        encryption: bool,
        backup: bool,
        versioning: bool,
        env_substitution: bool,
    }
    // Upstream's `PipelineConfig` (crates/bridge-core/src/pipeline/config.rs), and what of ours stands beside its fields.
    Pipeline {
        name: String,
        lakehouse: String,
        table: String,
        connector: String,
        connector_type: String,
        max_batch_size: usize,
        flush_interval_ms: u64,
        buffer_size: usize,
        enable_backpressure: bool,
        backpressure_threshold: u8,
        enable_metrics: bool,
        enable_health_checks: bool,
        health_check_interval_ms: u64,
        processing: Option<Processing>,
    }
}

words! {
    Method { None ApiKey Basic OAuth Certificate JWT }
    TransformationType { Copy Rename Extract Concatenate Split Format Parse Convert Custom }
    Operator {
        Equals NotEquals GreaterThan LessThan GreaterThanOrEqual LessThanOrEqual Contains NotContains StartsWith EndsWith Regex In NotIn
    }
    Action { Include Exclude }
    Function { Count Sum Average Min Max Median Percentile Histogram Custom }
    ScrubbingMethod { Hash Mask Redact Replace Anonymize }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(crate) enum Lakehouse {
    DeltaLake {
        storage_path: String,
        catalog: Option<String>,
        table_format_version: Option<u32>,
        enable_transactions: bool,
        partition_columns: Option<Vec<String>>,
        compression: Option<String>,
    },
    Iceberg {
        catalog_uri: String,
        warehouse: String,
        table_format_version: Option<u32>,
        enable_schema_evolution: bool,
        partition_columns: Option<Vec<String>>,
        compression: Option<String>,
    },
    Hudi {
        storage_path: String,
        table_type: String,
        enable_incremental: bool,
        partition_columns: Option<Vec<String>>,
        compression: Option<String>,
    },
    Snowflake {
        account: String,
        database: String,
        schema: String,
        warehouse: Option<String>,
        role: Option<String>,
        enable_bulk_loading: bool,
        authentication: Authentication,
    },
    S3Parquet {
        bucket: String,
        prefix: String,
        region: String,
        enable_partitioning: bool,
        partition_columns: Option<Vec<String>>,
        compression: Option<String>,
        authentication: Option<Authentication>,
    },
}
