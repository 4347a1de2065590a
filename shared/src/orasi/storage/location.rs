//! Where a storage's data are, as it is compared with others.

use super::{StorageSpec, parts::S3Place};
use crate::orasi::{
    credentials::{CONTAINERS, has_credentials},
    endpoint::ServiceAddress,
    path::{FilePath, parts},
};

/// Where data are: at a service, below a path. Where two have one, or one is inside the other, each would write into what is the other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The service, and what of it has a name of its own, such as a bucket.
    service: String,
    parts: Vec<String>,
}

impl Location {
    /// That of a Storage in `namespace`; `None` when a field says nothing that can be compared.
    pub(super) fn of(spec: &StorageSpec, namespace: &str) -> Option<Self> {
        if let Some(place) = spec.s3_place() {
            return of_s3(&place);
        }
        if let Some(path) = spec.storage_path() {
            return Some(of_files(&FilePath::parse(path).ok()?, namespace));
        }
        if let Some(iceberg) = &spec.iceberg {
            return match FilePath::parse(&iceberg.warehouse) {
                Ok(path) => Some(of_files(&path, namespace)),
                Err(_) if has_credentials(&iceberg.warehouse) => None,
                Err(_) => {
                    let service = format!("iceberg:{}", service_of(&iceberg.catalog_uri)?);
                    Some(Self { service, parts: vec![iceberg.warehouse.clone()] })
                }
            };
        }
        let snowflake = spec.snowflake.as_ref()?;
        // Snowflake takes the one for the other in the names of hosts, which have no underscores.
        let service = format!("snowflake:{}", snowflake.account.to_lowercase().replace('_', "-"));
        Some(Self {
            service,
            parts: vec![snowflake.database.to_lowercase(), snowflake.schema.to_lowercase()],
        })
    }

    /// The same for every way to write it.
    pub(super) fn key(&self) -> String {
        self.ancestor(self.parts.len())
    }

    /// The keys of all that it is inside of, from the whole service on.
    pub(super) fn around(&self) -> impl Iterator<Item = String> {
        (0..self.parts.len()).map(|depth| self.ancestor(depth))
    }

    fn ancestor(&self, depth: usize) -> String {
        self.parts[..depth].iter().fold(format!("{}/", self.service), |key, part| key + part + "/")
    }
}

impl S3Place<'_> {
    /// The service that it is at, the same for every way to write its address; `None` when that says nothing that can be compared.
    pub fn service(&self) -> Option<String> {
        match self.endpoint {
            None if self.region.starts_with("cn-") => Some(AWS_CHINA.to_owned()),
            None => Some(AWS.to_owned()),
            Some(endpoint) => service_of(endpoint),
        }
    }
}

fn of_s3(place: &S3Place<'_>) -> Option<Location> {
    let service = format!("s3:{}/{}", place.service()?, place.bucket);
    Some(Location { service, parts: parts(place.prefix).ok()? })
}

/// Names of buckets are one for all regions of a partition.
const AWS: &str = "amazonaws.com";
const AWS_CHINA: &str = "amazonaws.com.cn";

fn of_files(path: &FilePath, namespace: &str) -> Location {
    let service = match &path.scheme {
        _ if path.is_s3() => format!("s3:{AWS}/{}", path.authority),
        // The same container of Azure's, by another protocol.
        Some(scheme) if CONTAINERS.contains(&&**scheme) => {
            format!("azure:{}", path.authority.replacen(".blob.", ".dfs.", 1))
        }
        Some(scheme) => format!("{scheme}:{}", path.authority),
        // Each team's machines have files of their own.
        None => format!("file:{namespace}"),
    };
    Location { service, parts: path.parts.clone() }
}

/// The service that an address leads to, whatever way it is written.
fn service_of(endpoint: &str) -> Option<String> {
    let address = ServiceAddress::parse_all(endpoint).ok()?.into_iter().min_by(|a, b| a.host.cmp(&b.host))?;
    let host = address.host;
    match () {
        () if host.ends_with(".amazonaws.com") => Some(AWS.to_owned()),
        () if host.ends_with(".amazonaws.com.cn") => Some(AWS_CHINA.to_owned()),
        () => Some(format!("{host}:{}", address.port.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn key(kind: &str, field: &str, spec: Value) -> String {
        let spec: StorageSpec = serde_json::from_value(json!({ "type": kind, field: spec })).unwrap();
        Location::of(&spec, "data").unwrap().key()
    }

    #[test]
    fn a_place_is_the_same_however_it_is_written() {
        let delta = |path: &str| key("DeltaLake", "deltaLake", json!({ "storagePath": path }));
        let azure = delta("abfss://lake@acme.dfs.core.windows.net/raw");
        for same in [
            "abfs://lake@acme.dfs.core.windows.net/raw/",
            "wasbs://lake@acme.blob.core.windows.net/raw",
            "WASB://Lake@acme.blob.core.windows.net/raw",
        ] {
            assert_eq!(delta(same), azure, "{same}");
        }
        for other in
            ["abfss://lake@acne.dfs.core.windows.net/raw", "abfss://sea@acme.dfs.core.windows.net/raw"]
        {
            assert_ne!(delta(other), azure, "{other}");
        }
        assert_eq!(delta("s3a://lake/raw/"), delta("s3://lake/raw"));
        assert_ne!(delta("gs://lake/raw"), delta("s3://lake/raw"));
        let snowflake = |account: &str| {
            let authentication = json!({ "method": "None" });
            let spec = json!({ "account": account, "database": "d", "schema": "s", "authentication": authentication });
            key("Snowflake", "snowflake", spec)
        };
        assert_eq!(snowflake("MYORG-MY_ACCOUNT"), snowflake("myorg-my-account"));
        assert_ne!(snowflake("myorg-my-account"), snowflake("myorg-myaccount"));
        let hive = |uri: &str| key("Iceberg", "iceberg", json!({ "catalogUri": uri, "warehouse": "lake" }));
        assert_eq!(hive("thrift://b:9083,thrift://a:9083"), hive("thrift://a:9083,thrift://b:9083"));
    }
}
