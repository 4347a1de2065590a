//! How a request travels: one small trait, so that tests can do without sockets.

use std::fmt;

use futures::future::BoxFuture;

use super::SecretText;
use super::operation::{Operation, Verb};

/// Carries one request to the shop, once. No retries, no redirects, no time limit of its own on the answer:
/// the client drops the future when its time is up.
pub trait Transport: Send + Sync {
    /// Sends and waits for the whole answer, whatever its status.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, Failure>>;
}

/// One request. Its Debug shows no body and no token.
pub struct Request {
    /// The operation asked for.
    pub operation: Operation,
    /// The path below the base URL, beginning with `/`, ids filled in, already safe for a URL.
    pub path: String,
    /// Who asks.
    pub token: SecretText,
    /// The JSON body, where the operation has one.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// The HTTP method.
    pub fn verb(&self) -> Verb {
        self.operation.verb()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What came back, read to its end. Its Debug shows no body: a body may hold a secret shown once.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The `Retry-After` header as sent.
    pub retry_after: Option<String>,
    /// The `Date` header as sent: the shop's clock, by which a dated `Retry-After` is read.
    pub date: Option<String>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why no answer came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not one byte of the request left: no connection. The text names the cause and holds no request data.
    NeverSent(String),
    /// The request may have arrived, and the connection ended before the whole answer did.
    Lost,
    /// The answer was longer than the limit.
    TooLong,
}
