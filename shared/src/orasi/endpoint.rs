//! Addresses of services: a URL, or a host and a port. No message repeats one: it may hold a password.

use url::{Host, Url};

use super::credentials::{check_text, has_credentials};
use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    common::url::parse_url,
    field::FieldPath,
};

const NO_ENDPOINT: &str =
    "is neither a URL nor a host and a port; write it as https://host/path or host:port";

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAddress {
    /// Absent when only a host and a port are written.
    pub scheme: Option<String>,
    /// In small letters, without a dot at its end.
    pub host: String,
    /// Absent when neither the address nor its scheme says it.
    pub port: Option<u16>,
}

impl ServiceAddress {
    /// The parts of `text`; else what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text.contains("://") {
            _ if text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                Err("contains white space; remove it")
            }
            true => Self::of_url(text),
            false => Self::of_host(text),
        }
    }

    /// The addresses in `text`: Hive's metastores may be several, `thrift://a:9083,thrift://b:9083`.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, &'static str> {
        match text.starts_with("thrift://") {
            true => text.split(',').map(Self::parse).collect(),
            false => Self::parse(text).map(|one| vec![one]),
        }
    }

    fn of_url(text: &str) -> Result<Self, &'static str> {
        // What a driver of JDBC connects to is behind that word.
        let url = Url::parse(text.strip_prefix("jdbc:").unwrap_or(text)).map_err(|_| NO_ENDPOINT)?;
        let host = host_of(&url).ok_or("has no host; write it as https://host/path")?;
        match url.fragment() {
            Some(_) => Err("has a fragment; remove everything from '#'"),
            None => {
                let (scheme, port) = (Some(url.scheme().to_owned()), url.port_or_known_default());
                Ok(Self { scheme, host, port })
            }
        }
    }

    fn of_host(text: &str) -> Result<Self, &'static str> {
        let (host, port) = text.rsplit_once(':').ok_or(NO_ENDPOINT)?;
        let is_port = (1..=5).contains(&port.len()) && port.bytes().all(|c| c.is_ascii_digit());
        let port = port.parse::<u16>().ok().filter(|port| is_port && *port != 0);
        let port = port.ok_or("has no port from 1 to 65535; write it as host:port")?;
        if host.contains(['/', '?', '#', '@', '\\']) {
            return Err(NO_ENDPOINT);
        }
        let url = Url::parse(&format!("http://{host}/")).map_err(|_| NO_ENDPOINT)?;
        let host = host_of(&url).filter(|_| url.port().is_none()).ok_or(NO_ENDPOINT)?;
        Ok(Self { scheme: None, host, port: Some(port) })
    }
}

fn host_of(url: &Url) -> Option<String> {
    let host = match url.host()? {
        Host::Domain(name) => name.trim_end_matches('.').to_lowercase(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => format!("[{ip}]"),
    };
    (!host.is_empty()).then_some(host)
}

/// Adds what is wrong with the address of a service: with its form by the first of `rules`, credentials in it by the second.
pub(super) fn check(
    field: impl Into<FieldPath>,
    text: &str,
    (form, credentials): (&'static AdmissionRule, &'static AdmissionRule),
    problems: &mut Problems,
) {
    let field = field.into();
    check_text(field.clone(), text, credentials, problems);
    if let Err(message) = ServiceAddress::parse_all(text) {
        problems.add(form, Cause::Invalid, field, message);
    }
}

/// The same for an address that has to be a web address.
pub(super) fn check_url(
    field: impl Into<FieldPath>,
    text: &str,
    (form, credentials): (&'static AdmissionRule, &'static AdmissionRule),
    problems: &mut Problems,
) {
    let field = field.into();
    check_text(field.clone(), text, credentials, problems);
    match parse_url(text) {
        // That is the other rule's problem.
        Err(_) if has_credentials(text) => {}
        Err(message) => problems.add(form, Cause::Invalid, field, message),
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, scheme: Option<&str>, host: &str, port: Option<u16>) {
        let expect = ServiceAddress { scheme: scheme.map(str::to_owned), host: host.to_owned(), port };
        assert_eq!(ServiceAddress::parse(text), Ok(expect), "{text}");
    }

    #[test]
    fn an_endpoint_is_a_url_or_a_host_and_a_port() {
        check("https://Example.com/v1", Some("https"), "example.com", Some(443));
        check("http://127.0.0.1:8080", Some("http"), "127.0.0.1", Some(8080));
        check("thrift://hive.data.svc:9083", Some("thrift"), "hive.data.svc", Some(9083));
        check("thrift://hive", Some("thrift"), "hive", None);
        check("jdbc:postgresql://db:5432/iceberg", Some("postgresql"), "db", Some(5432));
        check("0.0.0.0:4317", None, "0.0.0.0", Some(4317));
        check("[::1]:4317", None, "[::1]", Some(4317));
        check("Kafka-0.kafka.:9092", None, "kafka-0.kafka", Some(9092));
        for bad in [
            "",
            "kafka",
            "kafka:",
            "kafka:0",
            "kafka:70000",
            "kafka:+1",
            ":9092",
            "a:1:2",
            "jane@kafka:9092",
            "a/b:1",
            "a b:1",
            "https://",
            "https://example.com/#x",
            "https://exa mple.com",
        ] {
            assert!(ServiceAddress::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn several_metastores_have_an_address_together() {
        let hosts = |text: &str| {
            let all = ServiceAddress::parse_all(text);
            all.map(|all| all.into_iter().map(|one| one.host).collect::<Vec<_>>())
        };
        assert_eq!(hosts("thrift://hive-0:9083,thrift://hive-1:9083").unwrap(), ["hive-0", "hive-1"]);
        assert_eq!(hosts("https://example.com/?a=1,2").unwrap(), ["example.com"]);
        // Hive's clients take no white space.
        for bad in [
            "thrift://hive-0:9083, thrift://hive-1:9083",
            "thrift://hive-0:9083,",
            "thrift://hive-0:9083,hive-1",
            "hive-0:9083,hive-1:9083",
        ] {
            assert!(hosts(bad).is_err(), "{bad}");
        }
    }
}
