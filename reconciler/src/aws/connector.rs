//! The SDK's requests over our own HTTP client: one TLS library, no redirects, no retries.

use std::time::Duration;

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;

use super::trust::{Trust, TrustError};
use crate::common::http;

/// The largest answer that is read. A list of 1,000 keys of 1,024 bytes, escaped, is the longest that S3 gives.
const LARGEST: usize = 8 << 20;
/// Idle connections that are kept to one host.
const KEPT: usize = 4;

/// Sends each request of the SDK once.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    kept: reqwest::Client,
    fresh: reqwest::Client,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
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

impl Connector {
    pub(super) fn new(trust: &Trust, connect: Duration) -> Result<Self, TrustError> {
        Ok(Self { kept: trust.client(connect, KEPT)?, fresh: trust.client(connect, 0)? })
    }

    /// On a kept connection that the service is just closing, a request that never arrived looks the same as one that was lost
    /// half-way. So what must not be sent twice gets a connection of its own: IAM's calls that change something.
    fn client(&self, request: &HttpRequest) -> &reqwest::Client {
        let body = request.body().bytes().unwrap_or_default();
        let changes = body.starts_with(b"Action=")
            && ![&b"Action=Get"[..], b"Action=List"].iter().any(|read| body.starts_with(read));
        if changes { &self.fresh } else { &self.kept }
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.client(&request).clone();
        HttpConnectorFuture::new(exchange(client, request))
    }
}

async fn exchange(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    // All that is sent here is in memory.
    let body = body.bytes().ok_or_else(|| ConnectorError::user("the body is a stream".into()))?.to_vec();
    let request = reqwest::Request::try_from(::http::Request::from_parts(parts, body))
        .map_err(|error| ConnectorError::user(error.without_url().into()))?;
    let response = client.execute(request).await.map_err(unsent_or_lost)?;
    let mut answer = ::http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        headers.clone_from(response.headers());
    }
    let body = http::body(response, LARGEST).await.map_err(|broken| match broken {
        http::Broken::Lost(cause) => ConnectorError::io(Broken::Lost(cause).into()),
        http::Broken::TooLong => ConnectorError::other(Broken::TooLong.into(), None),
    })?;
    let answer =
        answer.body(SdkBody::from(body)).map_err(|error| ConnectorError::other(error.into(), None))?;
    HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
}

fn unsent_or_lost(error: reqwest::Error) -> ConnectorError {
    // The address may hold what nobody is to read.
    let error = error.without_url();
    let broken = match http::never_sent(&error) {
        Some(cause) => Broken::NeverSent(cause),
        None => Broken::Lost(http::innermost(&error).to_string()),
    };
    ConnectorError::io(broken.into())
}
