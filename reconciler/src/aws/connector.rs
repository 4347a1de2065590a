//! The SDK's requests over our own HTTP client: one TLS library, no redirects, no retries.

use std::{fmt, mem, sync::Arc, time::Duration};

use ::http::{Request, Response, header::CONTENT_LENGTH};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::trust::{Trust, TrustError};
use crate::{common::http, engine::note_status};

/// The largest answer that is read. A list of 1,000 keys of 1,024 bytes, escaped, is the longest that S3 gives.
const LARGEST: usize = 8 << 20;
/// Idle connections that are kept to one host.
const KEPT: usize = 4;

/// Sends each request once, and gives back whatever was answered.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    fn send(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Broken>>;

    /// The same on a connection of its own: one that is kept may be dead, and nobody has said so.
    fn send_afresh(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Broken>> {
        self.send(request)
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Nothing of the request left.
    #[error("{0}")]
    NeverSent(String),
    /// The connection ended before the answer did.
    #[error("the call broke off: {0}")]
    Lost(String),
    /// The answer is too long.
    #[error("the answer is larger than {LARGEST} bytes")]
    TooLong,
}

/// HTTP over sockets.
#[derive(Debug)]
pub(super) struct Http {
    kept: reqwest::Client,
    fresh: reqwest::Client,
    /// Until when no connection is believed that was kept before.
    doubted: Mutex<Option<Instant>>,
}

/// Doubts the kept connections unless the answer to a call on one of them came.
struct Awaited<'a>(&'a Http);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        *self.0.doubted.lock() = Some(Instant::now() + http::IDLE);
    }
}

impl Http {
    pub(super) fn new(trust: &Trust, connect: Duration) -> Result<Self, TrustError> {
        let doubted = Mutex::default();
        Ok(Self { kept: trust.client(connect, KEPT)?, fresh: trust.client(connect, 0)?, doubted })
    }

    /// On a kept connection that the service is just closing, a request that never arrived looks the same as one that was lost
    /// half-way. So what must not be sent twice gets a connection of its own: IAM's calls that change something.
    ///
    /// When a call on a kept connection has no answer, the others may be dead too, as after a restart of the service that nobody told us of,
    /// and each would cost another time-out. None of them is used again until they are closed for having been idle.
    fn is_kept(&self, body: &[u8]) -> bool {
        let changes = body.starts_with(b"Action=")
            && ![&b"Action=Get"[..], b"Action=List"].iter().any(|read| body.starts_with(read));
        !changes && self.doubted.lock().is_none_or(|until| until < Instant::now())
    }

