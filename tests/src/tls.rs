//! TLS in front of a service, with a certificate that nobody vouches for.

use std::sync::Arc;

use anyhow::Result;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The service at `to` behind TLS, until the runtime ends: its address, and the certificate that it shows.
pub async fn behind_tls(to: &str) -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
    let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], der)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    tokio::spawn(pass_on(listener, TlsAcceptor::from(Arc::new(config)), to.to_owned()));
    Ok((url, certificate.pem()))
}

async fn pass_on(listener: TcpListener, acceptor: TlsAcceptor, to: String) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, to) = (acceptor.clone(), to.clone());
        tokio::spawn(async move {
            // A client that does not believe the certificate ends here.
            let Ok(mut inside) = acceptor.accept(stream).await else { return };
            let Ok(mut service) = TcpStream::connect(to).await else { return };
            let _ = tokio::io::copy_bidirectional(&mut inside, &mut service).await;
        });
    }
}
