//! What a Provider's Secrets hold.

use std::collections::BTreeMap;

use concierge_shared::s3::{Provider, Tls};

use crate::{
    aws::{Keys, Trust},
    common::clients::Secrets,
    engine::Failure,
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

pub(super) fn keys(provider: &Provider, secrets: &Secrets) -> Result<Keys, Failure> {
    let mut texts = BTreeMap::new();
    for (field, entry, usual) in provider.spec.auth.entries() {
        let secret = secrets.of(&entry.name)?;
        texts.insert(field, secret.text(entry.key.as_deref().unwrap_or(usual))?.to_owned());
    }
    let mut take = |field| texts.remove(field);
    let id = take("accessKeySecretRef").unwrap_or_default();
    let secret = take("secretKeySecretRef").unwrap_or_default();
    Ok(Keys { id, secret, session: take("sessionTokenSecretRef") })
}

pub(super) fn trust(tls: Option<&Tls>, secrets: &Secrets) -> Result<Trust, Failure> {
    let Some(tls) = tls else { return Ok(Trust::System) };
    if tls.insecure_skip_verify == Some(true) {
        return Ok(Trust::Anyone);
    }
    let Some(ca) = &tls.ca_cert_secret_ref else { return Ok(Trust::System) };
    let pem = secrets.of(&ca.name)?.bytes(ca.key.as_deref().unwrap_or("ca.crt"))?;
    Ok(Trust::Authority(pem.to_vec()))
}
