//! What a storage is, by its type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use validator::Validate;

use crate::{
    common::{SecretKeyRef, url::parse_base_url},
    orasi::{Authentication, Compression, Options, ServiceAddress, columns, options},
};

/// What a storage is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StorageType {
    /// Tables of Delta Lake.
    DeltaLake,
    /// Tables of Apache Iceberg, in a catalog.
    Iceberg,
    /// Tables of Apache Hudi.
    Hudi,
    /// Tables in Snowflake.
    Snowflake,
    /// Files of Parquet in a bucket.
    S3Parquet,
    /// Objects in a bucket.
    S3,
}

/// Tables of Delta Lake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct DeltaLake {
    /// Where the tables lie: s3://bucket/path, another such address, or a path.
    #[validate(length(max = 2048, code = "orasi.storage.path"))]
    pub storage_path: String,
    /// The catalog that knows the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub catalog: Option<String>,
    /// The version of the tables' format. It may grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1000, code = "orasi.storage.format-version"))]
    pub table_format_version: Option<i64>,
    /// Whether writes are transactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_transactions: Option<bool>,
    /// The columns by which tables are partitioned. They never change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = columns::MOST), inner(length(max = columns::LONGEST)))]
    pub partition_columns: Option<Vec<String>>,
    /// How files are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Options for clients that open the tables. Concierge uses none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "options::schema")]
    pub options: Option<Options>,
}

/// Tables of Apache Iceberg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Iceberg {
    /// The address of the catalog: a URL, or a host and a port.
    #[validate(length(max = 2048, code = "orasi.storage.endpoint"))]
    pub catalog_uri: String,
    /// The warehouse in it: a name, or where its files lie.
    #[validate(length(max = 2048, code = "orasi.storage.path"))]
    pub warehouse: String,
    /// The version of the tables' format, 1 or 2. It may grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 2, code = "orasi.storage.format-version"))]
    pub table_format_version: Option<i64>,
    /// Whether columns may come and go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_schema_evolution: Option<bool>,
    /// The columns by which tables are partitioned. They never change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = columns::MOST), inner(length(max = columns::LONGEST)))]
    pub partition_columns: Option<Vec<String>>,
    /// How files are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Who Orasi is at the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Properties for clients that open the catalog. Concierge uses none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "options::schema")]
    pub properties: Option<Options>,
}

/// How a table of Apache Hudi takes changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HudiTableType {
    /// Files are written anew.
    CopyOnWrite,
    /// Changes are written beside files, and merged by whoever reads.
    MergeOnRead,
}

/// Tables of Apache Hudi.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Hudi {
    /// Where the tables lie: s3://bucket/path, another such address, or a path.
    #[validate(length(max = 2048, code = "orasi.storage.path"))]
    pub storage_path: String,
    /// How tables take changes. It never changes.
    pub table_type: HudiTableType,
    /// Whether readers may ask for what is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_incremental: Option<bool>,
    /// The columns by which tables are partitioned. They never change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = columns::MOST), inner(length(max = columns::LONGEST)))]
    pub partition_columns: Option<Vec<String>>,
    /// How files are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Options for clients that open the tables. Concierge uses none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "options::schema")]
    pub options: Option<Options>,
}

/// Tables in Snowflake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Snowflake {
    /// The account's identifier, for instance myorg-account123.
    #[validate(length(min = 1, max = 255, code = "orasi.storage.name"))]
    pub account: String,
    /// The database.
    #[validate(length(min = 1, max = 255, code = "orasi.storage.name"))]
    pub database: String,
    /// The schema in it.
    #[validate(length(min = 1, max = 255, code = "orasi.storage.name"))]
    pub schema: String,
    /// The warehouse that works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 255, code = "orasi.storage.name"))]
    pub warehouse: Option<String>,
    /// The role in which it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 255, code = "orasi.storage.name"))]
    pub role: Option<String>,
    /// Whether data are loaded in bulk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_bulk_loading: Option<bool>,
    /// Who Orasi is there.
    pub authentication: Authentication,
    /// Settings for clients that open a session. Concierge uses none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "options::schema")]
    pub settings: Option<Options>,
}

