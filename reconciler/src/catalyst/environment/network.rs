//! Who may reach an environment, and what it may reach: its NetworkPolicy and its Ingress.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use concierge_shared::catalyst::Settings;
use k8s_openapi::{
    api::{
        core::v1::{Service, ServicePort, ServiceSpec},
        networking::v1::{
            HTTPIngressPath, HTTPIngressRuleValue, IPBlock, Ingress, IngressBackend, IngressRule,
            IngressServiceBackend, IngressSpec, IngressTLS, NetworkPolicy, NetworkPolicyEgressRule,
            NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
            ServiceBackendPort,
        },
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::place::Place;
use crate::catalyst::runner::LABEL;

/// Networks that the rule for outside traffic leaves out: those of clusters and machines, and the addresses at which clouds give
/// machines their credentials.
const INSIDE: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "192.0.0.0/24",
    "168.63.129.16/32",
];
/// With what 6to4 makes of any of them, and the NAT64 prefix that a network keeps for itself.
const INSIDE_V6: [&str; 5] = ["fc00::/7", "fe80::/10", "::1/128", "2002::/16", "64:ff9b:1::/48"];
/// Where NAT64 has all of IPv4.
const NAT64: [u16; 2] = [0x64, 0xff9b];
/// Prefixes of networks that hold only such addresses.
const METADATA: [&str; 3] = ["169.254.", "fe80:", "fd00:ec2:"];
const USUAL_PORTS: [i32; 2] = [80, 443];
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

fn labelled(key: &str, value: &str) -> LabelSelector {
    let labels = [(key.to_owned(), value.to_owned())].into();
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

fn namespace_named(name: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(labelled(NAMESPACE_NAME, name)),
        ..NetworkPolicyPeer::default()
    }
}

/// All pods of the environment's own namespace.
fn neighbours() -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() }
}

fn network(cidr: &str, except: &[String]) -> NetworkPolicyPeer {
    let except = (!except.is_empty()).then(|| except.to_vec());
    let ip_block = IPBlock { cidr: cidr.to_owned(), except };
    NetworkPolicyPeer { ip_block: Some(ip_block), ..NetworkPolicyPeer::default() }
}

/// Through NAT64, a cluster of IPv6 alone reaches the outside; what is inside is inside through it too.
fn inside_v6() -> Vec<String> {
    let own = INSIDE_V6.map(str::to_owned);
    own.into_iter().chain(INSIDE.iter().filter_map(|cidr| through_nat64(cidr))).collect()
}

/// `10.0.0.0/8` as `64:ff9b::a00:0/104`.
fn through_nat64(cidr: &str) -> Option<String> {
    let (ip, length) = cidr.split_once('/')?;
    let [a, b, c, d] = ip.parse::<Ipv4Addr>().ok()?.octets();
    let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
    let ip = Ipv6Addr::new(NAT64[0], NAT64[1], 0, 0, 0, 0, high, low);
    Some(format!("{ip}/{}", length.parse::<u8>().ok()?.checked_add(96)?))
}

fn port(number: i32, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number)),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    }
}

fn to(peers: Vec<NetworkPolicyPeer>, ports: Vec<NetworkPolicyPort>) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { to: Some(peers), ports: (!ports.is_empty()).then_some(ports) }
}

/// The ports that are reached outside of the cluster.
fn outward_ports(settings: &Settings) -> Vec<NetworkPolicyPort> {
    let set: Vec<i32> = settings.egress_ports.iter().filter_map(|text| text.trim().parse().ok()).collect();
    let ports = if settings.egress_ports.is_empty() { USUAL_PORTS.to_vec() } else { set };
    ports.into_iter().map(|number| port(number, "TCP")).collect()
}

/// The internal networks that an operator lets environments reach, without those of clouds' metadata.
fn inward(settings: &Settings) -> Vec<NetworkPolicyPeer> {
    let allowed = settings.egress_internal.iter().map(|network| network.trim());
    let allowed = allowed.filter(|network| !METADATA.iter().any(|start| network.starts_with(start)));
    allowed.filter(|cidr| *cidr != "0.0.0.0/0" && *cidr != "::/0").map(|cidr| network(cidr, &[])).collect()
}

