//! Who may do what at a bridge, and how its data is kept safe.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use validator::Validate;

use super::{CREDENTIALS, NEEDS, POLICIES, SCRUBBING, SECRET, checks};
use crate::{
    admission::problem::{Cause, Problems},
    common::{SecretKeyRef, any::any_map, names::is_name},
    field::{FieldPath, at},
    orasi::{
        AuthenticationMethod,
        block::block,
        credentials::{IN_THE_CLEAR, is_credential, refuse_inline},
        processing::pattern::Patterns,
    },
};

block! {
    /// Who may do what, and how data is kept safe.
    pub struct Security {
        /// Whether connections are encrypted; not when absent.
        enable_tls: bool,
        /// The Secret with the certificate, of type kubernetes.io/tls.
        tls_secret_ref: TlsSecretRef,
        /// Whether who calls has to say who it is; not when absent.
        enable_authentication: bool,
        /// How; None when absent.
        #[schemars(length(max = 6))]
        authentication_methods: Vec<AuthenticationMethod>,
        /// Whether it may do only what authorizationPolicies allow; not when absent.
        enable_authorization: bool,
        /// Who may do what.
        #[schemars(length(max = 100))]
        authorization_policies: Vec<AuthorizationPolicy>,
        /// Whether what is done is written down; not when absent.
        enable_audit_logging: bool,
        /// In which file.
        #[schemars(length(max = 1024))]
        audit_log_path: String,
        /// Whether what is personal is taken out of data; not when absent.
        enable_pii_scrubbing: bool,
        /// What that is.
        #[schemars(length(max = 100))]
        pii_scrubbing_rules: Vec<ScrubbingRule>,
        /// For how many days data is kept; 90 when absent.
        #[validate(range(min = 1, max = 3650, code = "orasi.configuration.retention"))]
        data_retention_days: i64,
        /// Whether data is stored encrypted; not when absent.
        enable_encryption_at_rest: bool,
        /// With which key.
        #[validate(nested)]
        encryption_key: EncryptionKey,
    }
}

/// A Secret with the entries tls.crt and tls.key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsSecretRef {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationPolicy {
    /// Its name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Who may.
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub allowed_roles: Vec<String>,
    /// Do what.
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub allowed_actions: Vec<String>,
    /// With what.
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub allowed_resources: Vec<String>,
    /// When, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_map")]
    pub conditions: Option<BTreeMap<String, Value>>,
}

/// What is personal, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScrubbingRule {
    /// Its name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// A regular expression for names of fields.
    #[schemars(length(max = 1000))]
    pub field_pattern: String,
    /// What becomes of their values.
    pub scrubbing_method: ScrubbingMethod,
    /// What Replace writes in their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub replacement: Option<String>,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScrubbingMethod {
    /// A digest stands for it.
    Hash,
    /// Some of its characters are covered.
    Mask,
    /// It is blackened.
    Redact,
    /// Another stands in its place.
    Replace,
    /// It leads to nobody any more.
    Anonymize,
}

/// The key that data is encrypted with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionKey {
    /// Its id.
    #[schemars(length(max = 255))]
    pub key_id: String,
    /// The entry of a Secret with the key, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_material_secret_ref: Option<SecretKeyRef>,
    /// Refused: a key stands in a Secret, which keyMaterialSecretRef names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub key_material: Option<String>,
    /// The algorithm, for instance AES256GCM.
    #[schemars(length(max = 64))]
    pub algorithm: String,
    /// After how many days another one is to be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, code = "orasi.configuration.positive"))]
    pub rotation_interval_days: Option<i64>,
}

pub(super) fn check(security: Option<&Security>, problems: &mut Problems) {
    let Some(security) = security else { return };
    check_parts(security, problems);
    checks::check_path("spec.security.auditLogPath", security.audit_log_path.as_deref(), problems);
    let policies = security.authorization_policies.as_deref().unwrap_or_default();
    let names = policies.iter().map(|one| one.name.as_str());
    checks::check_names("spec.security.authorizationPolicies", names, &POLICIES, problems);
    for (nth, policy) in policies.iter().enumerate() {
        check_policy(policy, at("spec.security.authorizationPolicies").index(nth), problems);
    }
    let rules = security.pii_scrubbing_rules.as_deref().unwrap_or_default();
    let names = rules.iter().map(|one| one.name.as_str());
    checks::check_names("spec.security.piiScrubbingRules", names, &SCRUBBING, problems);
    let mut patterns = Patterns::default();
    for (nth, rule) in rules.iter().enumerate() {
        let field = at("spec.security.piiScrubbingRules").index(nth);
        check_scrubbing(rule, field, &mut patterns, problems);
    }
    if security.tls_secret_ref.as_ref().is_some_and(|secret| !is_name(&secret.name)) {
        let message = "is no name of a Secret; use lower-case letters, digits, '-' and '.'";
        problems.add(&SECRET, Cause::Invalid, "spec.security.tlsSecretRef.name", message);
    }
    if let Some(key) = &security.encryption_key {
        check_key(key, problems);
    }
}