/// Files of Parquet in a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct S3Parquet {
    /// The bucket.
    #[validate(length(min = 3, max = 63, code = "orasi.storage.bucket"))]
    pub bucket: String,
    /// The path in the bucket below which everything lies; empty for the whole bucket.
    #[validate(length(max = 1024, code = "orasi.storage.path"))]
    pub prefix: String,
    /// The region of the bucket.
    #[validate(length(min = 1, max = 64, code = "orasi.storage.region"))]
    pub region: String,
    /// The address of the service, a web address or a host and a port; that of AWS when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 2048, code = "orasi.storage.endpoint"))]
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of addresses, and not in the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub path_style: Option<bool>,
    /// The entry of a Secret with the authority that signed the service's certificate, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// Whether files are partitioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_partitioning: Option<bool>,
    /// The columns by which files are partitioned. They never change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = columns::MOST), inner(length(max = columns::LONGEST)))]
    pub partition_columns: Option<Vec<String>>,
    /// How files are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Who Orasi is there. The method Basic takes the id of an access key for the name, and its secret for the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

/// Objects in a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct S3 {
    /// The bucket.
    #[validate(length(min = 3, max = 63, code = "orasi.storage.bucket"))]
    pub bucket: String,
    /// The path in the bucket below which everything lies; the whole bucket when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 1024, code = "orasi.storage.path"))]
    pub prefix: Option<String>,
    /// The region of the bucket.
    #[validate(length(min = 1, max = 64, code = "orasi.storage.region"))]
    pub region: String,
    /// The address of the service, a web address or a host and a port; that of AWS when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 2048, code = "orasi.storage.endpoint"))]
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of addresses, and not in the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub path_style: Option<bool>,
    /// The entry of a Secret with the authority that signed the service's certificate, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// Who Orasi is there. The method Basic takes the id of an access key for the name, and its secret for the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

/// A place in a bucket, of whatever type the storage there is.
#[derive(Clone, Copy, Debug)]
pub struct S3Place<'a> {
    /// The field of the spec that says it.
    pub field: &'static str,
    pub bucket: &'a str,
    /// Empty for the whole bucket.
    pub prefix: &'a str,
    pub region: &'a str,
    /// AWS's when absent.
    pub endpoint: Option<&'a str>,
    pub path_style: bool,
    /// The authority that signed the service's certificate.
    pub ca: Option<&'a SecretKeyRef>,
    pub authentication: Option<&'a Authentication>,
}

impl S3Place<'_> {
    /// The address of the service; else what is wrong with it.
    pub fn url(&self) -> Result<Url, &'static str> {
        let Some(endpoint) = self.endpoint else {
            let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            return parse_base_url(&format!("https://s3.{}.{domain}", self.region));
        };
        let url = match ServiceAddress::parse(endpoint)?.scheme {
            Some(_) => parse_base_url(endpoint)?,
            None => parse_base_url(&format!("https://{endpoint}"))?,
        };
        match url.path() {
            "" | "/" => Ok(url),
            _ => Err("has a path; remove everything behind the host"),
        }
    }

    /// Begins the keys of all that lies here; empty for the whole bucket.
    pub fn folder(&self) -> String {
        self.prefix
            .trim_matches('/')
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| format!("{part}/"))
            .collect()
    }

    /// The entries of Secrets that are needed to get there.
    pub fn secret_refs(&self) -> impl Iterator<Item = &SecretKeyRef> {
        let given = self.authentication.into_iter().flat_map(Authentication::secret_refs);
        given.map(|(_, entry)| entry).chain(self.ca)
    }
}

impl S3Parquet {
    pub(super) fn place(&self) -> S3Place<'_> {
        S3Place {
            field: "spec.s3Parquet",
            bucket: &self.bucket,
            prefix: &self.prefix,
            region: &self.region,
            endpoint: self.endpoint.as_deref(),
            path_style: self.path_style.unwrap_or(true),
            ca: self.ca_secret_ref.as_ref(),
            authentication: self.authentication.as_ref(),
        }
    }
}

impl S3 {
    pub(super) fn place(&self) -> S3Place<'_> {
        S3Place {
            field: "spec.s3",
            bucket: &self.bucket,
            prefix: self.prefix.as_deref().unwrap_or_default(),
            region: &self.region,
            endpoint: self.endpoint.as_deref(),
            path_style: self.path_style.unwrap_or(true),
            ca: self.ca_secret_ref.as_ref(),
            authentication: self.authentication.as_ref(),
        }
    }
}