/// Nothing comes in but from the ingress controller and from the environment itself, and nothing goes out but to itself, to the cluster's DNS,
/// and to the outside.
pub(super) fn policy(place: &Place<'_>) -> NetworkPolicy {
    let dns = NetworkPolicyPeer {
        pod_selector: Some(labelled("k8s-app", "kube-dns")),
        ..namespace_named("kube-system")
    };
    let outside = vec![network("0.0.0.0/0", &INSIDE.map(str::to_owned)), network("::/0", &inside_v6())];
    let mut egress =
        vec![to(vec![dns], vec![port(53, "UDP"), port(53, "TCP")]), to(vec![neighbours()], Vec::new())];
    let ports = outward_ports(place.settings);
    if !ports.is_empty() {
        egress.push(to(outside, ports));
    }
    let inside = inward(place.settings);
    if !inside.is_empty() {
        egress.push(to(inside, Vec::new()));
    }
    let from = vec![namespace_named(&place.settings.ingress_namespace), neighbours()];
    let spec = NetworkPolicySpec {
        pod_selector: Some(LabelSelector::default()),
        policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
        ingress: Some(vec![NetworkPolicyIngressRule { from: Some(from), ..Default::default() }]),
        egress: Some(egress),
    };
    NetworkPolicy { metadata: place.named("default-policy"), spec: Some(spec) }
}

/// What builds and deployments reach beside that, where an operator has named it. The API server, the web application and the registry are inside
/// most often. Whoever deploys can give the label to other pods of the environment, which then reach it too.
pub(super) fn of_jobs(place: &Place<'_>) -> Option<NetworkPolicy> {
    let networks = place.settings.runner_networks.iter().map(|cidr| network(cidr.trim(), &[]));
    let networks: Vec<_> = networks.collect();
    if networks.is_empty() {
        return None;
    }
    let (key, value) = LABEL;
    let spec = NetworkPolicySpec {
        pod_selector: Some(labelled(key, value)),
        policy_types: Some(vec!["Egress".into()]),
        egress: Some(vec![to(networks, Vec::new())]),
        ..NetworkPolicySpec::default()
    };
    Some(NetworkPolicy { metadata: place.named("runner-policy"), spec: Some(spec) })
}

/// The Service that the Ingress leads to, and port 80 of it to the first port of the main container.
pub(super) fn web(place: &Place<'_>, target: i32) -> Service {
    let port = ServicePort {
        name: Some("http".into()),
        port: 80,
        target_port: Some(IntOrString::Int(target)),
        ..ServicePort::default()
    };
    let spec = ServiceSpec {
        selector: Some([("app".to_owned(), "web".to_owned())].into()),
        ports: Some(vec![port]),
        ..ServiceSpec::default()
    };
    Service { metadata: place.named("web"), spec: Some(spec), ..Service::default() }
}

/// What leads to the Service `web`, where environments have addresses. Always by TLS: by a certificate of its own where there is an issuer,
/// else by the ingress controller's.
pub(super) fn ingress(place: &Place<'_>) -> Option<Ingress> {
    let (host, issuer) = (place.address()?, place.settings.ingress_issuer.as_str());
    let service = IngressServiceBackend {
        name: "web".into(),
        port: Some(ServiceBackendPort { number: Some(80), ..ServiceBackendPort::default() }),
    };
    let path = HTTPIngressPath {
        path: Some("/".into()),
        path_type: "Prefix".into(),
        backend: IngressBackend { service: Some(service), ..IngressBackend::default() },
    };
    let rule =
        IngressRule { host: Some(host.clone()), http: Some(HTTPIngressRuleValue { paths: vec![path] }) };
    let signed = !issuer.is_empty();
    let tls = IngressTLS { hosts: Some(vec![host]), secret_name: signed.then(|| "web-tls".into()) };
    let spec = IngressSpec {
        ingress_class_name: Some(place.settings.ingress_class.clone()),
        rules: Some(vec![rule]),
        tls: Some(vec![tls]),
        ..IngressSpec::default()
    };
    let mut metadata = place.named("web");
    metadata.annotations =
        signed.then(|| BTreeMap::from([("cert-manager.io/cluster-issuer".to_owned(), issuer.to_owned())]));
    Some(Ingress { metadata, spec: Some(spec), ..Ingress::default() })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use concierge_shared::catalyst::is_internal_ip;

    use super::*;

    #[test]
    fn what_is_inside_is_left_out_as_ipv6_has_it_too() {
        let all = inside_v6();
        for expect in ["64:ff9b::a00:0/104", "64:ff9b::a9fe:0/112", "64:ff9b::a83f:8110/128", "2002::/16"] {
            assert!(all.iter().any(|one| one == expect), "{expect}: {all:?}");
        }
        assert_eq!(all.len(), INSIDE_V6.len() + INSIDE.len());
        // The outside by NAT64, which a cluster of IPv6 alone has nothing but.
        assert!(!all.iter().any(|one| one == "64:ff9b::/96"), "{all:?}");
        assert!(is_internal_ip("64:ff9b::a9fe:a9fe".parse::<IpAddr>().unwrap()));
    }
}