    async fn send_on_kept(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Broken> {
        let awaited = Awaited(self);
        let answer = exchange(self.kept.clone(), request).await;
        if !matches!(answer, Err(Broken::Lost(_))) {
            mem::forget(awaited);
        }
        answer
    }
}

impl Transport for Http {
    fn send(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Broken>> {
        match self.is_kept(request.body()) {
            true => Box::pin(self.send_on_kept(request)),
            false => self.send_afresh(request),
        }
    }

    fn send_afresh(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Broken>> {
        Box::pin(exchange(self.fresh.clone(), request))
    }
}

async fn exchange(client: reqwest::Client, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Broken> {
    let request = reqwest::Request::try_from(request)
        .map_err(|error| Broken::NeverSent(error.without_url().to_string()))?;
    let response = client.execute(request).await.map_err(unsent_or_lost)?;
    let mut answer = Response::new(Vec::new());
    *answer.status_mut() = response.status();
    answer.headers_mut().clone_from(response.headers());
    *answer.body_mut() = http::body(response, LARGEST).await.map_err(|broken| match broken {
        http::Broken::Lost(cause) => Broken::Lost(cause),
        http::Broken::TooLong => Broken::TooLong,
    })?;
    Ok(answer)
}

/// The SDK's way to a transport.
#[derive(Clone, Debug)]
pub(super) struct Connector(pub(super) Arc<dyn Transport>);

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(call(self.0.clone(), request))
    }
}

async fn call(transport: Arc<dyn Transport>, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    // All that is sent here is in memory.
    let body = body.bytes().ok_or_else(|| ConnectorError::user("the body is a stream".into()))?.to_vec();
    let is_iam = body.starts_with(b"Action=");
    let answer = transport.send(Request::from_parts(parts, body)).await.map_err(|broken| match broken {
        Broken::TooLong => ConnectorError::other(broken.into(), None),
        _ => ConnectorError::io(broken.into()),
    })?;
    note_status(answer.status().as_u16());
    if is_iam && is_anothers(&answer) {
        let broken = Broken::Lost("something else answered in the service's place".to_owned());
        return Err(ConnectorError::io(broken.into()));
    }
    let answer = as_s3_calls_it(answer);
    // The SDK logs answers on the level trace, and what it has in memory with its contents: that may be a secret key.
    let unshown = |body: Vec<u8>| SdkBody::from_body_1_x(reqwest::Body::from(body));
    HttpResponse::try_from(answer.map(unshown)).map_err(|error| ConnectorError::other(error.into(), None))
}

/// Whether what looks like a success is none of IAM's, but a page for people. The SDK does not look into most of them, and a key that is
/// said to be deleted is looked for no more. Services that are no AWS call their documents as they like; all are answers or results.
fn is_anothers(answer: &Response<Vec<u8>>) -> bool {
    let body = answer.body();
    let is_answer = |root: &str| ["Response", "Result"].iter().any(|last| root.ends_with(last));
    let tells_of_errors =
        ["<Error", "<Fault"].iter().any(|mark| String::from_utf8_lossy(body).contains(mark));
    // To what returns something, the SDK takes nothing for no answer.
    let is_said = body.is_empty() || root(body).is_some_and(is_answer) && !tells_of_errors;
    answer.status().is_success() && !is_said
}

/// The name of an XML document's root element, without the prefix of its namespace.
pub(super) fn root(body: &[u8]) -> Option<&str> {
    let mut rest = std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim_start();
    for (opens, closes) in [("<?", "?>"), ("<!--", "-->")] {
        while let Some(inside) = rest.strip_prefix(opens) {
            rest = inside.split_once(closes)?.1.trim_start();
        }
    }
    let name =
        rest.strip_prefix('<')?.split(|char: char| char.is_whitespace() || "/>".contains(char)).next()?;
    name.rsplit(':').next()
}

/// Roots of answers that services call otherwise than S3 does; what is in them is the same. The SDK would take them for other documents.
const ROOTS: [(&str, &str); 2] = [
    // Ceph's gateway, 16.2.
    ("BlockPublicAccessBlockConfiguration", "PublicAccessBlockConfiguration"),
    // moto 5.
    ("GetBucketVersioningResponse", "VersioningConfiguration"),
];

fn as_s3_calls_it(mut answer: Response<Vec<u8>>) -> Response<Vec<u8>> {
    let text = std::str::from_utf8(answer.body()).ok().filter(|text| text.len() < 1024);
    let root = ROOTS.iter().find(|(theirs, _)| text.is_some_and(|text| text.contains(&format!("<{theirs}"))));
    let (Some(text), Some((theirs, ours))) = (text, root) else { return answer };
    let text = text.replace(theirs, ours);
    // The SDK compares it with what it reads.
    answer.headers_mut().remove(CONTENT_LENGTH);
    *answer.body_mut() = text.into_bytes();
    answer
}

fn unsent_or_lost(error: reqwest::Error) -> Broken {
    // The address may hold what nobody is to read.
    let error = error.without_url();
    match http::never_sent(&error) {
        Some(cause) => Broken::NeverSent(cause),
        None => Broken::Lost(http::innermost(&error).to_string()),
    }
}
