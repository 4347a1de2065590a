//! Addresses of web services. No message repeats one: it may hold a password.

use url::{Host, Url};

/// What is wrong with a web address that is to be absolute and without credentials and fragment; else its parts.
pub fn parse_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no absolute URL; write it as https://host/path")?;
    let credentials = !url.username().is_empty() || url.password().is_some();
    match () {
        () if !matches!(url.scheme(), "http" | "https") => Err("is neither https nor http; use https"),
        () if url.host_str().is_none_or(str::is_empty) => Err("has no host; write it as https://host/path"),
        () if credentials => Err("contains credentials; remove them, and keep them in a Secret"),
        () if url.fragment().is_some() => Err("has a fragment; remove everything from '#'"),
        () if text.chars().any(char::is_whitespace) => Err("contains white space; remove it"),
        () => Ok(url),
    }
}

/// The same for the address of a service, which has no query either.
pub fn parse_base_url(text: &str) -> Result<Url, &'static str> {
    match parse_url(text)? {
        url if url.query().is_some() => Err("has a query; remove everything from '?'"),
        url => Ok(url),
    }
}

/// True when `url` leads to the machine that asks.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// True when `url` leads to a service of this cluster.
pub fn is_in_cluster(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        !host.contains('.') || host.ends_with(".svc") || host.ends_with(".svc.cluster.local")
    })
}
