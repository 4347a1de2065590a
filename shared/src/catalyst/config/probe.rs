//! Probes.

use k8s_openapi::{
    api::core::v1::{ContainerPort, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{EnvironmentConfig, PROBE};
use crate::{
    admission::problem::{Cause, Problems},
    field::FieldPath,
};

pub(super) fn check_all(config: &EnvironmentConfig, at: &FieldPath, problems: &mut Problems) {
    for (name, probe) in [
        ("livenessProbe", &config.liveness_probe),
        ("readinessProbe", &config.readiness_probe),
        ("startupProbe", &config.startup_probe),
    ] {
        if let Some(probe) = probe {
            check(probe, config.ports.as_deref(), &at.clone().field(name), problems);
        }
    }
}

fn check(probe: &Probe, ports: Option<&[ContainerPort]>, at: &FieldPath, problems: &mut Problems) {
    let given =
        [probe.exec.is_some(), probe.http_get.is_some(), probe.tcp_socket.is_some(), probe.grpc.is_some()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let message = "has none or several of exec, httpGet, tcpSocket and grpc; keep one";
        problems.add(&PROBE, Cause::Invalid, at.clone(), message);
    }
    for (name, value, least) in [
        ("initialDelaySeconds", probe.initial_delay_seconds, 0),
        ("periodSeconds", probe.period_seconds, 1),
        ("timeoutSeconds", probe.timeout_seconds, 1),
        ("successThreshold", probe.success_threshold, 1),
        ("failureThreshold", probe.failure_threshold, 1),
    ] {
        if value.is_some_and(|value| value < least) {
            let message = format!("is below {least}; raise it, or remove it");
            problems.add(&PROBE, Cause::Invalid, at.clone().field(name), message);
        }
    }
    let http = probe.http_get.as_ref().map(|http| ("httpGet", &http.port));
    let tcp = probe.tcp_socket.as_ref().map(|tcp| ("tcpSocket", &tcp.port));
    for (handler, port) in http.into_iter().chain(tcp) {
        if let Some(message) = wrong_port(port, ports) {
            problems.add(&PROBE, Cause::Invalid, at.clone().field(handler).field("port"), message);
        }
    }
}

/// Ports may stand in the template alone, with their names.
fn wrong_port(port: &IntOrString, ports: Option<&[ContainerPort]>) -> Option<&'static str> {
    let is_named = |name: &str, port: &ContainerPort| port.name.as_deref() == Some(name);
    match port {
        IntOrString::Int(number) => (!(1..=65535).contains(number)).then_some("is not between 1 and 65535"),
        IntOrString::String(name) => ports
            .is_some_and(|ports| !ports.iter().any(|port| is_named(name, port)))
            .then_some("names none of the ports; add it to ports, or write its number"),
    }
}
