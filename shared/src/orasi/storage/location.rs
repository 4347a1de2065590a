//! Where a storage's data are, as it is compared with others.

use super::{StorageSpec, parts::S3Place};
use crate::orasi::{
    credentials::has_credentials,
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
        let service = format!("snowflake:{}", snowflake.account.to_lowercase());
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
        Some(scheme) => format!("{scheme}:{}", path.authority),
        // Each team's machines have files of their own.
        None => format!("file:{namespace}"),
    };
    Location { service, parts: path.parts.clone() }
}

/// The service that an address leads to, whatever way it is written.
fn service_of(endpoint: &str) -> Option<String> {
    let address = ServiceAddress::parse(endpoint).ok()?;
    let host = address.host;
    match () {
        () if host.ends_with(".amazonaws.com") => Some(AWS.to_owned()),
        () if host.ends_with(".amazonaws.com.cn") => Some(AWS_CHINA.to_owned()),
        () => Some(format!("{host}:{}", address.port.unwrap_or_default())),
    }
}
