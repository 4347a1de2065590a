//! The addresses of providers' services, and which regions they belong to.

use url::Url;

use super::{ENDPOINT, ENDPOINT_PLAIN, ProviderSpec, REGION_ENDPOINT, TYPE_ENDPOINT};
use crate::{
    admission::problem::{Cause, Problems},
    common::url::{is_in_cluster, is_loopback, parse_base_url},
    s3::{policy::Profile, region::WASABI},
};

/// Where addresses without a region lead.
const USUAL_REGION: &str = "us-east-1";

/// Adds what is wrong with the address of a service. No message repeats it: it may hold a password.
pub(super) fn check_endpoint(field: &'static str, text: &str, problems: &mut Problems) {
    match parse_base_url(text) {
        Err(message) => problems.add(&ENDPOINT, Cause::Invalid, field, message),
        Ok(url) if !matches!(url.path(), "" | "/") => {
            problems.add(&ENDPOINT, Cause::Invalid, field, "has a path; remove everything behind the host");
        }
        Ok(url) if url.scheme() == "http" && !is_loopback(&url) && !is_in_cluster(&url) => {
            let message = "is http to another machine: what is sent can be read on its way; use https";
            problems.add(&ENDPOINT_PLAIN, Cause::Invalid, field, message);
        }
        Ok(_) => {}
    }
}

/// Adds a problem when the address is known to be another provider's or another region's.
pub(super) fn check_known(spec: &ProviderSpec, problems: &mut Problems) {
    let Ok(url) = parse_base_url(&spec.endpoint) else { return };
    let Some((profile, region)) = known(&url) else { return };
    if profile != spec.profile() {
        let name = Profile::ALL.iter().find(|(_, one)| *one == profile).map_or("generic", |(name, _)| *name);
        let message = format!("is not that of the endpoint, which is {name}'s; use {name}");
        problems.add(&TYPE_ENDPOINT, Cause::Invalid, "spec.type", message);
    }
    if let Some(region) = region.filter(|region| *region != spec.region) {
        let message = format!("is not that of the endpoint; use {region}, or the endpoint of this region");
        problems.add(&REGION_ENDPOINT, Cause::Invalid, "spec.region", message);
    }
}

/// Whose service is at `url`, and its region if that is a known one.
fn known(url: &Url) -> Option<(Profile, Option<&str>)> {
    let host = url.host_str()?;
    if let Some(service) = host.strip_suffix(".wasabisys.com") {
        let named = |(name, other): &&(&'static str, &str)| {
            region_in(service) == Some(*name) || region_in(service) == Some(*other)
        };
        let region =
            if service == "s3" { Some(USUAL_REGION) } else { WASABI.iter().find(named).map(|one| one.0) };
        return Some((Profile::Wasabi, region));
    }
    let service = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    Some((Profile::Aws, if service == "s3" { Some(USUAL_REGION) } else { region_in(service) }))
}

/// `eu-west-1` of `s3.eu-west-1`, `s3-eu-west-1` and `s3.dualstack.eu-west-1`.
fn region_in(service: &str) -> Option<&str> {
    let region = service.strip_prefix("s3.").or_else(|| service.strip_prefix("s3-"))?;
    let region = region.strip_prefix("dualstack.").unwrap_or(region);
    (!region.is_empty() && !region.contains('.')).then_some(region)
}

/// The service that an address leads to, whatever way it is written.
pub(in crate::s3) fn service(endpoint: &str) -> Option<String> {
    let url = parse_base_url(endpoint).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    match known(&url) {
        // Whatever the region: names of buckets are the provider's.
        Some((Profile::Wasabi, _)) => Some("wasabisys.com".to_owned()),
        Some(_) if host.ends_with(".cn") => Some("amazonaws.com.cn".to_owned()),
        Some(_) => Some("amazonaws.com".to_owned()),
        None => Some(format!("{host}:{}", url.port_or_known_default().unwrap_or_default())),
    }
}

/// Whether what is sent there is not encrypted.
pub(super) fn is_plain_http(endpoint: &str) -> bool {
    parse_base_url(endpoint).is_ok_and(|url| url.scheme() == "http")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &str, expect: Option<(Profile, Option<&str>)>) {
        assert_eq!(known(&parse_base_url(endpoint).unwrap()), expect, "{endpoint}");
    }

    #[test]
    fn known_endpoints_tell_their_region() {
        use Profile::{Aws, Wasabi};
        check("https://s3.wasabisys.com", Some((Wasabi, Some("us-east-1"))));
        check("https://s3.eu-central-2.wasabisys.com", Some((Wasabi, Some("eu-central-2"))));
        check("https://s3.de-1.wasabisys.com", Some((Wasabi, Some("eu-central-2"))));
        check("https://s3.mars-1.wasabisys.com", Some((Wasabi, None)));
        check("https://s3.eu-west-1.amazonaws.com", Some((Aws, Some("eu-west-1"))));
        check("https://s3.dualstack.eu-west-1.amazonaws.com", Some((Aws, Some("eu-west-1"))));
        check("https://s3.cn-north-1.amazonaws.com.cn", Some((Aws, Some("cn-north-1"))));
        check("https://s3.amazonaws.com", Some((Aws, Some("us-east-1"))));
        check("https://wasabisys.com.example.com", None);
    }

    #[test]
    fn one_service_is_recognised_however_its_address_is_written() {
        let same = |a, b| service(a).is_some() && service(a) == service(b);
        assert!(same("https://s3.wasabisys.com", "https://S3.eu-west-1.wasabisys.com/"));
        assert!(same("https://s3.example.com", "https://s3.example.com:443/"));
        assert!(!same("https://s3.example.com", "https://s3.example.com:8443"));
        assert!(!same("https://s3.example.com", "https://s3.example.org"));
        assert_eq!(service("nonsense"), None);
    }
}
