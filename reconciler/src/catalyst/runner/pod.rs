//! Parts of pods whose containers are tools: no rights on the node, and resources that any quota counts.

use std::collections::BTreeMap;

use concierge_shared::catalyst::bounds::{self, Amounts};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapProjection, Container, DownwardAPIProjection, DownwardAPIVolumeFile, EnvVar,
    KeyToPath, ObjectFieldSelector, PodSecurityContext, ProjectedVolumeSource, SeccompProfile,
    SecurityContext, ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};

use crate::catalyst::convert;

/// Where programs look for the API server's certificate and a token.
pub(super) const ACCOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Nobody's: it has no rights on any node.
const NOBODY: i64 = 65532;

/// A container that runs `command`.
pub(in crate::catalyst) fn container(
    name: &str,
    image: &str,
    command: &[&str],
    env: Vec<(&str, String)>,
    mounts: Vec<VolumeMount>,
) -> Container {
    let variable = |(name, value): (&str, String)| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        ..EnvVar::default()
    };
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        command: Some(command.iter().map(|&word| word.to_owned()).collect()),
        env: Some(env.into_iter().map(variable).collect()),
        volume_mounts: Some(mounts),
        resources: Some(convert::needs(Amounts::new("50m", "64Mi"), bounds::CONTAINER)),
        security_context: Some(security()),
        // What a tool says last is what people have to read.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    }
}

/// What the profile `restricted` demands.
fn security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), ..Capabilities::default() }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

pub(in crate::catalyst) fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(NOBODY),
        run_as_group: Some(NOBODY),
        fs_group: Some(NOBODY),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), ..SeccompProfile::default() }),
        ..PodSecurityContext::default()
    }
}

pub(in crate::catalyst) fn mount(volume: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(read_only),
        ..VolumeMount::default()
    }
}

/// A volume with the pod's own token as the file `token`.
pub(super) fn token_volume(name: &str, seconds: i64) -> Volume {
    projected(name, vec![token(seconds)])
}

/// A volume with all that a program needs to speak to the API server: see [`ACCOUNT_PATH`].
pub(super) fn account_volume(name: &str, seconds: i64) -> Volume {
    let item = KeyToPath { key: "ca.crt".into(), path: "ca.crt".into(), mode: None };
    let authority = ConfigMapProjection {
        name: "kube-root-ca.crt".into(),
        items: Some(vec![item]),
        ..ConfigMapProjection::default()
    };
    let field =
        ObjectFieldSelector { field_path: "metadata.namespace".into(), ..ObjectFieldSelector::default() };
    let file = DownwardAPIVolumeFile {
        path: "namespace".into(),
        field_ref: Some(field),
        ..DownwardAPIVolumeFile::default()
    };
    let sources = vec![
        token(seconds),
        VolumeProjection { config_map: Some(authority), ..VolumeProjection::default() },
        VolumeProjection {
            downward_api: Some(DownwardAPIProjection { items: Some(vec![file]) }),
            ..VolumeProjection::default()
        },
    ];
    projected(name, sources)
}

fn token(seconds: i64) -> VolumeProjection {
    let token = ServiceAccountTokenProjection {
        path: "token".into(),
        expiration_seconds: Some(seconds),
        ..ServiceAccountTokenProjection::default()
    };
    VolumeProjection { service_account_token: Some(token), ..VolumeProjection::default() }
}

fn projected(name: &str, sources: Vec<VolumeProjection>) -> Volume {
    let source = ProjectedVolumeSource { sources: Some(sources), ..ProjectedVolumeSource::default() };
    Volume { name: name.to_owned(), projected: Some(source), ..Volume::default() }
}

/// What nearly every object here is called by.
pub(in crate::catalyst) fn labels(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect())
}
