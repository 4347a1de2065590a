//! Upstream's `SecurityConfig`.

use concierge_shared::orasi::{
    AuthenticationMethod, AuthorizationPolicy, EncryptionKey, ScrubbingRule, Security,
};
use serde_json::{Value, json};

use super::secrets::Secrets;

/// `namespace` is that of the Secrets.
pub(super) fn render(given: &Security, namespace: &str, secrets: &mut Secrets) -> Value {
    let tls = given.tls_secret_ref.as_ref();
    let mut file = |key| tls.map(|secret| secrets.file(namespace, &secret.name, key));
    let (certificate, key) = (file("tls.crt"), file("tls.key"));
    let methods = given.authentication_methods.as_deref().unwrap_or(&[AuthenticationMethod::None]);
    let policies = given.authorization_policies.as_deref();
    let scrubbing = given.pii_scrubbing_rules.as_deref();
    let encryption = given.encryption_key.as_ref();
    json!({
        "enable_tls": given.enable_tls.unwrap_or(false),
        "tls_cert_path": certificate,
        "tls_key_path": key,
        "enable_authentication": given.enable_authentication.unwrap_or(false),
        "authentication_methods": methods,
        "enable_authorization": given.enable_authorization.unwrap_or(false),
        "authorization_policies": policies.map(|all| all.iter().map(policy).collect::<Vec<_>>()),
        "enable_audit_logging": given.enable_audit_logging.unwrap_or(false),
        "audit_log_path": given.audit_log_path,
        "enable_pii_scrubbing": given.enable_pii_scrubbing.unwrap_or(false),
        "pii_scrubbing_rules": scrubbing.map(|all| all.iter().map(scrubbing_rule).collect::<Vec<_>>()),
        "data_retention_days": given.data_retention_days.unwrap_or(90),
        "enable_encryption_at_rest": given.enable_encryption_at_rest.unwrap_or(false),
        "encryption_key": encryption.map(|key| encryption_key(key, namespace, secrets)),
    })
}

fn policy(given: &AuthorizationPolicy) -> Value {
    json!({
        "name": given.name,
        "description": given.description,
        "allowed_roles": given.allowed_roles,
        "allowed_actions": given.allowed_actions,
        "allowed_resources": given.allowed_resources,
        "conditions": given.conditions,
    })
}

fn scrubbing_rule(given: &ScrubbingRule) -> Value {
    json!({
        "name": given.name,
        "field_pattern": given.field_pattern,
        "scrubbing_method": given.scrubbing_method,
        "replacement": given.replacement,
    })
}

fn encryption_key(given: &EncryptionKey, namespace: &str, secrets: &mut Secrets) -> Value {
    let material = given.key_material_secret_ref.as_ref();
    json!({
        "key_id": given.key_id,
        "key_material": material.map(|secret| secrets.variable(namespace, secret)).unwrap_or_default(),
        "algorithm": given.algorithm,
        "rotation_interval_days": given.rotation_interval_days,
    })
}
