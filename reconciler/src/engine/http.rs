//! HTTP as a group's client uses it: one request is sent once, and what came of it is a [`Failure`] or a reply.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use serde::de::DeserializeOwned;

use super::retry::{Failure, LONGEST_PAUSE};

/// The largest answer that is read.
const LARGEST: usize = 8 << 20;
/// A service that closes idle connections sooner than this makes calls ambiguous that were merely unlucky.
const IDLE: Duration = Duration::from_secs(15);

/// A client that sends each request once: no retries, no redirects. Time-outs of whole calls are the engine's. A connection that does not
/// come about within `connect` is known never to have carried a call, so it has to be shorter than they are.
///
/// # Errors
/// When the machine's trust store can't be read.
pub fn client(builder: reqwest::ClientBuilder, connect: Duration) -> Result<reqwest::Client, reqwest::Error> {
    builder
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("concierge/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// An answer of any status.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// Sends `request`.
///
/// # Errors
/// [`Failure::NeverSent`] when there was no connection; [`Failure::Ambiguous`] for everything later, which
/// [`Context::read`](super::Context::read) takes for [`Failure::Transient`].
pub async fn send(request: reqwest::RequestBuilder) -> Result<Reply, Failure> {
    let mut response = request.send().await.map_err(failure)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(Failure::Ambiguous(format!("the answer is larger than {LARGEST} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers, body })
}

fn failure(error: reqwest::Error) -> Failure {
    // The address may hold what nobody is to read.
    let error = error.without_url();
    match error.is_connect() || error.is_builder() {
        true => Failure::NeverSent(format!("no connection: {}", innermost(&error))),
        false => Failure::Ambiguous(format!("the call broke off: {}", innermost(&error))),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

impl Reply {
    /// The body as `T`, if the status says success.
    ///
    /// # Errors
    /// As [`Reply::failure`]; [`Failure::Ambiguous`] when the body is not a `T`.
    pub fn json<T: DeserializeOwned>(&self, operation: &str, now: Timestamp) -> Result<T, Failure> {
        self.success(operation, now)?;
        serde_json::from_slice(&self.body)
            .map_err(|_| Failure::Ambiguous(format!("{operation} was answered with what can't be read")))
    }

    /// `Ok` if the status says success.
    ///
    /// # Errors
    /// As [`Reply::failure`].
    pub fn success(&self, operation: &str, now: Timestamp) -> Result<(), Failure> {
        match self.status.is_success() {
            true => Ok(()),
            false => Err(self.failure(operation, "", now)),
        }
    }

    /// What an answer without success means. `said` is what the service said about it, if that is fit for users.
    pub fn failure(&self, operation: &str, said: &str, now: Timestamp) -> Failure {
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

/// How long the service asks to be left alone, in seconds or until a date; no longer than [`LONGEST_PAUSE`].
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST_PAUSE));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Duration::try_from(date.duration_since(now)).ok().map(|wait| wait.min(LONGEST_PAUSE))
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
        assert_eq!(asks("Sat, 21 Nov 2026 11:01:00 GMT"), None);
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