/// What is switched on has what it needs.
fn check_parts(security: &Security, problems: &mut Problems) {
    let none = |list: Option<usize>| list.unwrap_or_default() == 0;
    for (switch, on, part, is_missing) in [
        ("enableTls", security.enable_tls, "tlsSecretRef", security.tls_secret_ref.is_none()),
        (
            "enableAuthentication",
            security.enable_authentication,
            "authenticationMethods",
            security.authentication_methods.iter().flatten().all(|one| *one == AuthenticationMethod::None),
        ),
        (
            "enableAuthorization",
            security.enable_authorization,
            "authorizationPolicies",
            none(security.authorization_policies.as_ref().map(Vec::len)),
        ),
        (
            "enableAuditLogging",
            security.enable_audit_logging,
            "auditLogPath",
            security.audit_log_path.is_none(),
        ),
        (
            "enablePiiScrubbing",
            security.enable_pii_scrubbing,
            "piiScrubbingRules",
            none(security.pii_scrubbing_rules.as_ref().map(Vec::len)),
        ),
        (
            "enableEncryptionAtRest",
            security.enable_encryption_at_rest,
            "encryptionKey",
            security.encryption_key.is_none(),
        ),
    ] {
        if on == Some(true) && is_missing {
            let message = format!("is required by {switch}; set it");
            problems.add(&NEEDS, Cause::Required, at("spec.security").field(part), message);
        }
    }
}

fn check_policy(policy: &AuthorizationPolicy, field: FieldPath, problems: &mut Problems) {
    for (name, list) in [
        ("allowedRoles", &policy.allowed_roles),
        ("allowedActions", &policy.allowed_actions),
        ("allowedResources", &policy.allowed_resources),
    ] {
        let field = field.clone().field(name);
        if list.is_empty() {
            problems.add(&POLICIES, Cause::Required, field, "is empty; a policy without it allows nothing");
        } else if list.iter().any(|one| one.trim().is_empty()) {
            problems.add(&POLICIES, Cause::Invalid, field, "has a blank entry; remove it");
        }
    }
    for (name, value) in policy.conditions.iter().flatten() {
        if is_credential(name, value) {
            let field = field.clone().field("conditions").key(name);
            problems.add(&CREDENTIALS, Cause::Forbidden, field, IN_THE_CLEAR);
        }
    }
}

fn check_scrubbing(rule: &ScrubbingRule, field: FieldPath, patterns: &mut Patterns, problems: &mut Problems) {
    let pattern = field.clone().field("fieldPattern");
    match rule.field_pattern.is_empty() {
        true => problems.add(&SCRUBBING, Cause::Required, pattern, "is empty; write a regular expression"),
        false => patterns.check(&rule.field_pattern, pattern, &SCRUBBING, problems),
    }
    let replaces = rule.scrubbing_method == ScrubbingMethod::Replace;
    if replaces != rule.replacement.is_some() {
        let message =
            if replaces { "is required by Replace; set it" } else { "is Replace's alone; remove it" };
        problems.add(&SCRUBBING, Cause::Invalid, field.field("replacement"), message);
    }
}

fn check_key(key: &EncryptionKey, problems: &mut Problems) {
    let field = |name: &str| at("spec.security.encryptionKey").field(name);
    refuse_inline(
        field("keyMaterial"),
        key.key_material.as_ref(),
        "keyMaterialSecretRef",
        &CREDENTIALS,
        problems,
    );
    match &key.key_material_secret_ref {
        Some(secret) => secret.check(field("keyMaterialSecretRef"), &SECRET, problems),
        None if key.key_material.is_none() => {
            let message = "is required; name the entry of a Secret with the key";
            problems.add(&SECRET, Cause::Required, field("keyMaterialSecretRef"), message);
        }
        None => {}
    }
    for (name, text) in [("keyId", &key.key_id), ("algorithm", &key.algorithm)] {
        if text.trim().is_empty() {
            problems.add(&NEEDS, Cause::Required, field(name), "is blank; fill it in");
        }
    }
}
