//! Optional mTLS: only the API server may call.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

/// Who may connect.
#[derive(Clone, Debug, Default)]
pub struct ClientCa {
    /// The authorities of client certificates, PEM.
    pub ca_pem: Vec<u8>,
    /// Common names or DNS names; a client needs one of them. Empty means that the authority's word is enough.
    pub allowed_names: Vec<String>,
}

/// Why there is no TLS server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client CA file is not PEM.
    #[error("the client CA is not readable: {0}; give PEM certificates")]
    ClientCaPem(rustls_pki_types::pem::Error),
    /// The client CA holds nothing to trust.
    #[error("the client CA cannot be used: {0}; give at least one CA certificate")]
    ClientCa(#[from] rustls::server::VerifierBuilderError),
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] Error),
}

/// webpki's verdict, and then the names.
#[derive(Debug)]
pub(crate) struct NamedClients {
    inner: Arc<dyn ClientCertVerifier>,
    allowed: Vec<String>,
}

impl NamedClients {
    pub(crate) fn new(client_ca: ClientCa) -> Result<Arc<Self>, ServeError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&client_ca.ca_pem) {
            roots.add(certificate.map_err(ServeError::ClientCaPem)?)?;
        }
        let inner =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crate::provider()).build()?;
        Ok(Arc::new(Self { inner, allowed: client_ca.allowed_names }))
    }
}

impl ClientCertVerifier for NamedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        let names = names(end_entity);
        if self.allowed.is_empty() || names.iter().any(|name| self.allowed.contains(name)) {
            return Ok(verified);
        }
        tracing::warn!(?names, allowed = ?self.allowed, "refused a client certificate whose names are not allowed");
        Err(Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// The common names and DNS names of a certificate.
fn names(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Vec::new() };
    let common =
        certificate.subject().iter_common_name().filter_map(|it| it.as_str().ok().map(str::to_owned));
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let dns = alternative.iter().flat_map(|it| &it.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    common.chain(dns).collect()
}
