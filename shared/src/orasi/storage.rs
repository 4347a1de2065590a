//! A storage: where tables or documents are kept.

mod checks;
mod location;
mod parts;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use validator::Validate;

use self::location::Location;
use super::authentication::authentication_secrets;
use crate::{
    access::Access,
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, missing},
        problem::Problems,
        reference::permits,
        review::Review,
        rule::AdmissionRule,
    },
    field::at,
    index::Stored,
    kind::Kind,
    rules, status,
    status::{ConditionReason, ConditionType, Conditions},
};

pub use parts::*;

/// What a storage is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "orasi.io",
    version = "v1alpha1",
    kind = "Storage",
    plural = "storages",
    namespaced,
    status = "StorageStatus",
    category = "orasi",
    doc = "A place where Orasi keeps tables or documents.",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.type == 'DeltaLake') == has(self.deltaLake) && (self.type == 'Iceberg') == has(self.iceberg) && (self.type == 'Hudi') == has(self.hudi) && (self.type == 'Snowflake') == has(self.snowflake) && (self.type == 'S3Parquet') == has(self.s3Parquet) && (self.type == 'S3') == has(self.s3)")
        .message("give the field that is named like the type, and none of another type"),
)]
pub struct StorageSpec {
    /// What it is of. The field that is named like it says the rest. It never changes.
    #[serde(rename = "type")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("type is immutable; create another Storage instead"))]
    pub storage_type: StorageType,
    /// Tables of Delta Lake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub delta_lake: Option<DeltaLake>,
    /// Tables of Apache Iceberg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub iceberg: Option<Iceberg>,
    /// Tables of Apache Hudi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub hudi: Option<Hudi>,
    /// Tables in Snowflake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub snowflake: Option<Snowflake>,
    /// Files of Parquet in a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub s3_parquet: Option<S3Parquet>,
    /// Objects in a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub s3: Option<S3>,
}

status! {
    /// What Concierge found out about a storage.
    pub struct StorageStatus() {
        /// When it was last looked for, to within an hour, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_checked: Option<String>,
    }
}

rules! {
    UNION = Deny "orasi.storage.union", "A Storage has the field that is named like its type, and none of another type.";
    TYPE_IMMUTABLE = Deny "orasi.storage.type-immutable", "A Storage's type, and the tableType of Hudi, never change.";
    PATH = Deny "orasi.storage.path", "A Storage's path is s3://bucket/path, another such address, or an absolute path; a prefix is a path in its bucket. Neither has more than 32 parts, nor empty ones.";
    ENDPOINT = Deny "orasi.storage.endpoint", "The address of a service is a URL or host:port; that of S3 is http or https, without a path and a query.";
    ENDPOINT_PLAIN = Warn "orasi.storage.endpoint-plain", "The address of S3 is https, or leads to this machine or cluster.";
    BUCKET = Deny "orasi.storage.bucket", "A bucket's name has 3 to 63 lower-case letters, digits, '.' and '-', with a letter or digit at both ends.";
    REGION = Deny "orasi.storage.region", "A region has up to 64 lower-case letters, digits and '-'.";
    NAME = Deny "orasi.storage.name", "Names in Snowflake have 1 to 255 characters, and no spaces around them; an account's has letters, digits, '.', '_' and '-'.";
    FORMAT_VERSION = Deny "orasi.storage.format-version", "The version of a table's format is at least 1; that of Iceberg is 1 or 2.";
    FORMAT_VERSION_GROWS = Deny "orasi.storage.format-version-grows", "The version of a table's format only grows.";
    COLUMNS = Deny "orasi.storage.partition-columns", "A Storage has up to 32 partition columns, each once, with names of 1 to 255 letters, digits, '_', '-' and '.'.";
    COLUMNS_IMMUTABLE = Deny "orasi.storage.partition-columns-immutable", "A Storage's partition columns never change.";
    PARTITIONING = Warn "orasi.storage.partitioning", "Partition columns have an effect where partitioning is enabled only.";
    AUTHENTICATION = Deny "orasi.storage.authentication", "An authentication has what its method needs and nothing else; that of S3 has the method Basic or None.";
    CREDENTIALS = Deny "orasi.storage.credentials", "Passwords, keys and tokens stand in Secrets that a Storage names: in none of its fields, maps and addresses.";
    OPTIONS = Deny "orasi.storage.options", "Options have keys of 1 to 253 bytes and values of up to 4096 characters that print; there are up to 100.";
    UNIQUE = Deny protects_others "orasi.storage.unique", "No two Storages have the same place: the same bucket and prefix, path, warehouse or schema at the same service.";
    OVERLAP = Deny protects_others "orasi.storage.overlap", "No Storage's place is inside another's. Two that are created at the same instant may both pass; then the older one is used.";
    PLACE_IMMUTABLE = Deny "orasi.storage.place-immutable", "A Storage's place stays as it is while objects use it.";
    IN_USE = Deny protects_others "orasi.storage.in-use", "A Storage is deleted after the objects that use it.";
}

