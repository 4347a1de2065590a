//! Our client's way to the fake without sockets.

use std::collections::BTreeMap;
use std::sync::Arc;

use concierge_reconciler::coffee::client::{Answer, Failure, Request, Transport};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::ShopHost;
use crate::faults::{self, Reply, Response};

/// A transport that calls the fake directly, faults included. Works on tokio's paused clock.
pub struct Direct {
    host: Arc<ShopHost>,
}

impl Direct {
    pub(super) fn new(host: Arc<ShopHost>) -> Self {
        Self { host }
    }
}

impl Transport for Direct {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, Failure>> {
        async move {
            match self.host.call(as_received(request)).await {
                Reply::Answer(response) => Ok(answer(response)),
                Reply::Cut(_) | Reply::Dropped => Err(Failure::Lost),
                Reply::Refused => Err(Failure::NeverSent("no connection: refused".to_owned())),
            }
        }
        .boxed()
    }
}

/// The request as the shop reads it.
fn as_received(request: Request) -> faults::Request {
    let bearer = format!("Bearer {}", request.token.expose());
    faults::Request {
        method: request.verb().as_str().to_owned(),
        target: request.path,
        headers: BTreeMap::from([("authorization".to_owned(), bearer)]),
        body: request.body.unwrap_or_default(),
        ..faults::Request::default()
    }
}

fn answer(response: Response) -> Answer {
    let header = |wanted: &str| {
        response.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone())
    };
    Answer { status: response.status, retry_after: header("retry-after"), date: None, body: response.body }
}
