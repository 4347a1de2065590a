//! A connector: how tables are written and read, or which topic of Kafka's is spoken to.

mod checks;
mod kafka;
mod parts;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::{
    admission::{defaults::Fill, problem::Problems, review::Review, rule::AdmissionRule},
    kind::Kind,
    rules, status,
};

pub use kafka::{
    Acks, Cluster, Consumer, Kafka, KafkaAuth, KafkaSsl, Mechanism, OffsetReset, Producer, Topic,
};
pub use parts::{
    Catalog, ColumnMappingMode, Connection, ConnectorStorage, Performance, Reader, StorageKind, Table,
    TableSchema, TableSecurity, ValidationMode, Warehouse, Writer,
};

/// What a connector is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "orasi.io",
    version = "v1alpha1",
    kind = "Connector",
    plural = "connectors",
    namespaced,
    status = "ConnectorStatus",
    category = "orasi",
    doc = "How Pipelines write and read tables, or which topic of Kafka's they speak to. Where tables are is said by a Storage.",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Topic", type_ = "string", json_path = ".spec.kafka.topic.name"),
    printcolumn(name = "Pipelines", type_ = "integer", json_path = ".status.pipelines"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorSpec {
    /// What it speaks to. It never changes.
    #[serde(rename = "type")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another Connector instead"))]
    pub connector_type: ConnectorType,
    /// How the storage is reached. Of DeltaLake, Hudi, Iceberg and S3Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<ConnectorStorage>,
    /// How tables are laid out. Of DeltaLake, Hudi, Iceberg and S3Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    /// How tables are written. Of all types but Kafka.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub writer: Option<Writer>,
    /// How tables are read. Of all types but Kafka.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub reader: Option<Reader>,
    /// Where tables are registered. Of Iceberg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub catalog: Option<Catalog>,
    /// How the columns of tables may change. Of Hudi, Iceberg and Snowflake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<TableSchema>,
    /// What the connector may use. Of all types but Kafka.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub performance: Option<Performance>,
    /// How tables are kept safe. Of Hudi, Iceberg and Snowflake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<TableSecurity>,
    /// How long calls may take. Of Snowflake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub connection: Option<Connection>,
    /// The warehouse that queries run in. Of Snowflake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub warehouse: Option<Warehouse>,
    /// The cluster and the topic. Of Kafka, which needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub kafka: Option<Kafka>,
}

/// What a connector speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConnectorType {
    /// Tables of Delta Lake.
    DeltaLake,
    /// Tables of Apache Hudi.
    Hudi,
    /// Tables of Apache Iceberg.
    Iceberg,
    /// Files of Parquet in a bucket.
    S3Parquet,
    /// Tables of Snowflake.
    Snowflake,
    /// A topic of Apache Kafka.
    Kafka,
}

status! {
    /// What Concierge found out about a connector.
    pub struct ConnectorStatus(message) {
        /// How many Pipelines refer to it.
        pub pipelines: Option<i64>,
        /// When it was last tried to reach what it speaks to, to within an hour, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_check_time: Option<String>,
    }
}

rules! {
    TYPE_IMMUTABLE = Deny "orasi.connector.type-immutable", "A Connector's type never changes.";
    FIELDS = Deny "orasi.connector.fields", "A Connector has fields of its type alone, and kafka when that is Kafka.";
    BATCH_SIZE = Deny "orasi.connector.batch-size", "A Connector writes and reads from 1 to 100000 records at a time.";
    FLUSH_INTERVAL = Deny "orasi.connector.flush-interval", "A Connector writes what it has every 100 to 60000 milliseconds.";
    COMPACT_INTERVAL = Deny "orasi.connector.compact-interval", "Tables are compacted every 1 to 168 hours.";
    TIMEOUT = Deny "orasi.connector.timeout", "A Connector waits from 1 to 3600 seconds for an answer.";
    THREADS = Deny "orasi.connector.threads", "A Connector has from 1 to 64 threads.";
    MEMORY = Deny "orasi.connector.memory", "A Connector may use from 100 to 100000 MB of memory.";
    SUSPEND = Deny "orasi.connector.suspend", "A warehouse is suspended, and a result forgotten, after 0 to 3600 seconds.";
    POSITIVE = Deny "orasi.connector.positive", "Sizes, counts and times without another limit are 1 or more, and retries 0 or more.";
    PARTITION_COLUMNS = Deny "orasi.connector.partition-columns", "Partition columns and clustering keys are names of columns, each once; Hudi and Iceberg have at least one partition column.";
    KEY_FIELD = Deny "orasi.connector.key-field", "A key generator has from 1 to 20 characters, and a field of keys from 1 to 100.";
    CATALOG = Deny "orasi.connector.catalog", "A catalog's type has from 1 to 20 characters, and its warehouse is a path or URL.";
    ENDPOINT = Deny "orasi.connector.endpoint", "Addresses are URLs, or hosts with ports.";
    TOPIC = Deny "orasi.connector.topic", "A topic has a name that Kafka takes, and at least one partition and one replica.";
    GROUP = Deny "orasi.connector.group", "A client's id and a group's have from 1 to 255 characters.";
    MAP = Deny "orasi.connector.map", "A map has at most 100 entries, with keys of 1 to 253 characters and values of up to 4096 bytes.";
    CREDENTIALS = Deny "orasi.connector.credentials", "No credential stands in the clear in a Connector, in a field, a map or a URL.";
    AUTHENTICATION = Deny "orasi.connector.authentication", "Who signs in to Kafka has a name and a Secret with the password, and each Secret is named with a key.";
    IN_USE = Deny protects_others "orasi.connector.in-use", "A Connector is deleted after the Pipelines that use it.";
}

impl Kind for Connector {
    const NAME: &'static str = "Connector";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const SECRET_FIELDS: &'static [&'static str] = &[
        "spec.storage.options{}",
        "spec.table.properties{}",
        "spec.catalog.catalogUri",
        "spec.catalog.warehouseLocation",
        "spec.catalog.properties{}",
        "spec.warehouse.properties{}",
        "spec.kafka.cluster.bootstrapServers",
        "spec.kafka.auth.password",
        "spec.kafka.topic.config{}",
        "spec.kafka.settings{}",
    ];
    /// What is secret is refused.
    const CONFIDENTIAL: bool = false;

    fn fill_defaults(&mut self, _: &mut Fill) {}

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        checks::check(spec, problems);
        if let Some(kafka) = &spec.kafka {
            kafka::check(kafka, problems);
        }
        if let Some(old) = review.old {
            checks::check_change(&old.spec, spec, problems);
        }
    }
}