impl Kind for Storage {
    const NAME: &'static str = "Storage";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const ACCESS: &'static [Access] = &[Access::SECRETS_READ];
    const SECRET_FIELDS: &'static [&'static str] = authentication_secrets!(
        "spec.iceberg.authentication",
        "spec.snowflake.authentication",
        "spec.s3Parquet.authentication",
        "spec.s3.authentication";
        "spec.deltaLake.storagePath",
        "spec.deltaLake.catalog",
        "spec.deltaLake.options{}",
        "spec.iceberg.catalogUri",
        "spec.iceberg.warehouse",
        "spec.iceberg.properties{}",
        "spec.hudi.storagePath",
        "spec.hudi.options{}",
        "spec.snowflake.settings{}",
        "spec.s3Parquet.endpoint",
        "spec.s3.endpoint",
    );
    /// What is in these fields is refused.
    const CONFIDENTIAL: bool = false;
    /// The service refuses it, or what it takes is not there.
    const READ_REASONS: &'static [ConditionReason] =
        &[ConditionReason::Unauthorised, ConditionReason::ReferencesMissing];
    const FILLS: &'static [Filled] = &[
        missing("spec.deltaLake.enableTransactions"),
        missing("spec.iceberg.enableSchemaEvolution"),
        missing("spec.hudi.enableIncremental"),
        missing("spec.snowflake.enableBulkLoading"),
        missing("spec.s3Parquet.enablePartitioning"),
        missing("spec.s3Parquet.pathStyle"),
        missing("spec.s3.pathStyle"),
    ];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        let spec = &mut self.spec;
        if let Some(delta) = &mut spec.delta_lake {
            fill.missing(&mut delta.enable_transactions, "spec.deltaLake.enableTransactions", true);
        }
        if let Some(iceberg) = &mut spec.iceberg {
            fill.missing(&mut iceberg.enable_schema_evolution, "spec.iceberg.enableSchemaEvolution", true);
        }
        if let Some(hudi) = &mut spec.hudi {
            fill.missing(&mut hudi.enable_incremental, "spec.hudi.enableIncremental", true);
        }
        if let Some(snowflake) = &mut spec.snowflake {
            fill.missing(&mut snowflake.enable_bulk_loading, "spec.snowflake.enableBulkLoading", true);
        }
        if let Some(parquet) = &mut spec.s3_parquet {
            fill.missing(&mut parquet.enable_partitioning, "spec.s3Parquet.enablePartitioning", true);
            fill.missing(&mut parquet.path_style, "spec.s3Parquet.pathStyle", true);
        }
        if let Some(s3) = &mut spec.s3 {
            fill.missing(&mut s3.path_style, "spec.s3.pathStyle", true);
        }
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        problems.add_invalid_fields(&**review.object);
        checks::check_parts(&review.object.spec, problems);
        checks::check_overlap(review, problems);
        if let Some(old) = review.old {
            checks::check_change(review, old, problems);
        }
    }

    fn check_deletion(review: &Review<'_, Self>, problems: &mut Problems) {
        checks::check_left(review, problems);
    }

    fn claims(&self) -> Vec<Claim> {
        let taken = "is the place of another Storage; choose another, or refer to that one";
        let claim = |place: Location| Claim {
            field: at(self.spec.place_field()),
            rule: &UNIQUE,
            key: place.key(),
            taken: Some(taken),
        };
        self.place().map(claim).into_iter().collect()
    }

    fn index_keys(&self) -> Vec<String> {
        let keys = |place: Location| {
            place.around().map(|key| inside_key(&key)).chain([place_key(&place.key())]).collect()
        };
        self.place().map(keys).unwrap_or_default()
    }
}

