//! Addresses of repositories. No message repeats one: it may hold a password.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::common::url::{is_in_cluster, is_loopback, parse_base_url};

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    host: Host<String>,
    path: String,
    /// Whether it is reached by ssh.
    pub(super) ssh: bool,
}

impl Repository {
    /// The repository at `text`; else what is wrong with the address.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match scp_like(text) {
            _ if text.trim() != text || text.starts_with('-') => {
                Err("begins with '-' or has white space around it; write it as https://host/path")
            }
            Some(url) => Self::of_ssh(&Url::parse(&url).map_err(|_| NO_ADDRESS)?),
            None => match Url::parse(text) {
                Ok(url) if url.scheme() == "ssh" => Self::of_ssh(&url),
                Ok(url) if url.scheme() == "http" && !is_internal(&url) => Err("is not encrypted; use https"),
                _ => Self::of(&parse_base_url(text)?, false),
            },
        }
    }

    fn of_ssh(url: &Url) -> Result<Self, &'static str> {
        match url.password() {
            Some(_) => Err("contains a password; remove it"),
            None => Self::of(url, true),
        }
    }

    fn of(url: &Url, ssh: bool) -> Result<Self, &'static str> {
        let host = url.host().ok_or(NO_ADDRESS)?.to_owned();
        let path = url.path().trim_matches('/').trim_end_matches(".git");
        match path.is_empty() || host_text(&host).starts_with('-') {
            true => Err("names no repository at the host; write it as https://host/path"),
            false => Ok(Self { host, path: path.to_owned(), ssh }),
        }
    }

    /// The same for every address of the repository.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", host_text(&self.host).to_lowercase(), self.path.to_lowercase())
    }

    /// Whether the address leads into the cluster, its network or the machine that asks.
    pub(super) fn is_internal(&self) -> bool {
        is_internal_host(&self.host)
    }
}

/// Whether an address leads into the cluster, its network or the machine that asks, as far as its host's name tells.
pub fn is_internal(url: &Url) -> bool {
    url.host().is_none_or(|host| is_internal_host(&host.to_owned()))
}

/// The same for an address of the network.
pub fn is_internal_ip(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_internal_v4(ip),
        IpAddr::V6(ip) => is_internal_v6(ip),
    }
}

fn is_internal_host(host: &Host<String>) -> bool {
    match host {
        Host::Ipv4(ip) => is_internal_v4(*ip),
        Host::Ipv6(ip) => is_internal_v6(*ip),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_lowercase();
            let url = Url::parse(&format!("https://{name}/"));
            let ends = [".local", ".internal", ".svc", ".localdomain", ".home.arpa"];
            ends.iter().any(|end| name.ends_with(end))
                || url.is_ok_and(|url| is_loopback(&url) || is_in_cluster(&url))
        }
    }
}

const NO_ADDRESS: &str = "is no address of a repository; write it as https://host/path";

fn host_text(host: &Host<String>) -> String {
    host.to_string()
}

/// `git@host:path` as an ssh address.
fn scp_like(text: &str) -> Option<String> {
    let (host, path) = text.split_once(':')?;
    let is_scp = !path.starts_with("//") && host.contains('@') && !host.contains('/');
    is_scp.then(|| format!("ssh://{host}/{}", path.trim_start_matches('/')))
}

fn is_internal_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_test = first == 198 && (18..20).contains(&second);
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || is_shared
        || is_test
        || first == 0
        || first >= 240
}

fn is_internal_v6(ip: Ipv6Addr) -> bool {
    // Also as `::a.b.c.d`, and as what NAT64 and 6to4 make of it.
    let segments = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_internal_v4(Ipv4Addr::new(a, b, c, d))
    };
    let embedded = match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some((high, low)),
        [0x64, 0xff9b, .., high, low] => Some((high, low)),
        [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || segments[0] & 0xfe00 == 0xfc00
        || segments[0] & 0xffc0 == 0xfe80
        || embedded.is_some_and(|(high, low)| v4(high, low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_at_https_or_ssh() {
        for (good, ssh) in [
            ("https://github.com/acme/shop.git", false),
            ("https://git.example.com:8443/a/b/c", false),
            ("http://gitea.git.svc:3000/acme/shop", false),
            ("git@github.com:acme/shop.git", true),
            ("ssh://git@github.com/acme/shop.git", true),
        ] {
            assert_eq!(Repository::parse(good).map(|found| found.ssh), Ok(ssh), "{good}");
        }
        for bad in [
            "",
            "shop",
            "/srv/git/shop",
            "../shop",
            "file:///srv/git/shop",
            "http://github.com/acme/shop",
            "git://github.com/acme/shop",
            "https://github.com",
            "https://github.com/",
            "https://u:p@github.com/acme/shop",
            "https://token@github.com/acme/shop",
            "https://github.com/acme/shop?x=1",
            "https://github.com/acme/shop#x",
            "-uhttps://github.com/acme/shop",
            "--upload-pack=x",
            " https://github.com/acme/shop",
            "ext::sh -c x",
            "ssh://git:p@github.com/acme/shop",
            "ssh://-oProxyCommand=x/acme",
        ] {
            assert!(Repository::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_one_repository_have_one_key() {
        let key = |text: &str| Repository::parse(text).unwrap().key();
        let one = key("https://github.com/acme/shop");
        for same in [
            "https://GitHub.com/Acme/shop.git",
            "https://github.com/acme/shop/",
            "git@github.com:acme/shop.git",
        ] {
            assert_eq!(key(same), one, "{same}");
        }
        assert_ne!(key("https://github.com/acme/shop2"), one);
    }

    #[test]
    fn what_leads_into_the_cluster_or_its_network_is_internal() {
        let internal = |host: &str| Repository::parse(&format!("https://{host}/a/b")).unwrap().is_internal();
        for host in [
            "localhost",
            "git.localhost",
            "gitea",
            "gitea.git.svc",
            "gitea.git.svc.cluster.local",
            "GITEA.git.SVC.",
            "metadata.google.internal",
            "nas.local",
            "127.0.0.1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[fd00::1]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a00:1::]",
        ] {
            assert!(internal(host), "{host}");
        }
        for host in
            ["github.com", "git.example.com", "8.8.8.8", "172.32.0.1", "100.128.0.1", "[2606:4700::1]"]
        {
            assert!(!internal(host), "{host}");
        }
    }
}
