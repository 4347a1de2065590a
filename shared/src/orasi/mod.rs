//! The group `orasi.io`: documents, and the storages, connectors, pipelines and configurations around them.
//!
//! A Document's fields are those of the controller that served it before. Those of the other kinds are the fields of the types that
//! Orasi's bridge has for them, with the limits that stand there.

mod authentication;
mod block;
mod columns;
mod compression;
mod configuration;
mod connector;
mod content;
mod credentials;
mod document;
mod endpoint;
mod options;
mod path;
mod pipeline;
mod processing;
mod selector;
mod storage;

pub use authentication::{Authentication, AuthenticationMethod, OAuth};
pub use compression::Compression;
pub use configuration::{
    Advanced, AuthorizationPolicy, Configuration, ConfigurationSpec, ConfigurationStatus, DeploymentRef,
    EncryptionKey, Ingestion, LogFormat, LogLevel, Monitoring, Publish, Rollout, RolloutStatus,
    ScrubbingMethod, ScrubbingRule, Security, TlsSecretRef,
};
pub use connector::{
    Acks, Catalog, Cluster, ColumnMappingMode, Connection, Connector, ConnectorSpec, ConnectorStatus,
    ConnectorStorage, ConnectorType, Consumer, Kafka, KafkaAuth, KafkaSsl, Mechanism, OffsetReset,
    Performance, Producer, Reader, StorageKind, Table, TableSchema, TableSecurity, Topic, ValidationMode,
    Warehouse, Writer,
};
pub use content::{Content, Kept};
pub use document::{Delivered, Document, DocumentMetadata, DocumentSpec, DocumentStatus, FROZEN_ANNOTATION};
pub use endpoint::ServiceAddress;
pub use options::Options;
pub use path::FilePath;
pub use pipeline::{Pipeline, PipelineSpec, PipelineStatus};
pub use processing::{
    AggregationFunction, AggregationRule, Alerting, AnomalyDetection, FilterAction, FilterOperator,
    FilterRule, Processing, TransformationRule, TransformationType,
};
pub use selector::{PipelineSelector, Requirement, SelectorOperator};
pub use storage::{
    DeltaLake, Hudi, HudiTableType, Iceberg, S3, S3Parquet, S3Place, Snowflake, Storage, StorageSpec,
    StorageStatus, StorageType,
};

/// How the tokens of Databricks begin, which tables of Delta Lake are often read with.
pub const SECRET_PREFIXES: &[&str] = &["dapi"];

crate::settings! {
    max_content_bytes: Number { least: 1, default: 262_144 },
        "The most bytes that the content of a Document has; never more than 1048576";
    max_tags: Number { least: 0, default: 32 },
        "The most tags that a Document has";
    document_unhiders: Names,
        "Users and groups that may show a hidden Document again; everybody may unless it is set";
}

#[cfg(test)]
mod tests;
