//! The API server's view: does this chain hold under that bundle, for that name, at that time?

use std::sync::Arc;

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName};

use crate::{bundle::Bundle, ca::unix};

/// Whether a client that trusts exactly the `bundle` (PEM) accepts `chain` (leaf first) as `name` at `now`.
///
/// Ok is a promise about webpki; the API server's Go verifier also checks the anchor's own validity, therefore
/// anchors that are not valid at `now` are left out here.
pub fn trusts(
    bundle: &[u8],
    chain: &[CertificateDer<'static>],
    name: &str,
    now: Timestamp,
) -> Result<(), rustls::Error> {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Err(rustls::Error::NoCertificatesPresented);
    };
    let name = ServerName::try_from(name).map_err(|error| rustls::Error::General(error.to_string()))?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(bundle, now)), crate::provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
    verifier.verify_server_cert(leaf, intermediates, &name, &[], unix(now))?;
    Ok(())
}

/// The anchors of a bundle that are valid at `now`.
pub(crate) fn roots(bundle: &[u8], now: Timestamp) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in Bundle::parse(bundle).certificates().iter().filter(|it| it.usable(now)) {
        if let Err(error) = roots.add(certificate.der().clone()) {
            tracing::debug!(%error, "a certificate in the bundle is not usable as an anchor");
        }
    }
    roots
}
