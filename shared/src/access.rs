//! What the reconciler touches for an object, beside the object itself: the rights in RBAC derive from it.

use k8s_openapi::api::rbac::v1::PolicyRule;

/// A ClusterRole that others than the reconciler are bound to, each in one namespace.
#[derive(Clone, Copy, Debug)]
pub struct BoundRole {
    /// The last part of its name: the chart's own name goes in front.
    pub name: &'static str,
    /// What it allows.
    pub rights: fn() -> Vec<PolicyRule>,
}

/// Objects that are read or written for an object of a kind.
///
/// What every kind needs (the object, its status, its finalizers, events) is given without being declared. Objects of Kubernetes' own kinds, Secrets
/// apart, are touched only for kinds that own [children](crate::kind::Kind::CHILDREN), and where those are switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// Their API group; empty for the core group.
    pub group: &'static str,
    /// Their plural, lower-case name, as in URLs.
    pub resource: &'static str,
    /// What is done with them, in Kubernetes' words.
    pub verbs: &'static [&'static str],
}

impl Access {
    /// Secrets that the object names: they are read, and bear our finalizer while the object needs them.
    pub const SECRETS_READ: Access = Access::secrets(&["get", "update", "patch"]);
    /// Secrets that are made for the object, and go with it.
    pub const SECRETS_MADE: Access = Access::secrets(&["get", "create", "update", "patch"]);
    /// The same, where they are deleted before the object as well, for instance when they get another name.
    pub const SECRETS_DELETED: Access = Access::secrets(&["get", "create", "update", "patch", "delete"]);

    const fn secrets(verbs: &'static [&'static str]) -> Access {
        Access { group: "", resource: "secrets", verbs }
    }

    /// True for Secrets: their rights are not given all over the cluster, but where an operator says so.
    pub fn is_to_secrets(&self) -> bool {
        self.group.is_empty() && self.resource == "secrets"
    }
}
