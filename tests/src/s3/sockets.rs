//! A way to real services on which a test sees what goes over it, and says from where.

use std::net::IpAddr;

use anyhow::Result;
use concierge_reconciler::aws::{Broken, Transport};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::http;
use parking_lot::Mutex;

/// HTTP, with a list of what was sent.
#[derive(Debug)]
pub struct Sockets {
    client: reqwest::Client,
    anonymous: bool,
    sent: Mutex<Vec<String>>,
    last: Mutex<(u16, String)>,
}

/// What says who calls.
const SIGNED: [&str; 3] = ["authorization", "x-amz-date", "x-amz-content-sha256"];

impl Sockets {
    /// From whichever address.
    ///
    /// # Errors
    /// When there is no client.
    pub fn new() -> Result<Self> {
        Self::with(None, false)
    }

    /// From this address of this machine, and without signatures when it is `anonymous`.
    ///
    /// # Errors
    /// When there is no client.
    pub fn from(address: IpAddr, anonymous: bool) -> Result<Self> {
        Self::with(Some(address), anonymous)
    }

    fn with(address: Option<IpAddr>, anonymous: bool) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().local_address(address).build()?;
        Ok(Self { client, anonymous, sent: Mutex::default(), last: Mutex::default() })
    }

    /// How many requests were sent.
    pub fn count(&self) -> usize {
        self.sent.lock().len()
    }

    /// Method and path of the requests from the `from`th on.
    pub fn sent_from(&self, from: usize) -> Vec<String> {
        self.sent.lock()[from..].to_vec()
    }

    /// Status and text of the last answer, told once; the status is 0 when there was none.
    pub fn take_last(&self) -> (u16, String) {
        std::mem::take(&mut self.last.lock())
    }

    async fn exchange(
        &self,
        mut request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, reqwest::Error> {
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        self.sent.lock().push(format!("{} {target}", request.method()));
        if self.anonymous {
            SIGNED.iter().for_each(|name| drop(request.headers_mut().remove(*name)));
        }
        let response = self.client.execute(reqwest::Request::try_from(request)?).await?;
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        answer.headers_mut().clone_from(response.headers());
        *answer.body_mut() = response.bytes().await?.to_vec();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        *self.last.lock() = (answer.status().as_u16(), text);
        Ok(answer)
    }
}

impl Transport for Sockets {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> BoxFuture<'_, Result<http::Response<Vec<u8>>, Broken>> {
        let lost = |error: reqwest::Error| match error.is_connect() {
            true => Broken::NeverSent(error.to_string()),
            false => Broken::Lost(error.to_string()),
        };
        async move { self.exchange(request).await.map_err(lost) }.boxed()
    }
}
