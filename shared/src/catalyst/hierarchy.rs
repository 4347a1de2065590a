//! Team, project and environment, and the namespaces that belong to each.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};

use super::Settings;
use crate::common::{
    names::{MAX_NAMESPACE, is_namespace},
    words::hex,
};

/// The labels on an Environment that say whose it is.
pub const TEAM_LABEL: &str = "catalyst.dev/team";
pub const PROJECT_LABEL: &str = "catalyst.dev/project";
pub const ENVIRONMENT_LABEL: &str = "catalyst.dev/environment";
/// All of them.
pub(super) const LABELS: &[&str] = &[TEAM_LABEL, PROJECT_LABEL, ENVIRONMENT_LABEL];

/// How many digits of the digest end a name that would be too long.
const DIGITS: usize = 5;

/// Whose an Environment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hierarchy<'a> {
    pub team: &'a str,
    pub project: &'a str,
    pub environment: &'a str,
}

impl<'a> Hierarchy<'a> {
    /// What the labels say; `None` when one is missing or empty.
    pub fn of(meta: &'a ObjectMeta) -> Option<Self> {
        let label = |key: &str| {
            let value = meta.labels.as_ref()?.get(key)?;
            (!value.is_empty()).then_some(value.as_str())
        };
        Some(Self {
            team: label(TEAM_LABEL)?,
            project: label(PROJECT_LABEL)?,
            environment: label(ENVIRONMENT_LABEL)?,
        })
    }

    /// The namespace of the team, where its Projects are; `None` when no namespace can be called so.
    pub fn team_namespace(&self) -> Option<String> {
        Some(sanitised(self.team)).filter(|name| is_namespace(name))
    }

    /// The namespace where the project's Environments are.
    pub fn project_namespace(&self) -> String {
        namespace_of(&[self.team, self.project])
    }

    /// The namespace where the environment's workloads run; `None` when no namespace can be called so.
    pub fn target_namespace(&self) -> Option<String> {
        Some(namespace_of(&[self.team, self.project, self.environment])).filter(|name| is_namespace(name))
    }
}

/// `part` as a part of a namespace's name: in small letters, with a hyphen for every run of other characters.
pub fn sanitised(part: &str) -> String {
    let mut name = String::with_capacity(part.len());
    for c in part.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.trim_matches('-').to_owned()
}

/// The name of the namespace of these parts; one that would be too long ends in a digest of the whole.
pub fn namespace_of(parts: &[&str]) -> String {
    let parts = parts.iter().map(|part| sanitised(part)).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("-");
    if name.len() <= MAX_NAMESPACE {
        return name;
    }
    let digest = hex(&Sha256::digest(&name));
    let start = name[..MAX_NAMESPACE - 1 - DIGITS].trim_end_matches('-');
    format!("{start}-{}", &digest[..DIGITS])
}

/// Namespaces of the cluster and of what is usually installed in it.
const RESERVED: [&str; 5] = ["default", "catalyst-system", "cert-manager", "ingress-nginx", "concierge"];

/// True for a namespace that no environment may have: the cluster's own, the ingress controller's, and those that an operator names.
pub(super) fn is_reserved(namespace: &str, settings: &Settings) -> bool {
    namespace.starts_with("kube-")
        || RESERVED.contains(&namespace)
        || namespace == settings.ingress_namespace
        || settings.reserved_namespaces.iter().any(|reserved| reserved == namespace)
}
