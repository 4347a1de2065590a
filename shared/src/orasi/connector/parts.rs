//! What a connector says of the tables that it writes and reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::orasi::{Compression, Options, block::block, columns, options};

block! {
    /// How a storage is reached.
    pub struct ConnectorStorage {
        /// Where it is.
        storage_type: StorageKind,
        /// Options of the client, without credentials.
        #[schemars(schema_with = "options::schema")]
        options: Options,
    }
}

/// Where a storage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// On the machine itself.
    Local,
    /// At a service that speaks S3's protocol.
    S3,
    /// At Azure.
    Azure,
    /// At Google Cloud.
    Gcs,
}

block! {
    /// How tables are laid out.
    pub struct Table {
        /// The columns that tables are partitioned by, at least one for Hudi and Iceberg; year, month and day when absent.
        #[schemars(length(max = columns::MOST), inner(length(max = columns::LONGEST)))]
        partition_columns: Vec<String>,
        /// How files are compressed; snappy when absent.
        compression: Compression,
        /// Properties of tables, without credentials.
        #[schemars(schema_with = "options::schema")]
        properties: Options,
    }
}

block! {
    /// How tables are written.
    pub struct Writer {
        /// How many records are written at a time; 10000 when absent.
        #[validate(range(min = 1, max = 100_000, code = "orasi.connector.batch-size"))]
        batch_size: i64,
        /// After how many milliseconds fewer are written; 5000 when absent.
        #[validate(range(min = 100, max = 60_000, code = "orasi.connector.flush-interval"))]
        flush_interval_ms: i64,
        /// Whether tables are compacted; so when absent. Of Hudi and Iceberg.
        auto_compact: bool,
        /// How often, in hours; 24 when absent. Of Hudi and Iceberg.
        #[validate(range(min = 1, max = 168, code = "orasi.connector.compact-interval"))]
        compact_interval_hours: i64,
        /// How keys of records are made; SIMPLE when absent. Of Hudi.
        #[validate(length(min = 1, max = 20, code = "orasi.connector.key-field"))]
        key_generator: String,
        /// The field with a record's key; uuid when absent. Of Hudi.
        #[validate(length(min = 1, max = 100, code = "orasi.connector.key-field"))]
        record_key_field: String,
        /// The field with a record's partition; timestamp when absent. Of Hudi.
        #[validate(length(min = 1, max = 100, code = "orasi.connector.key-field"))]
        partition_path_field: String,
        /// The field by which the newest of several records is known; timestamp when absent. Of Hudi.
        #[validate(length(min = 1, max = 100, code = "orasi.connector.key-field"))]
        precombine_field: String,
        /// How many seconds a transaction may take; 300 when absent. Of DeltaLake.
        #[validate(range(min = 1, max = 3600, code = "orasi.connector.timeout"))]
        transaction_timeout_secs: i64,
        /// After how many hours files that are used no more may go; 168 when absent. Of DeltaLake.
        #[validate(range(min = 1, max = 87_600, code = "orasi.connector.positive"))]
        vacuum_retention_hours: i64,
        /// How many records are in a group of rows; 100000 when absent. Of S3Parquet.
        #[validate(range(min = 1, max = 100_000_000, code = "orasi.connector.positive"))]
        row_group_size: i64,
        /// How large a file may be, in bytes; 128 MiB when absent. Of S3Parquet.
        #[validate(range(min = 1, max = 5_497_558_138_880_i64, code = "orasi.connector.positive"))]
        max_file_size_bytes: i64,
        /// Whether the warehouse grows with the work; so when absent. Of Snowflake.
        auto_scaling: bool,
        /// Whether tables are clustered; not when absent. Of Snowflake.
        enable_clustering: bool,
        /// The columns that tables are clustered by. Of Snowflake.
        #[schemars(length(max = columns::MOST), inner(length(max = columns::LONGEST)))]
        clustering_keys: Vec<String>,
    }
}

