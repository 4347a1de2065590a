//! The transport that uses sockets.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Method, Url};
use rustls_platform_verifier::BuilderVerifierExt;

use super::operation::Verb;
use super::transport::{Answer, Failure, Request, Transport};
use crate::common::http::{self, Broken};

/// How to reach a shop.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Such as `https://api.terminal.shop`, with or without a path to put before every operation.
    pub base_url: Url,
    /// Time for name lookup, TCP and TLS together. Default 5 s.
    pub connect_timeout: Duration,
    /// Longest answer read, in bytes. Default 8 MiB.
    pub answer_limit: usize,
}

impl HttpSettings {
    /// The defaults for a base URL.
    pub fn new(base_url: Url) -> Self {
        Self { base_url, connect_timeout: Duration::from_secs(5), answer_limit: 8 << 20 }
    }
}

/// Why no transport can be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The base URL is of no use.
    #[error("the shop's base URL must begin with http:// or https:// and hold no user, query or fragment")]
    BaseUrl,
    /// The system's trusted certificates cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// Sends over HTTP/1.1, TLS by the system's trusted certificates. Plain `http://` works, with a warning unless
/// it stays on this machine.
///
/// A POST always gets a connection of its own: on a kept one that the shop is just closing, a request that
/// never arrived looks the same as one that was lost half-way.
pub struct Http {
    base: String,
    kept: reqwest::Client,
    fresh: reqwest::Client,
    limit: usize,
}

impl Http {
    /// A transport to one shop.
    pub fn new(settings: &HttpSettings) -> Result<Self, HttpError> {
        let HttpSettings { base_url, connect_timeout, answer_limit } = settings;
        check(base_url)?;
        let tls = tls(base_url)?;
        let client = |kept: usize| {
            let builder = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .pool_max_idle_per_host(kept)
                .http1_only();
            http::client(builder, *connect_timeout)
        };
        let base = base_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base, kept: client(4)?, fresh: client(0)?, limit: *answer_limit })
    }

    async fn exchange(&self, request: Request) -> Result<Answer, Failure> {
        let (client, method) = match request.verb() {
            Verb::Get => (&self.kept, Method::GET),
            Verb::Put => (&self.kept, Method::PUT),
            Verb::Delete => (&self.kept, Method::DELETE),
            Verb::Post => (&self.fresh, Method::POST),
        };
        let mut builder =
            client.request(method, format!("{}{}", self.base, request.path)).headers(headers(&request)?);
        if let Some(body) = request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = builder
            .send()
            .await
            .map_err(|error| http::never_sent(&error).map_or(Failure::Lost, Failure::NeverSent))?;
        let header = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (status, retry_after, date) = (response.status().as_u16(), header(RETRY_AFTER), header(DATE));
        let body = http::body(response, self.limit).await.map_err(|broken| match broken {
            Broken::Lost(_) => Failure::Lost,
            Broken::TooLong => Failure::TooLong,
        })?;
        Ok(Answer { status, retry_after, date, body })
    }
}

impl Transport for Http {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.exchange(request).boxed()
    }
}

fn check(base: &Url) -> Result<(), HttpError> {
    let web = matches!(base.scheme(), "http" | "https") && base.has_host();
    let bare = base.username().is_empty() && base.password().is_none();
    if !web || !bare || base.query().is_some() || base.fragment().is_some() {
        return Err(HttpError::BaseUrl);
    }
    if base.scheme() == "http" && !is_local(base) {
        tracing::warn!(
            host = base.host_str(),
            "the shop is reached without TLS: its token can be read on the way"
        );
    }
    Ok(())
}

fn is_local(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The system's trust for https. Plain http needs none, and must work where the system has none.
fn tls(base: &Url) -> Result<rustls::ClientConfig, rustls::Error> {
    let builder = http::tls()?;
    Ok(match base.scheme() {
        "https" => builder.with_platform_verifier()?.with_no_client_auth(),
        _ => builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
    })
}

fn headers(request: &Request) -> Result<HeaderMap, Failure> {
    let bearer = format!("Bearer {}", request.token.expose());
    let mut bearer = HeaderValue::from_str(&bearer)
        .map_err(|_| Failure::NeverSent("the token holds characters that no token has".to_owned()))?;
    bearer.set_sensitive(true);
    let accept = (ACCEPT, HeaderValue::from_static("application/json"));
    Ok(HeaderMap::from_iter([(AUTHORIZATION, bearer), accept]))
}
