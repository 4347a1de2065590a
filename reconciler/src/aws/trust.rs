//! Whose certificates a provider may show.

use std::time::Duration;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::common::http;

/// Whose certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those of the authorities that this machine trusts.
    #[default]
    System,
    /// Those of the authorities in this PEM text, and no others.
    Authority(Vec<u8>),
    /// Any: the service, and whoever is in between, can be anybody.
    Anyone,
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The text holds no certificate that can be used.
    #[error("the CA bundle holds no certificate in PEM form that can be used")]
    NoCertificate,
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client can't be made.
    #[error("the HTTP client can't be set up: {0}")]
    Client(#[from] reqwest::Error),
}

impl Trust {
    /// A client that keeps up to `kept` idle connections to each host.
    pub(super) fn client(&self, connect: Duration, kept: usize) -> Result<reqwest::Client, TrustError> {
        // A proxy sees what is sent and can answer in the service's place, so none is taken from the environment.
        let builder =
            reqwest::Client::builder().no_proxy().referer(false).http1_only().pool_max_idle_per_host(kept);
        let builder = match self {
            Trust::Anyone => builder.tls_danger_accept_invalid_certs(true),
            Trust::System => builder.tls_backend_preconfigured(system()?),
            Trust::Authority(pem) => builder.tls_backend_preconfigured(authority(pem)?),
        };
        Ok(http::client(builder, connect)?)
    }
}

fn system() -> Result<ClientConfig, TrustError> {
    Ok(http::tls()?.with_platform_verifier()?.with_no_client_auth())
}

fn authority(pem: &[u8]) -> Result<ClientConfig, TrustError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let mut roots = RootCertStore::empty();
    let (added, ignored) =
        roots.add_parsable_certificates(certificates.map_err(|_| TrustError::NoCertificate)?);
    // A bundle that is believed in part would fail later, at whichever service the ignored part was for.
    if added == 0 || ignored > 0 {
        return Err(TrustError::NoCertificate);
    }
    Ok(http::tls()?.with_root_certificates(roots).with_no_client_auth())
}
