//! Ports as compose files write them.

use super::file::{LongPort, Port};

/// The most ports of one range.
const MOST: u16 = 50;
const REMEDY: &str = "write it as 80, 8080:80, 127.0.0.1:8080:80 or 80/tcp";

/// A port of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Published {
    pub(super) container: u16,
    pub(super) is_udp: bool,
    /// Whether others than this machine are meant to see it.
    pub(super) is_public: bool,
}

/// The ports that one entry means. The port of the host has no meaning in a cluster, but has to be one.
pub(super) fn read(port: &Port) -> Result<Vec<Published>, String> {
    match port {
        Port::Short(text) => short(text),
        Port::Long(port) => long(port),
    }
}

fn short(text: &str) -> Result<Vec<Published>, String> {
    let wrong = || format!("{text:?} is no port; {REMEDY}");
    let (rest, protocol) = text.rsplit_once('/').map_or((text, "tcp"), |(rest, protocol)| (rest, protocol));
    let (before, container) =
        rest.rsplit_once(':').map_or((None, rest), |(before, port)| (Some(before), port));
    let (ip, host) = match before {
        None => (None, None),
        Some(before) => {
            before.rsplit_once(':').map_or((None, Some(before)), |(ip, host)| (Some(ip), Some(host)))
        }
    };
    let is_host = |host: &str| host.is_empty() || range(host).is_some();
    if !host.is_none_or(is_host) || !ip.is_none_or(is_ip) {
        return Err(wrong());
    }
    all(container, protocol, before.is_some() && !ip.is_some_and(is_loopback)).ok_or_else(wrong)
}

fn long(port: &LongPort) -> Result<Vec<Published>, String> {
    let protocol = port.protocol.as_ref().map_or("tcp", |protocol| protocol.value.as_str());
    let ip = port.host_ip.as_ref().map(|ip| ip.value.as_str());
    let is_public = port.published.is_some() && !ip.is_some_and(is_loopback);
    let all = all(&port.target.value, protocol, is_public);
    all.ok_or_else(|| {
        format!(
            "{:?} is no port of a container; write a number from 1 to 65535, and tcp or udp",
            port.target.value
        )
    })
}

fn all(container: &str, protocol: &str, is_public: bool) -> Option<Vec<Published>> {
    let is_udp = match protocol {
        "tcp" => false,
        "udp" => true,
        _ => return None,
    };
    let (first, last) = range(container)?;
    Some((first..=last).map(|container| Published { container, is_udp, is_public }).collect())
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        text.parse::<u16>().ok().filter(|port| *port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (first, last) = (number(first)?, number(last)?);
    (first <= last && last - first < MOST).then_some((first, last))
}

fn is_ip(ip: &str) -> bool {
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    ip.is_empty() || bare.parse::<std::net::IpAddr>().is_ok()
}

fn is_loopback(ip: &str) -> bool {
    let bare = ip.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_compose_reads_them() {
        for (text, ports, is_udp, is_public) in [
            ("80", vec![80], false, false),
            ("8080:80", vec![80], false, true),
            ("127.0.0.1:8080:80", vec![80], false, false),
            ("0.0.0.0:8080:80", vec![80], false, true),
            ("[::1]:8080:80", vec![80], false, false),
            ("127.0.0.1::80", vec![80], false, false),
            ("80/tcp", vec![80], false, false),
            ("53:53/udp", vec![53], true, true),
            ("3000-3002", vec![3000, 3001, 3002], false, false),
            ("9090-9091:8080-8081", vec![8080, 8081], false, true),
        ] {
            let expect: Vec<_> =
                ports.into_iter().map(|container| Published { container, is_udp, is_public }).collect();
            assert_eq!(short(text), Ok(expect), "{text}");
        }
        for bad in [
            "",
            "x",
            "0",
            "65536",
            "80/sctp",
            "80:",
            "a:80",
            "1.2.3:80:80",
            "+80",
            "90-80",
            "1-100",
            "80:80:80:80",
        ] {
            assert!(short(bad).is_err(), "{bad}");
        }
    }
}
