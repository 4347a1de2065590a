//! Where it can be found out whether what a spec names is there. Pure.

use concierge_shared::orasi::{ConnectorSpec, ConnectorType, FilePath, S3Place, ServiceAddress, StorageSpec};
use reqwest::Url;

/// Where to look.
#[derive(Debug)]
pub(super) enum Target<'a> {
    /// At a place in a bucket.
    S3(S3Place<'a>),
    /// At a catalog of Iceberg's REST interface.
    Catalog(Url),
    /// At any of these ports.
    Ports(Vec<(String, u16)>),
    /// Nowhere: why.
    Nowhere(&'static str),
}

const LOCAL: &str = "it is a path of the machines that use it, where nobody can look from here";
const NO_SERVICE: &str = "the path names a bucket, but neither its service nor who asks there; nobody looks";
const NO_PORT: &str = "the address names no port; nobody looks";
const NAMESERVICE: &str =
    "without a port the path may name a nameservice, which nobody knows but those who use it; nobody looks";
const NO_ADDRESS: &str = "the name is no address; nobody looks";
const OF_STORAGE: &str = "it has no address of its own; what it writes to is a Storage, which is looked at";

/// How many servers of a cluster, or metastores, are tried.
const TRIED: usize = 5;

pub(super) fn of_storage(spec: &StorageSpec) -> Target<'_> {
    if let Some(place) = spec.s3_place() {
        return Target::S3(place);
    }
    if let Some(iceberg) = &spec.iceberg {
        return of_catalog(&iceberg.catalog_uri, Some(&iceberg.warehouse));
    }
    if let Some(snowflake) = &spec.snowflake {
        // Names of hosts have no underscores, and names of accounts have.
        let account = snowflake.account.to_lowercase().replace('_', "-");
        return Target::Ports(vec![(format!("{account}.snowflakecomputing.com"), 443)]);
    }
    let catalog = spec.delta_lake.as_ref().and_then(|delta| delta.catalog.as_deref());
    let catalog = catalog.filter(|text| ServiceAddress::parse_all(text).is_ok());
    let delta = spec.delta_lake.as_ref().map(|delta| &delta.storage_path);
    let path = delta.or(spec.hudi.as_ref().map(|hudi| &hudi.storage_path));
    match (catalog, path) {
        (Some(catalog), _) => of_address(catalog),
        (None, Some(path)) => of_path(path),
        (None, None) => Target::Nowhere(NO_ADDRESS),
    }
}

pub(super) fn of_connector(spec: &ConnectorSpec) -> Target<'_> {
    let catalog = spec.catalog.as_ref();
    let catalog = catalog.and_then(|catalog| Some((catalog.catalog_uri.as_deref()?, &catalog.catalog_type)));
    match (spec.connector_type, &spec.kafka, catalog) {
        (ConnectorType::Kafka, Some(kafka), _) => of_servers(&kafka.cluster.bootstrap_servers),
        (ConnectorType::Iceberg, _, Some((uri, kind))) if kind.as_deref() == Some("rest") => {
            of_catalog(uri, None)
        }
        (ConnectorType::Iceberg, _, Some((uri, _))) => of_address(uri),
        _ => Target::Nowhere(OF_STORAGE),
    }
}

fn of_catalog(uri: &str, warehouse: Option<&str>) -> Target<'static> {
    let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(mut url) = url else { return of_address(uri) };
    let path = format!("{}/v1/config", url.path().trim_end_matches('/'));
    url.set_path(&path);
    if let Some(warehouse) = warehouse {
        url.query_pairs_mut().append_pair("warehouse", warehouse);
    }
    Target::Catalog(url)
}

fn of_address(text: &str) -> Target<'static> {
    let Ok(addresses) = ServiceAddress::parse_all(text) else { return Target::Nowhere(NO_ADDRESS) };
    let port = |address: ServiceAddress| {
        let usual = if address.scheme.as_deref() == Some("thrift") { Some(9083) } else { None };
        Some((bare(&address.host), address.port.or(usual)?))
    };
    let ports: Vec<_> = addresses.into_iter().filter_map(port).take(TRIED).collect();
    if ports.is_empty() { Target::Nowhere(NO_PORT) } else { Target::Ports(ports) }
}

