//! The SDK's requests over our own HTTP client: one TLS library, no redirects, no retries.

use std::{fmt, sync::Arc, time::Duration};

use ::http::{Request, Response, header::CONTENT_LENGTH};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use futures::future::BoxFuture;

use super::trust::{Trust, TrustError};
use crate::{common::http, engine::note_status};

/// The largest answer that is read. A list of 1,000 keys of 1,024 bytes, escaped, is the longest that S3 gives.
const LARGEST: usize = 8 << 20;
/// Idle connections that are kept to one host.
const KEPT: usize = 4;

/// Sends each request once, and gives back whatever was answered.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends `request`.
    fn send(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Broken>>;
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
}

impl Http {
    pub(super) fn new(trust: &Trust, connect: Duration) -> Result<Self, TrustError> {
        Ok(Self { kept: trust.client(connect, KEPT)?, fresh: trust.client(connect, 0)? })
    }

    /// On a kept connection that the service is just closing, a request that never arrived looks the same as one that was lost
    /// half-way. So what must not be sent twice gets a connection of its own: IAM's calls that change something.
    fn client(&self, body: &[u8]) -> &reqwest::Client {
        let changes = body.starts_with(b"Action=")
            && ![&b"Action=Get"[..], b"Action=List"].iter().any(|read| body.starts_with(read));
        if changes { &self.fresh } else { &self.kept }
    }
}

impl Transport for Http {
    fn send(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Broken>> {
        let client = self.client(request.body()).clone();
        Box::pin(exchange(client, request))
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
    let answer = transport.send(Request::from_parts(parts, body)).await.map_err(|broken| match broken {
        Broken::TooLong => ConnectorError::other(broken.into(), None),
        _ => ConnectorError::io(broken.into()),
    })?;
    note_status(answer.status().as_u16());
    let answer = as_s3_calls_it(answer);
    // The SDK logs answers on the level trace, and what it has in memory with its contents: that may be a secret key.
    let unshown = |body: Vec<u8>| SdkBody::from_body_1_x(reqwest::Body::from(body));
    HttpResponse::try_from(answer.map(unshown)).map_err(|error| ConnectorError::other(error.into(), None))
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
