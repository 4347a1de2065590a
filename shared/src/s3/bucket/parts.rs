//! The parts of a bucket's spec.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::{
    admission::defaults::Fill,
    field::at,
    s3::{
        rotation::{self, BucketRotation},
        tags::{self, Tags},
    },
};

/// What is made for a bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct AutoManage {
    /// Whether anything is: a User NAME-user, an AccessKey NAME-accesskey and a BucketPolicy NAME-policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// The user's name at the provider; the bucket's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub user_name: Option<String>,
    /// What the user may do with the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "readwrite"))]
    pub access_level: Option<AccessLevel>,
    /// How the access key is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    #[schemars(extend("default" = {}))]
    pub rotation: Option<BucketRotation>,
}

/// What a bucket's user may do with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessLevel {
    /// Get and list objects.
    ReadOnly,
    /// Get, put, delete and list objects.
    #[default]
    ReadWrite,
    /// Everything.
    Full,
}

/// Whether old versions of objects are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Versioning {
    /// They are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enabled: Option<bool>,
    /// Whether a version is deleted with a second factor only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub mfa_delete: Option<bool>,
}

/// How objects are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// They are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enabled: Option<bool>,
    /// With whose keys: the provider's (AES256) or those of a key management service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "AES256"))]
    pub algorithm: Option<Algorithm>,
    /// The key, with aws:kms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub kms_key_id: Option<String>,
}

/// With whose keys objects are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// The provider's.
    #[default]
    #[serde(rename = "AES256")]
    Aes256,
    /// Those of a key management service.
    #[serde(rename = "aws:kms")]
    Kms,
}

/// What public access is blocked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicAccess {
    /// New public ACLs are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub block_public_acls: Option<bool>,
    /// New public policies are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub block_public_policy: Option<bool>,
    /// Public ACLs have no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub ignore_public_acls: Option<bool>,
    /// While its policy is public, nobody outside of the account gets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub restrict_public_buckets: Option<bool>,
}

/// The tags of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tagging {
    /// The tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags::schema")]
    pub tags: Option<Tags>,
    /// What becomes of tags that others made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Merge"))]
    pub policy: Option<TagPolicy>,
}

/// What becomes of tags that others made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TagPolicy {
    /// They stay.
    #[default]
    Merge,
    /// They go, except the provider's own.
    Exact,
}

impl AutoManage {
    /// Whether it is what an absent one becomes.
    pub(super) fn is_default(&self) -> bool {
        let rotation = self.rotation.clone().unwrap_or_default();
        let is = |days: Option<i64>, default: i64| days.is_none_or(|days| days == default);
        self.enabled.unwrap_or(true)
            && self.user_name.is_none()
            && self.access_level.unwrap_or_default() == AccessLevel::default()
            && rotation.enabled.unwrap_or(true)
            && is(rotation.interval_days, rotation::INTERVAL)
            && is(rotation.previous_keys_retention_days, rotation::RETENTION)
    }

    pub(super) fn fill(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.enabled, "spec.autoManage.enabled", true);
        fill.missing(&mut self.access_level, "spec.autoManage.accessLevel", AccessLevel::default());
        fill.missing(&mut self.rotation, "spec.autoManage.rotation", BucketRotation::default());
        if let Some(BucketRotation { enabled, interval_days, previous_keys_retention_days }) =
            &mut self.rotation
        {
            let days = (interval_days, previous_keys_retention_days);
            rotation::fill(fill, "spec.autoManage.rotation", (enabled, true), days);
        }
    }
}

impl Versioning {
    pub(super) fn fill(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.enabled, "spec.versioning.enabled", false);
        fill.missing(&mut self.mfa_delete, "spec.versioning.mfaDelete", false);
    }
}

impl Encryption {
    pub(super) fn fill(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.enabled, "spec.encryption.enabled", false);
        fill.missing(&mut self.algorithm, "spec.encryption.algorithm", Algorithm::default());
    }
}

impl PublicAccess {
    pub(super) fn fill(&mut self, fill: &mut Fill) {
        for (name, slot) in [
            ("blockPublicAcls", &mut self.block_public_acls),
            ("blockPublicPolicy", &mut self.block_public_policy),
            ("ignorePublicAcls", &mut self.ignore_public_acls),
            ("restrictPublicBuckets", &mut self.restrict_public_buckets),
        ] {
            fill.missing(slot, at("spec.publicAccess").field(name), true);
        }
    }
}