/// Addresses of IPv6 are connected to without their brackets.
fn bare(host: &str) -> String {
    host.trim_matches(['[', ']']).to_owned()
}

fn of_servers(list: &str) -> Target<'static> {
    let servers = list.split(',').filter_map(|server| ServiceAddress::parse(server.trim()).ok());
    let ports: Vec<_> = servers.filter_map(|one| Some((bare(&one.host), one.port?))).take(TRIED).collect();
    if ports.is_empty() { Target::Nowhere(NO_ADDRESS) } else { Target::Ports(ports) }
}

fn of_path(text: &str) -> Target<'static> {
    let Ok(FilePath { scheme, authority, .. }) = FilePath::parse(text) else {
        return Target::Nowhere(NO_ADDRESS);
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let address = ServiceAddress::parse(host).ok();
    let address = address.and_then(|address| Some((bare(&address.host), address.port?)));
    match (scheme.as_deref(), address) {
        (None, _) => Target::Nowhere(LOCAL),
        (Some("hdfs"), None) => Target::Nowhere(NAMESERVICE),
        (Some("hdfs"), Some(address)) => Target::Ports(vec![address]),
        (Some("abfs" | "abfss" | "wasb" | "wasbs"), address) if authority.contains('@') => {
            Target::Ports(vec![address.unwrap_or_else(|| (host.to_owned(), 443))])
        }
        (Some(_), _) => Target::Nowhere(NO_SERVICE),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn storage(kind: &str, field: &str, spec: Value) -> String {
        let spec: StorageSpec = serde_json::from_value(json!({ "type": kind, field: spec })).unwrap();
        shown(&of_storage(&spec))
    }

    fn shown(target: &Target<'_>) -> String {
        match target {
            Target::S3(place) => format!("s3 {}", place.bucket),
            Target::Catalog(url) => url.to_string(),
            Target::Ports(ports) => {
                ports.iter().map(|(host, port)| format!("{host} {port}")).collect::<Vec<_>>().join(", ")
            }
            Target::Nowhere(why) => (*why).to_owned(),
        }
    }

    #[test]
    fn paths_and_catalogs_say_where_to_look() {
        let delta = |path: &str| storage("DeltaLake", "deltaLake", json!({ "storagePath": path }));
        assert_eq!(delta("/data/lake"), LOCAL);
        assert_eq!(delta("file:///data/lake"), LOCAL);
        assert_eq!(delta("s3://lake/raw"), NO_SERVICE);
        assert_eq!(delta("hdfs://namenode:9000/lake"), "namenode 9000");
        assert_eq!(delta("hdfs://lakes/lake"), NAMESERVICE);
        assert_eq!(delta("abfss://c@a.dfs.core.windows.net/x"), "a.dfs.core.windows.net 443");
        let hive = json!({ "storagePath": "s3://lake/raw", "catalog": "thrift://hive.data.svc" });
        assert_eq!(storage("DeltaLake", "deltaLake", hive), "hive.data.svc 9083");
        let iceberg =
            |uri: &str| storage("Iceberg", "iceberg", json!({ "catalogUri": uri, "warehouse": "a b" }));
        assert_eq!(iceberg("https://cat.example/api/"), "https://cat.example/api/v1/config?warehouse=a+b");
        assert_eq!(iceberg("thrift://[::1]:9083"), "::1 9083");
        assert_eq!(iceberg("thrift://hive-0,thrift://hive-1:9084"), "hive-0 9083, hive-1 9084");
        assert_eq!(iceberg("jdbc:postgresql://db:5432/iceberg"), "db 5432");
        assert_eq!(iceberg("jdbc:postgresql://db/iceberg"), NO_PORT);
    }

    #[test]
    fn a_connector_of_kafka_is_looked_for_at_its_servers() {
        let kafka = json!({
            "type": "Kafka",
            "kafka": { "cluster": { "bootstrapServers": "a:9092, b:9093" }, "topic": { "name": "t" } },
        });
        let spec: ConnectorSpec = serde_json::from_value(kafka).unwrap();
        assert_eq!(shown(&of_connector(&spec)), "a 9092, b 9093");
        let spec: ConnectorSpec = serde_json::from_value(json!({ "type": "Hudi" })).unwrap();
        assert_eq!(shown(&of_connector(&spec)), OF_STORAGE);
    }
}
