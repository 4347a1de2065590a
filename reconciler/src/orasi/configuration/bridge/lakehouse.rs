//! Upstream's `LakehouseConfig`, by type. It has no place for endpoints, for the authentication of Iceberg, and for options.

use concierge_shared::orasi::{DeltaLake, Hudi, Iceberg, S3Parquet, Snowflake, Storage};
use serde_json::{Value, json};

use super::{authentication, secrets::Secrets};

/// # Errors
/// When the storage holds no tables.
pub(super) fn render(storage: &Storage, secrets: &mut Secrets) -> Result<Value, String> {
    let namespace = storage.metadata.namespace.as_deref().unwrap_or_default();
    let spec = &storage.spec;
    let of_files = spec.delta_lake.as_ref().map(delta_lake).or(spec.iceberg.as_ref().map(iceberg));
    let found = of_files
        .or_else(|| spec.hudi.as_ref().map(hudi))
        .or_else(|| spec.snowflake.as_ref().map(|of| snowflake(of, namespace, secrets)))
        .or_else(|| spec.s3_parquet.as_ref().map(|of| s3_parquet(of, namespace, secrets)));
    let name = storage.metadata.name.as_deref().unwrap_or_default();
    found.ok_or_else(|| {
        format!("Storage {namespace}/{name} holds no tables; let the Pipelines refer to another")
    })
}

fn delta_lake(of: &DeltaLake) -> Value {
    json!({
        "type": "DeltaLake",
        "storage_path": of.storage_path,
        "catalog": of.catalog,
        "table_format_version": of.table_format_version,
        "enable_transactions": of.enable_transactions.unwrap_or(true),
        "partition_columns": of.partition_columns,
        "compression": of.compression,
    })
}

fn iceberg(of: &Iceberg) -> Value {
    json!({
        "type": "Iceberg",
        "catalog_uri": of.catalog_uri,
        "warehouse": of.warehouse,
        "table_format_version": of.table_format_version,
        "enable_schema_evolution": of.enable_schema_evolution.unwrap_or(true),
        "partition_columns": of.partition_columns,
        "compression": of.compression,
    })
}

fn hudi(of: &Hudi) -> Value {
    json!({
        "type": "Hudi",
        "storage_path": of.storage_path,
        "table_type": of.table_type,
        "enable_incremental": of.enable_incremental.unwrap_or(true),
        "partition_columns": of.partition_columns,
        "compression": of.compression,
    })
}

fn snowflake(of: &Snowflake, namespace: &str, secrets: &mut Secrets) -> Value {
    json!({
        "type": "Snowflake",
        "account": of.account,
        "database": of.database,
        "schema": of.schema,
        "warehouse": of.warehouse,
        "role": of.role,
        "enable_bulk_loading": of.enable_bulk_loading.unwrap_or(true),
        "authentication": authentication::render(&of.authentication, namespace, secrets),
    })
}

fn s3_parquet(of: &S3Parquet, namespace: &str, secrets: &mut Secrets) -> Value {
    let authentication = of.authentication.as_ref();
    json!({
        "type": "S3Parquet",
        "bucket": of.bucket,
        "prefix": of.prefix,
        "region": of.region,
        "enable_partitioning": of.enable_partitioning.unwrap_or(true),
        "partition_columns": of.partition_columns,
        "compression": of.compression,
        "authentication": authentication.map(|given| authentication::render(given, namespace, secrets)),
    })
}
