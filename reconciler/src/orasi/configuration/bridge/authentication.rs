//! Upstream's `AuthenticationConfig`.

use concierge_shared::{
    common::SecretKeyRef,
    orasi::{Authentication, OAuth},
};
use serde_json::{Value, json};

use super::secrets::Secrets;

/// `namespace` is that of the Secrets.
pub(super) fn render(given: &Authentication, namespace: &str, secrets: &mut Secrets) -> Value {
    let mut variable =
        |secret: &Option<SecretKeyRef>| secret.as_ref().map(|secret| secrets.variable(namespace, secret));
    let (api_key, password) = (variable(&given.api_key_secret_ref), variable(&given.password_secret_ref));
    let username = given.username.clone().or_else(|| variable(&given.username_secret_ref));
    let oauth = given.oauth.as_ref().map(|oauth| of_oauth(oauth, namespace, secrets));
    let mut file = |secret: &Option<SecretKeyRef>| {
        secret.as_ref().map(|secret| secrets.file(namespace, &secret.name, &secret.key))
    };
    json!({
        "method": given.method,
        "api_key": api_key,
        "username": username,
        "password": password,
        "oauth": oauth,
        "certificate_path": file(&given.certificate_secret_ref),
        "private_key_path": file(&given.private_key_secret_ref),
    })
}

fn of_oauth(given: &OAuth, namespace: &str, secrets: &mut Secrets) -> Value {
    let secret = given.client_secret_ref.as_ref().map(|secret| secrets.variable(namespace, secret));
    json!({
        "client_id": given.client_id,
        "client_secret": secret.unwrap_or_default(),
        "token_endpoint": given.token_endpoint,
        "scopes": given.scopes.as_deref().unwrap_or_default(),
        "redirect_uri": given.redirect_uri,
    })
}
