//! The parts of a provider's spec.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::admission::defaults::Fill;

/// The Secrets with the access key that calls are made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// The entry with the access key's id.
    #[schemars(transform = access_key_default)]
    pub access_key_secret_ref: CredentialRef,
    /// The entry with the access key's secret.
    #[schemars(transform = secret_key_default)]
    pub secret_key_secret_ref: CredentialRef,
    /// The entry with the session token of temporary keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = session_token_default)]
    pub session_token_secret_ref: Option<CredentialRef>,
}

/// One entry of a Secret in the Provider's namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The entry's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key: Option<String>,
    /// The Provider's own namespace, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

/// How a service's certificate is verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Takes any certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
    /// The entry of a Secret in the Provider's namespace with the certificate authority, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = ca_default)]
    pub ca_cert_secret_ref: Option<CaRef>,
}

/// One entry of a Secret in the Provider's namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The entry's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key: Option<String>,
}

/// Not applied: no call is repeated by itself; its object is looked at again after a while, later each time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Not applied. From 1 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 10, code = "s3.provider.retry"))]
    #[schemars(extend("default" = 3))]
    pub max_attempts: Option<i64>,
    /// Not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "exponential"))]
    pub backoff_strategy: Option<Backoff>,
}

impl Retry {
    pub(super) fn fill(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.max_attempts, "spec.retry.maxAttempts", 3);
        fill.missing(&mut self.backoff_strategy, "spec.retry.backoffStrategy", Backoff::default());
    }
}

/// Not applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// It doubles.
    #[default]
    Exponential,
    /// It grows by the same each time.
    Linear,
}

/// What a service can do. What is absent is as usual with the Provider's type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Versions of objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<bool>,
    /// Default encryption of buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<bool>,
    /// Encryption with keys of a key management service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms: Option<bool>,
    /// Tags of buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagging: Option<bool>,
    /// Lifecycle rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<bool>,
    /// Storage classes to which lifecycle rules move objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_classes: Option<bool>,
    /// CORS rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<bool>,
    /// Blocking of public access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access_block: Option<bool>,
    /// Policies of buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_policy: Option<bool>,
    /// Policies of their own that users have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_policies: Option<bool>,
    /// Tags of users and policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_tags: Option<bool>,
    /// Paths of users and policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_paths: Option<bool>,
}

/// What becomes of a bucket when its object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It is deleted, once it is empty.
    Delete,
    /// It stays.
    #[default]
    Retain,
}

const ACCESS_KEY: &str = "access-key";
const SECRET_KEY: &str = "secret-key";
const SESSION_TOKEN: &str = "session-token";
pub(super) const CA_KEY: &str = "ca.crt";

fn access_key_default(schema: &mut schemars::Schema) {
    default_key(schema, ACCESS_KEY);
}

fn secret_key_default(schema: &mut schemars::Schema) {
    default_key(schema, SECRET_KEY);
}

fn session_token_default(schema: &mut schemars::Schema) {
    default_key(schema, SESSION_TOKEN);
}

fn ca_default(schema: &mut schemars::Schema) {
    default_key(schema, CA_KEY);
}

fn default_key(schema: &mut schemars::Schema, key: &str) {
    if let Some(schema) = schema.pointer_mut("/properties/key") {
        schema["default"] = key.into();
    }
}

impl Auth {
    /// Each with its field's name and the key that it has by default.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &CredentialRef, &'static str)> {
        let required = [
            ("accessKeySecretRef", &self.access_key_secret_ref, ACCESS_KEY),
            ("secretKeySecretRef", &self.secret_key_secret_ref, SECRET_KEY),
        ];
        let token = self.session_token_secret_ref.as_ref();
        required.into_iter().chain(token.map(|token| ("sessionTokenSecretRef", token, SESSION_TOKEN)))
    }

    /// Each with its field's name and the key that it has by default.
    pub(super) fn entries_mut(
        &mut self,
    ) -> impl Iterator<Item = (&'static str, &mut CredentialRef, &'static str)> {
        let required = [
            ("accessKeySecretRef", &mut self.access_key_secret_ref, ACCESS_KEY),
            ("secretKeySecretRef", &mut self.secret_key_secret_ref, SECRET_KEY),
        ];
        let token = self.session_token_secret_ref.as_mut();
        required.into_iter().chain(token.map(|token| ("sessionTokenSecretRef", token, SESSION_TOKEN)))
    }
}
