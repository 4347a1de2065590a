//! A replica's own certificate: short-lived, in memory, signed by the shared authority.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use crate::{
    ca::{BACKDATE_FOLLOWING, CaError, Certificate, Pair, serial, set_validity},
    clock::{between, earlier, later},
    verify::trusts,
};

/// Why no leaf came about.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// Signing failed.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// A name cannot stand in a certificate.
    #[error("a leaf cannot be made for {names:?}: {source}")]
    Names {
        /// The names asked for.
        names: Vec<String>,
        /// Which and why.
        source: rcgen::Error,
    },
    /// What was signed would not be accepted; it never gets served.
    #[error("the new leaf does not verify and is not served: {0}")]
    Unproven(#[from] rustls::Error),
}

/// A leaf that has proved loadable and that verifies against its issuer.
#[derive(Clone)]
pub struct Leaf {
    issuer: Certificate,
    certificate: Certificate,
    key: Arc<CertifiedKey>,
    renew_at: Timestamp,
}

impl Leaf {
    /// Signs a leaf for `names` (the first is the one it is proved for; addresses are allowed).
    ///
    /// It never outlives its issuer. `jitter` in 0..1 moves the renewal forward by up to a tenth of the life, so
    /// that replicas do not all renew in the same second.
    pub fn sign(
        issuer: &Pair,
        names: &[String],
        validity: Duration,
        now: Timestamp,
        jitter: f64,
    ) -> Result<Self, LeafError> {
        let authority = issuer.certificate();
        let start = now.max(authority.not_before());
        let end = later(start, validity).min(authority.not_after());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::from)?;
        let mut params = params(names)?;
        set_validity(&mut params, earlier(start, BACKDATE_FOLLOWING).max(authority.not_before()), end);
        let signed = params.signed_by(&key, &issuer.issuer()?).map_err(CaError::from)?;
        let certificate = Certificate::from_der(signed.der().clone())?;
        let key = loadable(&certificate, &key)?;
        let name = names.first().map_or("", String::as_str);
        trusts(authority.pem().as_bytes(), &key.cert, name, start)?;
        let renew_at = later(start, between(start, end).mul_f64(2.0 / 3.0 - jitter.clamp(0.0, 1.0) / 10.0));
        Ok(Self { issuer: authority.clone(), certificate, key: Arc::new(key), renew_at })
    }

    /// The authority that signed it.
    pub fn issuer(&self) -> &Certificate {
        &self.issuer
    }

    /// The leaf itself.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What the TLS server presents.
    pub fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// When a new one is due, two thirds into its life.
    pub fn renew_at(&self) -> Timestamp {
        self.renew_at
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("certificate", &self.certificate).field("issuer", &self.issuer).finish()
    }
}

fn params(names: &[String]) -> Result<CertificateParams, LeafError> {
    let mut params =
        CertificateParams::new(names).map_err(|source| LeafError::Names { names: names.to_vec(), source })?;
    let serial = serial()?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    // A common name holds 64 characters at most; names are in the SANs anyway.
    params.distinguished_name.push(DnType::CommonName, "concierge-webhook");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn loadable(certificate: &Certificate, key: &KeyPair) -> Result<CertifiedKey, rustls::Error> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = CertifiedKey::from_der(vec![certificate.der().clone()], key, &crate::provider())?;
    key.keys_match()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use x509_parser::{certificate::X509Certificate, prelude::FromDer};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn authority(now: Timestamp) -> Pair {
        Pair::generate("hook.system.svc", 365 * DAY, now, None).unwrap()
    }

    fn sign(authority: &Pair, now: Timestamp, jitter: f64) -> Leaf {
        let names = ["hook.system.svc", "hook.system.svc.cluster.local", "127.0.0.1"].map(str::to_owned);
        Leaf::sign(authority, &names, 7 * DAY, now, jitter).unwrap()
    }

    #[test]
    fn a_leaf_lives_seven_days_and_is_renewed_at_two_thirds_or_a_little_earlier() {
        let now = at("2026-03-01T00:00:00Z");
        let authority = authority(at("2026-01-01T00:00:00Z"));
        let leaf = sign(&authority, now, 0.0);
        assert_eq!(leaf.certificate().not_after(), at("2026-03-08T00:00:00Z"));
        assert_eq!(between(now, leaf.renew_at()).as_secs(), 7 * 24 * 3600 * 2 / 3);
        let early = sign(&authority, now, 1.0);
        assert_eq!(between(early.renew_at(), leaf.renew_at()).as_secs_f64().round(), 7.0 * 86400.0 / 10.0);
    }

    #[test]
    fn a_leaf_never_outlives_nor_predates_its_issuer() {
        let authority = authority(at("2026-01-01T00:00:00Z"));
        let late = sign(&authority, at("2026-12-30T00:00:00Z"), 0.5);
        assert_eq!(late.certificate().not_after(), authority.certificate().not_after());
        let early = sign(&authority, at("2025-06-01T00:00:00Z"), 0.5);
        assert_eq!(early.certificate().not_before(), authority.certificate().not_before());
        assert!(early.certificate().not_after() > early.certificate().not_before());
    }

    #[test]
    fn a_leaf_is_for_servers_has_all_names_and_a_serial_of_its_own() {
        let now = at("2026-03-01T00:00:00Z");
        let authority = authority(now);
        let leaves = [sign(&authority, now, 0.5), sign(&authority, now, 0.5)];
        let parsed: Vec<_> =
            leaves.iter().map(|it| X509Certificate::from_der(it.certificate().der()).unwrap().1).collect();
        assert_ne!(parsed[0].raw_serial(), parsed[1].raw_serial());
        assert_eq!(parsed[0].subject_alternative_name().unwrap().unwrap().value.general_names.len(), 3);
        let usage = parsed[0].extended_key_usage().unwrap().unwrap().value;
        assert!(usage.server_auth && !usage.client_auth && !parsed[0].is_ca());
        for leaf in &leaves {
            let bundle = authority.certificate().pem();
            let name = "hook.system.svc.cluster.local";
            trusts(bundle.as_bytes(), &leaf.key().cert, name, now).unwrap();
        }
    }

    #[test]
    fn an_impossible_name_is_an_error_that_shows_it() {
        let now = at("2026-03-01T00:00:00Z");
        let error = Leaf::sign(&authority(now), &["hö.svc".to_owned()], DAY, now, 0.5).unwrap_err();
        assert!(error.to_string().contains("hö.svc"), "{error}");
    }
}