block! {
    /// How tables are read.
    pub struct Reader {
        /// How many records are read at a time; 10000 when absent. Of Hudi, Iceberg and Snowflake.
        #[validate(range(min = 1, max = 100_000, code = "orasi.connector.batch-size"))]
        read_batch_size: i64,
        /// How many seconds reading may take; 300 when absent. Of Hudi, Iceberg and Snowflake.
        #[validate(range(min = 1, max = 3600, code = "orasi.connector.timeout"))]
        read_timeout_secs: i64,
        /// How many seconds a query may take; 300 when absent. Of DeltaLake and S3Parquet.
        #[validate(range(min = 1, max = 3600, code = "orasi.connector.timeout"))]
        query_timeout_secs: i64,
        /// How many records a query may answer; 100000 when absent. Of DeltaLake and S3Parquet.
        #[validate(range(min = 1, max = 100_000_000, code = "orasi.connector.positive"))]
        max_records_per_query: i64,
        /// How much is kept in memory, in bytes; 100 MiB when absent. Of DeltaLake and S3Parquet.
        #[validate(range(min = 1, max = 1_099_511_627_776_i64, code = "orasi.connector.positive"))]
        cache_size_bytes: i64,
        /// Whether files are passed over by what they hold; so when absent. Not of Snowflake.
        enable_predicate_pushdown: bool,
        /// Whether only the columns are read that are asked for; so when absent. Not of Snowflake.
        enable_column_pruning: bool,
        /// Whether partitions are passed over; so when absent. Of Hudi and Iceberg.
        enable_partition_pruning: bool,
        /// Whether results are kept; so when absent. Of Snowflake.
        enable_result_caching: bool,
        /// For how many seconds; 300 when absent. Of Snowflake.
        #[validate(range(min = 0, max = 3600, code = "orasi.connector.suspend"))]
        cache_timeout_secs: i64,
        /// Whether queries are accelerated; not when absent. Of Snowflake.
        enable_query_acceleration: bool,
    }
}

block! {
    /// Where tables are registered.
    pub struct Catalog {
        /// hive, nessie, rest or custom; hive when absent.
        #[validate(length(min = 1, max = 20, code = "orasi.connector.catalog"))]
        catalog_type: String,
        /// Its address, a URL or a host with a port, without credentials.
        #[schemars(length(max = 2048))]
        catalog_uri: String,
        /// The path or URL below which tables are, without credentials.
        #[schemars(length(max = 2048))]
        warehouse_location: String,
        /// Properties of the catalog, without credentials.
        #[schemars(schema_with = "options::schema")]
        properties: Options,
    }
}

block! {
    /// How the columns of tables may change.
    pub struct TableSchema {
        /// Whether they may; so when absent.
        enable_schema_evolution: bool,
        /// What becomes of records that do not fit; lenient when absent.
        validation_mode: ValidationMode,
        /// Whether columns are told apart by what columnMappingMode says; not when absent.
        enable_column_mapping: bool,
        /// What columns are told apart by; name when absent.
        column_mapping_mode: ColumnMappingMode,
    }
}

/// What becomes of records that do not fit a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValidationMode {
    /// They are refused.
    Strict,
    /// They are made to fit where they can be.
    Lenient,
    /// Nobody looks.
    None,
}

/// What columns are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnMappingMode {
    /// Their names.
    Name,
    /// Their numbers.
    Id,
}

block! {
    /// What a connector may use.
    pub struct Performance {
        /// Whether it works in parallel; so when absent.
        enable_parallel_processing: bool,
        /// How many threads it has; as many as the machine has processors when absent.
        #[validate(range(min = 1, max = 64, code = "orasi.connector.threads"))]
        parallel_threads: i64,
        /// Whether it is sparing of memory; so when absent.
        enable_memory_optimization: bool,
        /// How much memory it may use, in MB; 1000 when absent.
        #[validate(range(min = 100, max = 100_000, code = "orasi.connector.memory"))]
        memory_limit_mb: i64,
    }
}

block! {
    /// How tables are kept safe.
    pub struct TableSecurity {
        /// Whether files are encrypted.
        enable_encryption_at_rest: bool,
        /// By which algorithm.
        #[schemars(length(max = 64))]
        encryption_algorithm: String,
        /// Whether connections are encrypted. Of Snowflake.
        enable_encryption_in_transit: bool,
        /// Whether rights are looked at.
        enable_access_control: bool,
        /// Whose rights: ranger, unity, rbac, abac or custom.
        #[schemars(length(max = 64))]
        access_control_mode: String,
    }
}

block! {
    /// How long calls of Snowflake may take.
    pub struct Connection {
        /// How many seconds connecting may take; 30 when absent.
        #[validate(range(min = 1, max = 3600, code = "orasi.connector.timeout"))]
        connection_timeout_secs: i64,
        /// How many seconds a query may take; 300 when absent.
        #[validate(range(min = 1, max = 3600, code = "orasi.connector.timeout"))]
        query_timeout_secs: i64,
    }
}

block! {
    /// The warehouse of Snowflake that queries run in; the Storage has its name.
    pub struct Warehouse {
        /// Its size, for instance X-SMALL.
        #[schemars(length(max = 20))]
        warehouse_size: String,
        /// After how many seconds without work it is suspended; 300 when absent.
        #[validate(range(min = 0, max = 3600, code = "orasi.connector.suspend"))]
        auto_suspend_secs: i64,
        /// Whether it comes back by itself; so when absent.
        auto_resume: bool,
        /// Properties of the warehouse, without credentials.
        #[schemars(schema_with = "options::schema")]
        properties: Options,
    }
}
