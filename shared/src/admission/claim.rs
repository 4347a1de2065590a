//! Claims: "no other object may have this".
//!
//! A cached look-up can't make anything unique: two replicas both see "free". So what must be unique is
//! reserved by creating a [`ClaimObject`] whose name is a digest of rule and key; the API server lets only
//! one such object exist.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rule::AdmissionRule;
use crate::field::FieldPath;

/// A value that an object wants for itself alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The field that holds the value.
    pub field: FieldPath,
    /// The rule that a second holder breaks.
    pub rule: &'static AdmissionRule,
    /// The value, with the scope in front in which it is unique. Never a secret: it is stored in clear.
    pub key: String,
    /// What a denial says when naming the key would not help the reader, or must not be.
    pub taken: Option<&'static str>,
}

impl Claim {
    /// The key under which the holder is found.
    pub fn index_key(&self) -> String {
        format!("claim:{}={}", self.rule.id, self.key)
    }

    /// The name of the object that reserves the value.
    pub fn object_name(&self) -> String {
        claim_name(self.rule.id, &self.key)
    }

    /// The message of a denial because the value is taken. Who holds it is added only for those who may know.
    pub fn taken_message(&self) -> String {
        let named = || {
            format!(
                "{} is in use by another object; choose another, or delete that one first if this is its new name",
                self.key
            )
        };
        self.taken.map_or_else(named, str::to_owned)
    }

    /// The message of a denial because a request that is not decided yet wants the value too.
    pub fn contended_message(&self) -> String {
        let what = if self.taken.is_some() { "the same" } else { self.key.as_str() };
        format!("{what} is being taken by another request at this moment; choose another, or try again")
    }
}

/// The name of the object that reserves `key` under the rule `rule`: 40 hexadecimal digits of a SHA-256.
pub fn claim_name(rule: &str, key: &str) -> String {
    let digest = Sha256::new().chain_update(rule).chain_update([0]).chain_update(key).finalize();
    digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

/// A reservation of a unique value, cluster-wide.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "concierge.dev",
    version = "v1",
    kind = "Claim",
    root = "ClaimObject",
    plural = "claims",
    derive = "PartialEq",
    doc = "A value that one object holds for itself alone. Written by Concierge; never edit it.",
    printcolumn(name = "Rule", type_ = "string", json_path = ".spec.rule"),
    printcolumn(name = "Key", type_ = "string", json_path = ".spec.key"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.holder.kind"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".spec.holder.namespace"),
    printcolumn(name = "Holder", type_ = "string", json_path = ".spec.holder.name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct ClaimSpec {
    /// The rule that makes the value unique.
    pub rule: String,
    /// The value.
    pub key: String,
    /// The object that holds the value.
    pub holder: Holder,
}

/// The object that holds a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for a cluster-scoped object.
    #[serde(default)]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid, which tells it from an older or newer object of the same name.
    pub uid: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_and_key_cannot_be_confused() {
        assert_ne!(claim_name("a.b", "c"), claim_name("a.", "bc"));
        assert_eq!(claim_name("a", "b").len(), 40);
    }
}
