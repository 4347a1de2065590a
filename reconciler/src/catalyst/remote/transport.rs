//! Carries a request to a server: by sockets, or by a fake in a test.

use std::{error::Error, fmt, net::SocketAddr, sync::Arc, time::Duration};

use concierge_shared::catalyst::is_internal_ip;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use reqwest::{
    Method, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::HeaderMap,
};

use crate::{common::http, engine::Failure};

/// How an operator permits calls to internal addresses, for messages.
pub(super) const ALLOW: &str = "an operator can allow it (rules.catalyst.allowInternalRepositories)";

/// What may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses outside of the cluster and its network, over TLS.
    Outside,
    /// Every address: an operator has named the server, or permitted internal ones.
    Anywhere,
}

/// One request, without a body.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    /// Sensitive ones are marked as such.
    pub headers: HeaderMap,
}

/// The head of an answer, and what follows as it comes.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Its body in parts; an error when it broke off, and why.
    pub body: BoxStream<'static, Result<Vec<u8>, String>>,
}

/// Carries requests. Each is sent once, and redirects are not followed.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`, if `reach` permits the address.
    ///
    /// # Errors
    /// [`Failure::NeverSent`] when there was no connection, [`Failure::Transient`] when no answer came, [`Failure::Invalid`] when the
    /// address may not be called.
    fn send(&self, reach: Reach, request: Request) -> BoxFuture<'_, Result<Answer, Failure>>;
}

/// HTTP over sockets, with TLS by the machine's trusted certificates.
pub struct Sockets {
    outside: reqwest::Client,
    anywhere: reqwest::Client,
}

impl Sockets {
    /// With `connect` as the time-out of connections.
    ///
    /// # Errors
    /// When the machine's trust store can't be read.
    pub fn new(connect: Duration) -> Result<Self, reqwest::Error> {
        let outside = reqwest::Client::builder().dns_resolver(Arc::new(OutsideOnly));
        Ok(Self {
            outside: http::client(outside, connect)?,
            anywhere: http::client(reqwest::Client::builder(), connect)?,
        })
    }
}

impl Transport for Sockets {
    fn send(&self, reach: Reach, request: Request) -> BoxFuture<'_, Result<Answer, Failure>> {
        async move {
            let client = if reach == Reach::Outside { &self.outside } else { &self.anywhere };
            let Request { method, url, headers } = request;
            let response = client.request(method, url).headers(headers).send().await.map_err(lost)?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = stream::unfold(Some(response), |response| async {
                let mut response = response?;
                match response.chunk().await {
                    Ok(chunk) => Some((Ok(chunk?.to_vec()), Some(response))),
                    Err(error) => Some((Err(http::innermost(&error).to_string()), None)),
                }
            });
            Ok(Answer { status, headers, body: body.boxed() })
        }
        .boxed()
    }
}

fn lost(error: reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(found) = cause {
        if found.is::<Internal>() {
            return Failure::Invalid(found.to_string());
        }
        cause = found.source();
    }
    http::failure(error).of_a_read()
}

/// Resolves names to addresses outside of the cluster and its network, and to no others.
struct OutsideOnly;

impl Resolve for OutsideOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(outside(&found)?.into_iter()) as Addrs)
        })
    }
}

/// Those of `found` that may be called.
fn outside(found: &[SocketAddr]) -> Result<Vec<SocketAddr>, Internal> {
    let outside: Vec<_> = found.iter().copied().filter(|address| !is_internal_ip(address.ip())).collect();
    if outside.is_empty() && !found.is_empty() { Err(Internal) } else { Ok(outside) }
}

/// A name has no address that may be called.
#[derive(Debug)]
struct Internal;

impl fmt::Display for Internal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host's name leads into the cluster or its network; {ALLOW}")
    }
}

impl Error for Internal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets() -> Sockets {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Sockets::new(Duration::from_secs(2)).unwrap()
    }

    /// A public name with an internal address, which the owner of the name can set.
    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_called() {
        let (inside, beyond) = ("10.0.0.1:443".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
        assert_eq!(outside(&[inside, beyond]).unwrap(), [beyond]);
        assert!(outside(&[inside]).is_err());
        assert!(outside(&[]).unwrap().is_empty());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = Url::parse(&format!("http://localhost:{port}/")).unwrap();
        let request = Request { method: Method::GET, url, headers: HeaderMap::new() };
        let failure = sockets().send(Reach::Outside, request.clone()).await.err();
        let told = |failure: &Failure| matches!(failure, Failure::Invalid(message) if message.contains("leads into"));
        assert!(failure.as_ref().is_some_and(told), "{failure:?}");
        assert!(listener.accept().is_err(), "it was called");
        drop(listener);
        let failure = sockets().send(Reach::Anywhere, request).await.err();
        assert!(matches!(failure, Some(Failure::NeverSent(_))), "{failure:?}");
    }
}
