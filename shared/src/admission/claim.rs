//! Claims: "no other object may have this".
//!
//! A cached look-up can't make anything unique: two replicas both see "free". So what must be unique is
//! reserved by creating a [`ClaimObject`] whose name is a digest of rule and key; the API server lets only
//! one such object exist.
//!
//! A claim is created and deleted, never changed: so its creation time tells when its present holder asked for it.

use jiff::{SignedDuration, Timestamp};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rule::AdmissionRule;
use crate::{common::words::hex, field::FieldPath, index::Stored};

/// The longest that a request can be under way between reserving a value and storing its object: an API server gives a write
/// 34 seconds, and etcd may take a few more to store what it was given last. Later, a claim whose holder does not exist
/// is nobody's.
pub const LONGEST_ADMISSION: SignedDuration = SignedDuration::from_secs(45);

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
        index_key(self.rule.id, &self.key)
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

fn index_key(rule: &str, key: &str) -> String {
    format!("claim:{rule}={key}")
}

/// The name of the object that reserves `key` under the rule `rule`: 40 hexadecimal digits of a SHA-256.
pub fn claim_name(rule: &str, key: &str) -> String {
    let digest = Sha256::new().chain_update(rule).chain_update([0]).chain_update(key).finalize();
    hex(&digest[..20])
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
    /// The resource version of the holder that the request replaces; empty when it creates the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
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

/// Whose a claim is.
#[derive(Clone, Debug)]
pub enum Standing {
    /// This object's, which is stored and has the value.
    Held(Stored),
    /// That of a request which may yet store its object.
    UnderWay,
    /// Nobody's.
    Free,
}

impl ClaimObject {
    /// Whose the claim is `now`, when `live` is what is stored under its holder's name.
    pub fn standing(&self, live: Option<Stored>, now: Timestamp) -> Standing {
        let key = index_key(&self.spec.rule, &self.spec.key);
        let waiting = self.age(now) <= LONGEST_ADMISSION && self.spec.may_yet_be_stored(live.as_ref());
        // Whatever its uid: an object of this name with this value is the holder.
        match live.filter(|live| live.has_key(&key)) {
            Some(live) => Standing::Held(live),
            None if waiting => Standing::UnderWay,
            None => Standing::Free,
        }
    }

    fn age(&self, now: Timestamp) -> SignedDuration {
        let created = self.metadata.creation_timestamp.as_ref();
        created.map_or(SignedDuration::MAX, |created| now.duration_since(created.0))
    }
}

impl ClaimSpec {
    /// Whether the request that reserved the value can still be stored, when `live` is stored now.
    fn may_yet_be_stored(&self, live: Option<&Stored>) -> bool {
        let same = |live: &Stored| live.meta().uid.as_ref() == Some(&self.holder.uid);
        match (self.replaces.as_deref(), live) {
            // A version of Concierge wrote it that did not record this.
            (None, _) => true,
            // An older object of the name may be deleted before the API server looks again.
            (Some(""), live) => !live.is_some_and(same),
            // The API server stores an update over the very version that it was admitted for, or asks again.
            (Some(version), live) => live
                .is_some_and(|live| same(live) && live.meta().resource_version.as_deref() == Some(version)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{kind::store, pets::Pet};

    /// A claim of the id 7, `seconds` old.
    fn claim(replaces: Option<&str>, seconds: i64) -> (ClaimObject, Timestamp) {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let holder =
            Holder { kind: "Pet".into(), namespace: "zoo".into(), name: "rex".into(), uid: "u-1".into() };
        let spec = ClaimSpec {
            rule: "pets.pet.unique-id".into(),
            key: "7".into(),
            holder,
            replaces: replaces.map(str::to_owned),
        };
        let mut claim = ClaimObject::new("c", spec);
        let created = now - SignedDuration::from_secs(seconds);
        claim.metadata.creation_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(created));
        (claim, now)
    }

    fn rex(uid: &str, version: &str, id: i64) -> Option<Stored> {
        let mut rex: Pet = serde_json::from_value(json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet",
            "metadata": {"namespace": "zoo", "name": "rex", "uid": uid},
            "spec": {"id": id, "name": "Rex"},
        }))
        .unwrap();
        rex.metadata.resource_version = Some(version.into());
        Some(store(Arc::new(rex)))
    }

    fn standing(replaces: Option<&str>, seconds: i64, live: Option<Stored>) -> &'static str {
        let (claim, now) = claim(replaces, seconds);
        match claim.standing(live, now) {
            Standing::Held(_) => "held",
            Standing::UnderWay => "under way",
            Standing::Free => "free",
        }
    }

    #[test]
    fn a_claim_is_its_holders_as_long_as_that_has_the_value() {
        for seconds in [0, 46, 100_000] {
            assert_eq!(standing(Some(""), seconds, rex("u-1", "5", 7)), "held");
            assert_eq!(standing(Some(""), seconds, rex("u-other", "5", 7)), "held");
        }
    }

    #[test]
    fn a_claim_is_under_way_while_its_request_can_still_be_stored() {
        assert_eq!(standing(Some(""), 44, None), "under way");
        assert_eq!(standing(Some(""), -300, None), "under way", "a clock that is behind the API server's");
        assert_eq!(standing(Some(""), 44, rex("u-other", "5", 1)), "under way", "it may be deleted first");
        assert_eq!(standing(Some("5"), 44, rex("u-1", "5", 1)), "under way", "the update of version 5");
        assert_eq!(standing(None, 44, rex("u-1", "5", 1)), "under way", "an older claim does not tell");
    }

    #[test]
    fn a_claim_is_free_at_once_when_its_request_cannot_be_stored_any_more() {
        assert_eq!(standing(Some(""), 1, rex("u-1", "5", 1)), "free", "created, and changed since");
        assert_eq!(standing(Some("5"), 1, rex("u-1", "6", 1)), "free", "changed in another way");
        assert_eq!(standing(Some("5"), 1, rex("u-other", "9", 1)), "free", "created again");
        assert_eq!(standing(Some("5"), 1, None), "free", "deleted");
        for replaces in [None, Some(""), Some("5")] {
            assert_eq!(standing(replaces, 46, rex("u-1", "5", 1)), "free", "too old");
        }
    }

    #[test]
    fn rule_and_key_cannot_be_confused() {
        assert_ne!(claim_name("a.b", "c"), claim_name("a.", "bc"));
        assert_eq!(claim_name("a", "b").len(), 40);
    }
}
