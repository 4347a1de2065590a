//! A TLS handshake with our own server, trusting exactly what the API server trusts.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rustls::{ClientConfig, time_provider::TimeProvider};
use rustls_pki_types::{ServerName, UnixTime};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{ca::unix, verify::roots};

/// Connecting and shaking hands on the own machine takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a server cannot be reached as the API server would.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Not a DNS name.
    #[error("`{0}` is not a server name; check the Service and Namespace names")]
    Name(String),
    /// No connection, or the certificate does not verify.
    #[error("TLS self-dial of {addr} as `{name}` failed: {source}")]
    Handshake {
        /// Where.
        addr: SocketAddr,
        /// The name verified.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// No handshake in time.
    #[error("TLS self-dial of {0} did not finish in {PATIENCE:?}; is the server accepting connections?")]
    Slow(SocketAddr),
    /// The provider lacks something; a bug.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Connects to `addr` (an unspecified address means the loopback one) and verifies the server as `name` with
/// `bundle` (PEM) at `now`. Sends no request; a server that also wants a client certificate counts as reached.
pub async fn self_dial(addr: SocketAddr, bundle: &[u8], name: &str, now: Timestamp) -> Result<(), DialError> {
    let server = ServerName::try_from(name.to_owned()).map_err(|_| DialError::Name(name.to_owned()))?;
    let config = ClientConfig::builder_with_details(crate::provider(), Arc::new(At(unix(now))))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(bundle, now))
        .with_no_client_auth();
    let addr = reachable(addr);
    let connect = async {
        let stream = TcpStream::connect(addr).await?;
        TlsConnector::from(Arc::new(config)).connect(server, stream).await.map(drop)
    };
    let handshake = timeout(PATIENCE, connect).await.map_err(|_| DialError::Slow(addr))?;
    handshake.map_err(|source| DialError::Handshake { addr, name: name.to_owned(), source })
}

fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// A clock that stands still: the time the API server told.
#[derive(Debug)]
struct At(UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}