/// The index key of the Storages whose place this is.
fn place_key(place: &str) -> String {
    format!("place:{place}")
}

/// The index key of the Storages whose place is inside of this one.
fn inside_key(place: &str) -> String {
    format!("inside:{place}")
}

/// The index key of the Documents that are still in a Storage, and name another by now, or none.
pub(super) fn left_in_key(namespace: &str, storage: &str) -> String {
    format!("left-in:{namespace}/{storage}")
}

impl Storage {
    /// The index key of the Documents that are still in it, and name another by now, or none.
    pub fn left_key(&self) -> String {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        left_in_key(&of(&self.metadata.namespace), &of(&self.metadata.name))
    }

    /// Whether `user` may refer to it: what is left in it by others does not keep it.
    pub fn permits(&self, user: &Stored) -> bool {
        self.metadata.namespace.as_deref() == Some(user.namespace())
            || permits(self.metadata.annotations.as_ref(), user.namespace())
    }

    /// Whether its service has refused it.
    fn is_refused(&self) -> bool {
        let ready = self.status.as_ref().and_then(|status| status.condition(ConditionType::Ready.as_str()));
        let refuses = |reason: &str| Self::READ_REASONS.iter().any(|one| one.as_str() == reason);
        ready.is_some_and(|ready| ready.status == "False" && refuses(&ready.reason))
    }

    fn place(&self) -> Option<Location> {
        Location::of(&self.spec, self.metadata.namespace.as_deref().unwrap_or_default())
    }
}

impl StorageSpec {
    /// The bucket and what is said of it, where it is in one that has an address of its own.
    pub fn s3_place(&self) -> Option<S3Place<'_>> {
        self.s3_parquet.as_ref().map(S3Parquet::place).or(self.s3.as_ref().map(S3::place))
    }

    fn storage_path(&self) -> Option<&str> {
        let delta = self.delta_lake.as_ref().map(|delta| &delta.storage_path);
        delta.or(self.hudi.as_ref().map(|hudi| &hudi.storage_path)).map(String::as_str)
    }

    /// The columns by which its tables are partitioned, and their field.
    pub fn partition_columns(&self) -> (&'static str, Option<&Vec<String>>) {
        match self.storage_type {
            StorageType::DeltaLake => (
                "spec.deltaLake.partitionColumns",
                self.delta_lake.as_ref().and_then(|of| of.partition_columns.as_ref()),
            ),
            StorageType::Iceberg => (
                "spec.iceberg.partitionColumns",
                self.iceberg.as_ref().and_then(|of| of.partition_columns.as_ref()),
            ),
            StorageType::Hudi => (
                "spec.hudi.partitionColumns",
                self.hudi.as_ref().and_then(|of| of.partition_columns.as_ref()),
            ),
            StorageType::S3Parquet => (
                "spec.s3Parquet.partitionColumns",
                self.s3_parquet.as_ref().and_then(|of| of.partition_columns.as_ref()),
            ),
            StorageType::Snowflake | StorageType::S3 => ("spec", None),
        }
    }

    /// The version of its tables' format, and its field.
    fn format_version(&self) -> (&'static str, Option<i64>) {
        match (&self.delta_lake, &self.iceberg) {
            (Some(delta), _) => ("spec.deltaLake.tableFormatVersion", delta.table_format_version),
            (None, Some(iceberg)) => ("spec.iceberg.tableFormatVersion", iceberg.table_format_version),
            (None, None) => ("spec", None),
        }
    }

    /// The field that says most of where it is.
    fn place_field(&self) -> &'static str {
        match self.storage_type {
            StorageType::DeltaLake => "spec.deltaLake.storagePath",
            StorageType::Iceberg => "spec.iceberg.warehouse",
            StorageType::Hudi => "spec.hudi.storagePath",
            StorageType::Snowflake => "spec.snowflake.schema",
            StorageType::S3Parquet => "spec.s3Parquet.prefix",
            StorageType::S3 => "spec.s3.prefix",
        }
    }

    /// Whether documents can be put into it.
    pub fn takes_documents(&self) -> bool {
        matches!(self.storage_type, StorageType::S3Parquet | StorageType::S3)
    }
}
