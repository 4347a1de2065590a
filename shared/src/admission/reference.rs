//! References: "this field names that object, which must exist".

use super::rule::AdmissionRule;
use crate::field::FieldPath;

/// On a target: the other namespaces whose objects may refer to it, separated by commas; `*` means all.
pub const ALLOWED_NAMESPACES_ANNOTATION: &str = "concierge.dev/allow-references-from";

/// On a target: `"true"` lets it be deleted although it is in use.
pub const DELETE_IN_USE_ANNOTATION: &str = "concierge.dev/delete-in-use";

/// A field that names another object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The field that holds the name.
    pub field: FieldPath,
    /// The target's kind.
    pub kind: &'static str,
    /// The target's namespace; `None` is the referrer's own.
    pub namespace: Option<String>,
    /// The target's name.
    pub name: String,
    /// The rule that a missing target breaks.
    pub rule: &'static AdmissionRule,
    /// Whether the target may not be deleted while this referrer exists.
    pub protects: bool,
    /// Whether a rule of the kind relates the two namespaces, so that a target in the other one needs to permit nothing. The target's
    /// kind declares [`IMPLIED_REFERRERS`](crate::kind::Kind::IMPLIED_REFERRERS).
    pub implied: bool,
}

impl Reference {
    /// The key under which the referrer is found from its target.
    pub fn index_key(&self, referrer_namespace: &str) -> String {
        let key = if self.protects { referrers_key } else { weak_referrers_key };
        key(self.kind, self.namespace.as_deref().unwrap_or(referrer_namespace), &self.name)
    }

    /// The further key of a referrer that needs no permission.
    pub fn implied_key(&self, referrer_namespace: &str) -> Option<String> {
        let namespace = self.namespace.as_deref().unwrap_or(referrer_namespace);
        self.implied.then(|| implied_referrers_key(self.kind, namespace, &self.name))
    }

    /// True when an object of namespace `own` may refer to a target in `namespace` with these annotations.
    pub fn is_permitted(
        &self,
        own: &str,
        namespace: &str,
        annotations: Option<&std::collections::BTreeMap<String, String>>,
    ) -> bool {
        namespace == own || self.implied || permits(annotations, own)
    }
}

/// The key of all protecting references to this target.
pub fn referrers_key(kind: &str, namespace: &str, name: &str) -> String {
    format!("ref:{kind}/{namespace}/{name}")
}

/// The key of all references to this target that do not protect it.
pub fn weak_referrers_key(kind: &str, namespace: &str, name: &str) -> String {
    format!("weak-ref:{kind}/{namespace}/{name}")
}

/// The key of all references to this target that need no permission of it.
pub fn implied_referrers_key(kind: &str, namespace: &str, name: &str) -> String {
    format!("implied-ref:{kind}/{namespace}/{name}")
}

/// True when a target with these annotations lets objects of `namespace` refer to it.
pub fn permits(annotations: Option<&std::collections::BTreeMap<String, String>>, namespace: &str) -> bool {
    annotations
        .and_then(|annotations| annotations.get(ALLOWED_NAMESPACES_ANNOTATION))
        .is_some_and(|list| list.split(',').map(str::trim).any(|entry| entry == namespace || entry == "*"))
}
