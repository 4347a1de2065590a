//! One certificate authority: its certificate, and its key where we hold it.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::clock::{earlier, later};

/// The organization in the subject of every authority made here; a bundle's own certificates are told from
/// foreign ones by it.
pub(crate) const ORGANIZATION: &str = "concierge.dev";

/// Lines end as everywhere else in Kubernetes.
const LF: pem::EncodeConfig = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);

/// How far a first certificate's validity reaches back: API servers' clocks differ a little.
pub(crate) const BACKDATE: Duration = Duration::from_secs(5 * 60);

/// How far the validity of a certificate that has a predecessor or an issuer reaches back at most (never before
/// the start of that one). If the clocks jump forward by days, certificates are signed, and the clocks jump back
/// again, they are still valid.
pub(crate) const BACKDATE_FOLLOWING: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a certificate or its key is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// No certificate in the text.
    #[error("no readable PEM certificate: {0}")]
    Pem(rustls_pki_types::pem::Error),
    /// Not X.509.
    #[error("not an X.509 certificate: {0}")]
    X509(String),
    /// The key does not belong to the certificate, or has an unknown form.
    #[error("the private key does not belong to the certificate: {0}")]
    Key(#[source] rustls::Error),
    /// The library refused to generate or sign.
    #[error("cannot generate a certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// The system has no random numbers.
    #[error("no random numbers for a serial number")]
    Random,
}

/// A certificate, parsed once. Equality is that of the DER bytes.
#[derive(Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    not_before: Timestamp,
    not_after: Timestamp,
    ours: bool,
}

impl Certificate {
    /// The first certificate in a PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CaError> {
        Self::from_der(CertificateDer::from_pem_slice(pem).map_err(CaError::Pem)?)
    }

    /// Parses what expiry and ownership need; verifies no signature.
    pub fn from_der(der: CertificateDer<'static>) -> Result<Self, CaError> {
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|error| CaError::X509(error.to_string()))?;
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| CaError::X509(error.to_string()))
        };
        let not_before = time(parsed.validity().not_before)?;
        let not_after = time(parsed.validity().not_after)?;
        let ours = parsed.subject().iter_organization().any(|name| name.as_str() == Ok(ORGANIZATION));
        Ok(Self { der, not_before, not_after, ours })
    }

    /// The certificate's bytes.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// First second of validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Last second of validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Within its validity at `now`.
    pub fn usable(&self, now: Timestamp) -> bool {
        self.not_before <= now && !self.expired(now)
    }

    /// Past its validity at `now`.
    pub fn expired(&self, now: Timestamp) -> bool {
        self.not_after <= now
    }

    /// Made by this crate (as opposed to an operator's or another tool's).
    pub fn ours(&self) -> bool {
        self.ours
    }

    /// RFC 7468 text, one certificate.
    pub fn pem(&self) -> String {
        pem::encode_config(&pem::Pem::new("CERTIFICATE", self.der.to_vec()), LF)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} until {})", self.not_before, self.not_after)
    }
}

/// A CA certificate with its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    certificate: Certificate,
    key_pem: String,
}

impl Pair {
    /// Generates a self-signed ECDSA P-256 authority for `name` that lives until `validity` after `now`.
    pub fn generate(
        name: &str,
        validity: Duration,
        now: Timestamp,
        predecessor: Option<&Certificate>,
    ) -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        let serial = serial()?;
        params.distinguished_name = subject(name, &serial);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, starts(now, predecessor), later(now, validity));
        let certificate = Certificate::from_der(params.self_signed(&key)?.der().clone())?;
        Ok(Self { certificate, key_pem: key.serialize_pem() })
    }

    /// Reads a stored pair back and proves that key and certificate belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CaError> {
        let certificate = Certificate::from_pem(certificate)?;
        let der = PrivateKeyDer::from_pem_slice(key).map_err(CaError::Pem)?;
        rustls::sign::CertifiedKey::from_der(vec![certificate.der.clone()], der, &crate::provider())
            .map_err(CaError::Key)?;
        let key_pem = String::from_utf8_lossy(key).into_owned();
        Ok(Self { certificate, key_pem })
    }

    /// The certificate alone.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key as PKCS#8 PEM, for the Secret and nothing else.
    pub(crate) fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Ready to sign.
    pub(crate) fn issuer(&self) -> Result<Issuer<'static, KeyPair>, CaError> {
        Ok(Issuer::from_ca_cert_der(&self.certificate.der, KeyPair::from_pem(&self.key_pem)?)?)
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("certificate", &self.certificate).field("key", &"redacted").finish()
    }
}

/// 127 random bits, positive and never zero in front, as RFC 5280 wants them.
pub(crate) fn serial() -> Result<[u8; 16], CaError> {
    let mut bytes = [0; 16];
    crate::provider().secure_random.fill(&mut bytes).map_err(|_| CaError::Random)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(bytes)
}

/// Sets the validity; whole seconds, never before 1970.
pub(crate) fn set_validity(params: &mut CertificateParams, from: Timestamp, to: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(from);
    params.not_after = epoch + since_epoch(to);
}

/// Seconds since 1970 as the verifier wants them.
pub(crate) fn unix(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(since_epoch(time))
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0))
}

fn starts(now: Timestamp, predecessor: Option<&Certificate>) -> Timestamp {
    let first = earlier(now, BACKDATE);
    predecessor.map_or(first, |it| earlier(now, BACKDATE_FOLLOWING).max(it.not_before()).min(first))
}

fn subject(name: &str, serial: &[u8; 16]) -> DistinguishedName {
    // Every authority has a subject of its own: verifiers look anchors up by subject.
    let tail: String = serial[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANIZATION);
    subject.push(DnType::CommonName, format!("{name} CA {tail}"));
    subject
}
