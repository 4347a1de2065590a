//! The TLS settings that the API server's webhook calls need.

use std::{io, sync::Arc};

use rustls::{
    AlertDescription, ServerConfig,
    server::{NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier},
};

use crate::client_ca::{ClientCa, NamedClients, ServeError};

/// TLS 1.2 and 1.3, HTTP/1.1 only, no resumption (the API server never resumes, and keeps connections), a client
/// certificate demanded if `client_ca` is given.
pub fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    client_ca: Option<ClientCa>,
) -> Result<ServerConfig, ServeError> {
    let clients = match client_ca {
        Some(client_ca) => NamedClients::new(client_ca)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// A short word for the metric of failed handshakes. `bad_certificate` and `unknown_ca` mean that the caller does
/// not trust us.
pub fn alert_label(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::AlertReceived(AlertDescription::BadCertificate)) => "bad_certificate",
        Some(rustls::Error::AlertReceived(AlertDescription::UnknownCA)) => "unknown_ca",
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateExpired)) => "certificate_expired",
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateUnknown)) => "certificate_unknown",
        Some(rustls::Error::AlertReceived(_)) => "other_alert",
        Some(rustls::Error::NoCertificatesPresented) => "no_client_certificate",
        Some(rustls::Error::InvalidCertificate(_)) => "client_certificate",
        Some(_) => "protocol",
        None => "connection",
    }
}
