//! HTTP as a group's client uses it: one request is sent once, and what came of it is a [`Failure`] or a reply.

use std::{error::Error, sync::Arc, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier, crypto::CryptoProvider};
use serde::de::DeserializeOwned;

use crate::engine::{Failure, note_status, retry::LONGEST_PAUSE};

/// The largest answer that is read.
const LARGEST: usize = 8 << 20;
/// A service that closes idle connections sooner than this makes calls ambiguous that were merely unlucky.
pub(crate) const IDLE: Duration = Duration::from_secs(15);

/// A client that sends each request once: no retries, no redirects, and no proxy of the environment, which would see the keys and could
/// answer in the service's place. Time-outs of whole calls are the engine's. A connection that does not
/// come about within `connect` is known never to have carried a call, so it has to be shorter than they are.
///
/// # Errors
/// When the machine's trust store can't be read.
pub(crate) fn client(
    builder: reqwest::ClientBuilder,
    connect: Duration,
) -> Result<reqwest::Client, reqwest::Error> {
    builder
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("concierge/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// TLS by the process's crypto provider, ring unless it chose another. Whose certificates are believed is to be added.
///
/// # Errors
/// When the provider has none of the protocol's versions.
pub(crate) fn tls() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    let ring = || Arc::new(rustls::crypto::ring::default_provider());
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(ring);
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Sends `request`.
///
/// # Errors
/// [`Failure::NeverSent`] when there was no connection; [`Failure::Ambiguous`] for everything later, which
/// [`Context::read`](crate::engine::Context::read) takes for [`Failure::Transient`].
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Reply, Failure> {
    read(request.send().await.map_err(failure)?).await
}

/// Reads an answer to its end.
///
/// # Errors
/// [`Failure::Ambiguous`] when it has none that can be read.
pub(crate) async fn read(response: reqwest::Response) -> Result<Reply, Failure> {
    let (status, headers) = (response.status(), response.headers().clone());
    note_status(status.as_u16());
    match body(response, LARGEST).await {
        Ok(body) => Ok(Reply { status, headers, body }),
        Err(Broken::TooLong) => Err(Failure::Ambiguous(format!("the answer is larger than {LARGEST} bytes"))),
        Err(Broken::Lost(cause)) => Err(Failure::Ambiguous(format!("the call broke off: {cause}"))),
    }
}

/// Why an answer could not be read to its end.
pub(crate) enum Broken {
    /// The connection ended before; why.
    Lost(String),
    /// It is longer than the limit.
    TooLong,
}

/// The body of `response`, if it has no more than `most` bytes.
pub(crate) async fn body(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>, Broken> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| Broken::Lost(innermost(&error).to_string()))?
    {
        if body.len() + chunk.len() > most {
            return Err(Broken::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What it means that no answer came.
pub(crate) fn failure(error: reqwest::Error) -> Failure {
    // The address may hold what nobody is to read.
    let error = error.without_url();
    match never_sent(&error) {
        Some(cause) => Failure::NeverSent(cause),
        None => Failure::Ambiguous(format!("the call broke off: {}", innermost(&error))),
    }
}

/// Why nothing of the request left, if that is certain: the request could not be built, no connection came about, or it closed
/// before hyper took the request up. All other errors prove nothing.
pub(crate) fn never_sent(error: &reqwest::Error) -> Option<String> {
    let mut unsent = error.is_builder() || error.is_connect();
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
        unsent |= cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
    }
    match unsent {
        true if error.is_timeout() => Some("no connection in time".to_owned()),
        true => Some(format!("no connection: {cause}")),
        false => None,
    }
}

/// Whether no connection came about only because no authority that is believed here has signed the service's certificate.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    use rustls::{CertificateError, Error as Tls};
    if let Some(Tls::InvalidCertificate(why)) = error.downcast_ref() {
        return matches!(why, CertificateError::UnknownIssuer | CertificateError::Other(_));
    }
    // What an error of I/O was made of is not its source.
    let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let within = within.map(|within| within as &(dyn Error + 'static));
    within.or_else(|| error.source()).is_some_and(is_untrusted)
}

pub(crate) fn innermost(error: &dyn Error) -> &dyn Error {
    error.source().map_or(error, innermost)
}

impl Reply {
    /// The body as `T`, if the status says success.
    ///
    /// # Errors
    /// As [`Reply::failure`]; [`Failure::Ambiguous`] when the body is not a `T`.
    pub(crate) fn json<T: DeserializeOwned>(&self, operation: &str, now: Timestamp) -> Result<T, Failure> {
        self.success(operation, now)?;
        serde_json::from_slice(&self.body)
            .map_err(|_| Failure::Ambiguous(format!("{operation} was answered with what can't be read")))
    }

    /// `Ok` if the status says success.
    ///
    /// # Errors
    /// As [`Reply::failure`].
    pub(crate) fn success(&self, operation: &str, now: Timestamp) -> Result<(), Failure> {
        match self.status.is_success() {
            true => Ok(()),
            false => Err(self.failure(operation, "", now)),
        }
    }

    /// What an answer without success means. `said` is what the service said about it, if that is fit for users.
    pub(crate) fn failure(&self, operation: &str, said: &str, now: Timestamp) -> Failure {
        let colon = if said.is_empty() { "" } else { ": " };
        let message = format!("{operation} was answered {}{colon}{said}", self.status.as_u16());
        match self.status.as_u16() {
            401 => Failure::Auth(message),
            409 | 412 => Failure::Conflict(message),
            429 => Failure::Throttled { message, retry_after: retry_after(&self.headers, now) },
            501 => Failure::Unsupported(message),
            // The service gave up waiting for the request; nobody knows what it does with what it got.
            408 => Failure::Ambiguous(message),
            300..=499 => Failure::Invalid(message),
            _ => Failure::Ambiguous(message),
        }
    }
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    pause(text(RETRY_AFTER)?, text(DATE).and_then(http_date).or(Some(now)))
}

/// How long a service asks to be left alone by `Retry-After`, in seconds or until a date by its own clock, which says `now`;
/// no longer than [`LONGEST_PAUSE`].
pub(crate) fn pause(retry_after: &str, now: Option<Timestamp>) -> Option<Duration> {
    let text = retry_after.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::try_from(http_date(text)?.duration_since(now?)).unwrap_or_default(),
    };
    Some(wait.min(LONGEST_PAUSE))
}

/// A date as HTTP writes it.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply { status, headers: HeaderMap::new(), body: Vec::new() }
    }

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn statuses_fall_into_classes() {
        let class = |status| reply(status).failure("GET /", "", now()).reason().as_str();
        assert_eq!(class(401), "Unauthorised");
        assert_eq!(class(403), "Refused");
        assert_eq!(class(409), "Conflict");
        assert_eq!(class(422), "Refused");
        assert_eq!(class(429), "Throttled");
        assert_eq!(class(500), "Ambiguous");
        assert_eq!(class(503), "Ambiguous");
        assert_eq!(class(302), "Refused");
    }

    #[test]
    fn patience_is_asked_for_in_seconds_or_until_a_date() {
        let asks = |text: &str| {
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            retry_after(&headers, now()).map(|wait| wait.as_secs())
        };
        assert_eq!(asks("17"), Some(17));
        assert_eq!(asks("Sat, 21 Nov 2026 12:01:00 GMT"), Some(60));
        assert_eq!(asks("Sat, 21 Nov 2026 11:01:00 GMT"), Some(0));
        assert_eq!(asks("soon"), None);
        assert_eq!(asks("18446744073709551615"), Some(3600));
        assert_eq!(asks("Sat, 21 Nov 2099 12:01:00 GMT"), Some(3600));
    }

    #[tokio::test]
    async fn a_closed_port_means_never_sent() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = client(reqwest::Client::builder(), Duration::from_secs(2)).unwrap();
        let sent = send(client.post(format!("http://127.0.0.1:{port}/"))).await;
        assert!(matches!(sent, Err(Failure::NeverSent(_))), "{sent:?}");
    }

    #[tokio::test]
    async fn nobody_comes_between_us_and_a_service() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        proxy.set_nonblocking(true).unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let through = reqwest::Proxy::all(format!("http://{}", proxy.local_addr().unwrap())).unwrap();
        let builder = reqwest::Client::builder().proxy(through);
        let client = client(builder, Duration::from_secs(2)).unwrap();
        let sent = client.get(format!("http://{closed}/")).timeout(Duration::from_secs(2)).send().await;
        assert!(sent.unwrap_err().is_connect());
        assert!(proxy.accept().is_err(), "the proxy was asked");
    }

    /// Its queue of connections is full, so it answers none of the packets with which one begins.
    #[tokio::test]
    async fn a_host_that_takes_no_connection_means_never_sent() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let deaf = socket.listen(1).unwrap();
        let address = deaf.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(stream)) =
            tokio::time::timeout(Duration::from_millis(500), tokio::net::TcpStream::connect(address)).await
        {
            queued.push(stream);
        }
        let client = client(reqwest::Client::builder(), Duration::from_millis(200)).unwrap();
        let sent = send(client.post(format!("http://{address}/")).body("x")).await;
        assert!(matches!(sent, Err(Failure::NeverSent(_))), "{sent:?}");
    }

    #[tokio::test]
    async fn a_connection_that_breaks_off_is_ambiguous() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let mut calls = 0;
            while let Ok(Ok((mut stream, _))) =
                tokio::time::timeout(Duration::from_millis(300), listener.accept()).await
            {
                let mut request = [0; 1024];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
                calls += 1;
            }
            calls
        });
        let client = client(reqwest::Client::builder(), Duration::from_secs(2)).unwrap();
        let sent = send(client.post(format!("http://127.0.0.1:{port}/")).body("x")).await;
        assert!(matches!(sent, Err(Failure::Ambiguous(_))), "{sent:?}");
        assert_eq!(server.await.unwrap(), 1, "sent once");
    }
}
