//! Objects of Kubernetes' own kinds that are made for an object of ours: what they are, and the marks that they bear.
//!
//! They are in other namespaces, or are namespaces themselves, and an owner reference can't lead there: the garbage collector would
//! take the child for an orphan and delete it. So they bear the owner's uid as a label, by which they are watched and listed, and its
//! name as an annotation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use k8s_openapi::{Metadata, Resource, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use crate::kind::KindInfo;

/// The label with the uid of the owner. Not for templates of pods: what others make of them is not ours.
pub const OWNER_UID_LABEL: &str = "concierge.dev/owner-uid";
/// The annotation with the owner's kind, namespace and name.
pub const OWNER_ANNOTATION: &str = "concierge.dev/owner";
/// The annotation with a digest of what was applied last: what was taken out of it since is to go too.
pub const APPLIED_ANNOTATION: &str = "concierge.dev/applied";

/// A resource of Kubernetes' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Child {
    /// Its API group; empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    /// Its plural, lower-case name, as in URLs.
    pub plural: &'static str,
}

impl Child {
    /// The resource of `T`, for instance `Child::of::<Deployment>()`.
    pub const fn of<T: Resource + Metadata<Ty = ObjectMeta>>() -> Self {
        Self { group: T::GROUP, version: T::VERSION, kind: T::KIND, plural: T::URL_PATH_SEGMENT }
    }

    /// `apps/v1`
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

impl fmt::Display for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

/// The groups among `kinds` whose objects own such objects, each with the resources.
pub fn by_group(kinds: &[KindInfo]) -> BTreeMap<&'static str, BTreeSet<Child>> {
    let mut groups = BTreeMap::<_, BTreeSet<_>>::new();
    for kind in kinds.iter().filter(|kind| !kind.children.is_empty()) {
        groups.entry(kind.group_name()).or_default().extend(kind.children.iter().copied());
    }
    groups
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{apps::v1::Deployment, core::v1::Namespace};

    use super::*;

    #[test]
    fn a_resource_is_named_as_in_urls() {
        let (deployment, namespace) = (Child::of::<Deployment>(), Child::of::<Namespace>());
        assert_eq!((deployment.api_version().as_str(), deployment.plural), ("apps/v1", "deployments"));
        assert_eq!((namespace.api_version().as_str(), namespace.plural), ("v1", "namespaces"));
    }
}
