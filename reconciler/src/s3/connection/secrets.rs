//! What a Provider's Secrets hold.

use std::collections::BTreeMap;

use concierge_shared::s3::{Provider, Tls};

use crate::{
    aws::{Keys, Trust},
    engine::{Context, Failure, Secret},
};

/// The Secrets that a Provider names, each read once.
pub(in crate::s3) fn secrets_of(provider: &Provider) -> Vec<(String, String)> {
    let namespace = provider.metadata.namespace.clone().unwrap_or_default();
    let ca = provider.spec.tls.as_ref().and_then(|tls| tls.ca_cert_secret_ref.as_ref()).map(|ca| &ca.name);
    let names = provider.spec.auth.entries().map(|(_, entry, _)| &entry.name).chain(ca);
    let mut names: Vec<_> = names.map(|name| (namespace.clone(), name.clone())).collect();
    names.sort();
    names.dedup();
    names
}

pub(super) async fn read(
    ctx: &Context,
    namespace: &str,
    provider: &Provider,
) -> Result<BTreeMap<String, Secret>, Failure> {
    let mut secrets = BTreeMap::new();
    for (_, name) in secrets_of(provider) {
        let secret = ctx.secret(namespace, &name).await?;
        secrets.insert(name, secret);
    }
    Ok(secrets)
}

pub(super) fn keys(provider: &Provider, secrets: &BTreeMap<String, Secret>) -> Result<Keys, Failure> {
    let mut texts = BTreeMap::new();
    for (field, entry, usual) in provider.spec.auth.entries() {
        let secret = secrets.get(&entry.name).ok_or_else(|| missing(&entry.name))?;
        texts.insert(field, secret.text(entry.key.as_deref().unwrap_or(usual))?.to_owned());
    }
    let mut take = |field| texts.remove(field);
    let id = take("accessKeySecretRef").unwrap_or_default();
    let secret = take("secretKeySecretRef").unwrap_or_default();
    Ok(Keys { id, secret, session: take("sessionTokenSecretRef") })
}

pub(super) fn trust(tls: Option<&Tls>, secrets: &BTreeMap<String, Secret>) -> Result<Trust, Failure> {
    let Some(tls) = tls else { return Ok(Trust::System) };
    if tls.insecure_skip_verify == Some(true) {
        return Ok(Trust::Anyone);
    }
    let Some(ca) = &tls.ca_cert_secret_ref else { return Ok(Trust::System) };
    let secret = secrets.get(&ca.name).ok_or_else(|| missing(&ca.name))?;
    let key = ca.key.as_deref().unwrap_or("ca.crt");
    let pem = secret.bytes(key);
    let pem = pem
        .ok_or_else(|| Failure::DependencyMissing(format!("Secret {} has no key {key}; add it", ca.name)))?;
    Ok(Trust::Authority(pem.to_vec()))
}

fn missing(secret: &str) -> Failure {
    Failure::DependencyMissing(format!("Secret {secret} does not exist; create it"))
}
