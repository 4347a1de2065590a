//! What fields say about each other.

use serde_json::Value;

use super::{
    CATALOG, CREDENTIALS, ConnectorSpec,
    ConnectorType::{self, DeltaLake, Hudi, Iceberg, Kafka, S3Parquet, Snowflake},
    ENDPOINT, FIELDS, MAP, PARTITION_COLUMNS, TYPE_IMMUTABLE,
};
use crate::{
    admission::problem::{Cause, Problems},
    field::at,
    orasi::{columns, endpoint, options, path},
};

/// The types that have each field that not all have.
const FIELDS_OF: &[(&str, &[ConnectorType])] = &[
    ("storage", &[DeltaLake, Hudi, Iceberg, S3Parquet]),
    ("table", &[DeltaLake, Hudi, Iceberg, S3Parquet]),
    ("writer", TABLES),
    ("writer.autoCompact", &[Hudi, Iceberg]),
    ("writer.compactIntervalHours", &[Hudi, Iceberg]),
    ("writer.keyGenerator", &[Hudi]),
    ("writer.recordKeyField", &[Hudi]),
    ("writer.partitionPathField", &[Hudi]),
    ("writer.precombineField", &[Hudi]),
    ("writer.transactionTimeoutSecs", &[DeltaLake]),
    ("writer.vacuumRetentionHours", &[DeltaLake]),
    ("writer.rowGroupSize", &[S3Parquet]),
    ("writer.maxFileSizeBytes", &[S3Parquet]),
    ("writer.autoScaling", &[Snowflake]),
    ("writer.enableClustering", &[Snowflake]),
    ("writer.clusteringKeys", &[Snowflake]),
    ("reader", TABLES),
    ("reader.readBatchSize", &[Hudi, Iceberg, Snowflake]),
    ("reader.readTimeoutSecs", &[Hudi, Iceberg, Snowflake]),
    ("reader.queryTimeoutSecs", &[DeltaLake, S3Parquet]),
    ("reader.maxRecordsPerQuery", &[DeltaLake, S3Parquet]),
    ("reader.cacheSizeBytes", &[DeltaLake, S3Parquet]),
    ("reader.enablePredicatePushdown", &[DeltaLake, Hudi, Iceberg, S3Parquet]),
    ("reader.enableColumnPruning", &[DeltaLake, Hudi, Iceberg, S3Parquet]),
    ("reader.enablePartitionPruning", &[Hudi, Iceberg]),
    ("reader.enableResultCaching", &[Snowflake]),
    ("reader.cacheTimeoutSecs", &[Snowflake]),
    ("reader.enableQueryAcceleration", &[Snowflake]),
    ("catalog", &[Iceberg]),
    ("schema", &[Hudi, Iceberg, Snowflake]),
    ("performance", TABLES),
    ("security", &[Hudi, Iceberg, Snowflake]),
    ("security.enableEncryptionInTransit", &[Snowflake]),
    ("connection", &[Snowflake]),
    ("warehouse", &[Snowflake]),
    ("kafka", &[Kafka]),
];
const TABLES: &[ConnectorType] = &[DeltaLake, Hudi, Iceberg, S3Parquet, Snowflake];

pub(super) fn check(spec: &ConnectorSpec, problems: &mut Problems) {
    check_fields(spec, problems);
    check_columns(spec, problems);
    check_catalog(spec, problems);
    let maps = [
        ("spec.storage.options", spec.storage.as_ref().and_then(|storage| storage.options.as_ref())),
        ("spec.table.properties", spec.table.as_ref().and_then(|table| table.properties.as_ref())),
        ("spec.catalog.properties", spec.catalog.as_ref().and_then(|catalog| catalog.properties.as_ref())),
        ("spec.warehouse.properties", spec.warehouse.as_ref().and_then(|one| one.properties.as_ref())),
    ];
    for (field, map) in maps {
        options::check(field, map, (&MAP, &CREDENTIALS), problems);
    }
}

fn check_fields(spec: &ConnectorSpec, problems: &mut Problems) {
    let kind = spec.connector_type;
    let given = serde_json::to_value(spec).unwrap_or_default();
    let is_given = |field: &str| field.split('.').fold(&given, |value, name| &value[name]) != &Value::Null;
    for (field, types) in FIELDS_OF {
        if !types.contains(&kind) && is_given(field) {
            let names = types.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
            let message =
                format!("is of the type {names} alone; remove it, or create a Connector of that type");
            problems.add(&FIELDS, Cause::Forbidden, at(&format!("spec.{field}")), message);
        }
    }
    if kind == Kafka && spec.kafka.is_none() {
        let message = "is required; name the cluster and the topic";
        problems.add(&FIELDS, Cause::Required, "spec.kafka", message);
    }
}

fn check_columns(spec: &ConnectorSpec, problems: &mut Problems) {
    let columns = spec.table.as_ref().and_then(|table| table.partition_columns.as_ref());
    let field = "spec.table.partitionColumns";
    if matches!(spec.connector_type, Hudi | Iceberg) && columns.is_some_and(Vec::is_empty) {
        let message = "is empty; name at least one column, or remove the list for year, month and day";
        problems.add(&PARTITION_COLUMNS, Cause::Required, field, message);
    }
    columns::check(field, columns, &PARTITION_COLUMNS, problems);
    let keys = spec.writer.as_ref().and_then(|writer| writer.clustering_keys.as_ref());
    columns::check("spec.writer.clusteringKeys", keys, &PARTITION_COLUMNS, problems);
}

fn check_catalog(spec: &ConnectorSpec, problems: &mut Problems) {
    let Some(catalog) = &spec.catalog else { return };
    if let Some(uri) = &catalog.catalog_uri {
        endpoint::check("spec.catalog.catalogUri", uri, (&ENDPOINT, &CREDENTIALS), problems);
    }
    if let Some(warehouse) = &catalog.warehouse_location {
        path::check("spec.catalog.warehouseLocation", warehouse, (&CATALOG, &CREDENTIALS), problems);
    }
}

pub(super) fn check_change(old: &ConnectorSpec, new: &ConnectorSpec, problems: &mut Problems) {
    if old.connector_type != new.connector_type {
        let message = format!("is immutable; keep {:?}, or create another Connector", old.connector_type);
        problems.add(&TYPE_IMMUTABLE, Cause::Forbidden, "spec.type", message);
    }
}
