//! The Terminal shop's API, version 1.0.3.
//!
//! ```text
//! call -> Request -> Transport (sockets, or a test) -> Answer -> value, or an Error that says what is known
//! ```
//!
//! * Every call is sent at most once: no retry, no redirect, no reused connection for a POST.
//! * An error tells apart what was never sent, what was refused, and what nobody knows ([`Error`]).
//! * A time-out that ends a call leaves its outcome open. So does dropping a call's future.
//! * Secrets travel as [`Secret`]; no error, Debug output or metric shows them.

mod answer;
mod calls;
mod error;
mod http;
pub mod operation;
mod transport;
mod types;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::{Instant, timeout};

use concierge_shared::coffee::SECRET_PREFIXES;

pub use self::error::{Doubt, Error, Outcome, Refusal};
pub use self::http::{Http, HttpError, HttpSettings};
pub use self::operation::Operation;
pub use self::transport::{Answer, Failure, Request, Transport};
pub use self::types::*;
pub use crate::common::secret_text::SecretText;

use crate::common::redaction::{Prefixes, Redaction};
use crate::engine::note_status;

const PREFIXES: Prefixes = Prefixes {
    secrets: SECRET_PREFIXES,
    ids: &["var_", "shp_", "crd_", "ord_", "sub_", "pat_", "cli_", "prd_", "itm_"],
};

/// How long a call may take, from connecting to the answer's last byte.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Told of every call when it has ended.
pub trait Observer: Send + Sync {
    /// `operation` ended as `outcome` after `took`.
    fn call(&self, operation: Operation, outcome: Outcome, took: Duration);
}

/// Does not watch.
impl Observer for () {
    fn call(&self, _: Operation, _: Outcome, _: Duration) {}
}

/// One account at the shop. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    observer: Arc<dyn Observer>,
    token: SecretText,
    timeout: Duration,
}

impl Client {
    /// The account that `token` opens, over `transport`.
    pub fn new(transport: Arc<dyn Transport>, token: SecretText) -> Self {
        Self { transport, observer: Arc::new(()), token, timeout: REQUEST_TIMEOUT }
    }

    /// The same client, each of its calls ended after `timeout`. Keep it above the transport's time for
    /// connecting, or a slow connection passes for an unknown outcome.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same client, watched.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// The longest a call can take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// The one way every call takes.
impl Client {
    async fn get<T: DeserializeOwned>(&self, operation: Operation) -> Result<T, Error> {
        self.call(operation, None, None).await
    }

    async fn get_one<T: DeserializeOwned>(&self, operation: Operation, id: &str) -> Result<T, Error> {
        self.call(operation, Some(id), None).await
    }

    async fn delete(&self, operation: Operation, id: &str) -> Result<(), Error> {
        self.call::<IgnoredAny>(operation, Some(id), None).await.map(|_| ())
    }

    async fn send<T: DeserializeOwned>(
        &self,
        operation: Operation,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = self.json(operation, body)?;
        self.call(operation, None, Some(body)).await
    }

    fn json(&self, operation: Operation, body: &impl Serialize) -> Result<serde_json::Value, Error> {
        serde_json::to_value(body)
            .map_err(|_| Error::Unsendable { operation, cause: "the API has no form for these values" })
    }

    async fn call<T: DeserializeOwned>(
        &self,
        operation: Operation,
        id: Option<&str>,
        body: Option<serde_json::Value>,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let result = self.exchange(operation, id, body).await;
        let outcome = result.as_ref().map_or_else(Error::outcome, |_| Outcome::Ok);
        self.observer.call(operation, outcome, start.elapsed());
        result
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        operation: Operation,
        id: Option<&str>,
        body: Option<serde_json::Value>,
    ) -> Result<T, Error> {
        let path = path(operation, id)?.into_owned();
        let body = body.map(|body| body.to_string().into_bytes());
        let redaction = Redaction::new(PREFIXES, self.token.expose(), body.as_deref());
        let request = Request { operation, path, token: self.token.clone(), body };
        match timeout(self.timeout, self.transport.send(request)).await {
            Ok(Ok(answer)) => {
                note_status(answer.status);
                answer::read(operation, &answer, &redaction)
            }
            Ok(Err(Failure::NeverSent(cause))) => {
                Err(Error::NeverSent { operation, cause: redaction.apply(&cause) })
            }
            Ok(Err(Failure::Lost)) => Err(answer::doubtful(operation, Doubt::Lost)),
            Ok(Err(Failure::TooLong)) => Err(answer::doubtful(operation, Doubt::TooLong)),
            Err(_) => Err(answer::doubtful(operation, Doubt::TimedOut)),
        }
    }
}

/// Fills the id in. Ids of a shape the shop never gives could reach another path, so they are not sent.
fn path(operation: Operation, id: Option<&str>) -> Result<Cow<'static, str>, Error> {
    let Some(id) = id else { return Ok(Cow::Borrowed(operation.template())) };
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.is_empty() || id.len() > 128 || !id.chars().all(safe) {
        return Err(Error::Unsendable { operation, cause: "the id is not one the shop gives" });
    }
    Ok(Cow::Owned(operation.template().replace("{id}", id)))
}
