//! S3 and IAM as AWS and compatible services speak them: the SDK's requests over our own HTTP client.
//!
//! Nothing here looks for credentials, regions or profiles: what a client is to use is given to it. The SDK repeats nothing, because
//! what was sent may have taken effect, and follows no redirect; the engine decides on both.

use std::{fmt, sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use reqwest::Url;

use crate::engine::{Failure, digest};

mod ask;
mod connector;
mod content_md5;
mod failure;
mod identity;
mod trust;

pub(crate) use ask::{Answer, Found, Sent, ask, try_write};
pub use connector::{Broken, Transport};
pub use failure::{Answered, another_document, failure, region_of};
pub use identity::{Caller, Sts};
pub use trust::{Trust, TrustError};

use connector::{Connector, Http};
use content_md5::ContentMd5;

/// Where a provider's services are, and how they are reached.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address of S3.
    pub s3: Url,
    /// The address of IAM, where the provider has it.
    pub iam: Option<Url>,
    /// The region that signatures of requests to IAM name.
    pub iam_region: String,
    /// The address of STS, which tells whose keys these are, where the provider has it.
    pub sts: Option<Url>,
    /// The region that signatures name.
    pub region: String,
    /// Buckets in the path of an address rather than in its host.
    pub path_style: bool,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Time for name look-up, TCP and TLS together; shorter than `attempt`, so that a call that was never sent is known as one.
    pub connect: Duration,
    /// Time for a whole call.
    pub attempt: Duration,
}

/// What a client signs with; nothing while the id is empty. Debug shows the id only.
#[derive(Clone)]
pub struct Keys {
    /// The access key's id, which is no secret.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// The token that temporary keys come with.
    pub session: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The clients of one provider. Clones share their connections. Debug shows no credentials.
#[derive(Clone)]
pub struct Clients {
    /// Buckets and what is in them.
    pub s3: aws_sdk_s3::Client,
    /// Where these are, and in which region.
    at: (Url, String),
    /// Where users are, where the provider has them.
    iam_at: Option<Url>,
    /// Where it is told whose keys these are, where the provider tells.
    sts_at: Option<Url>,
    transport: Arc<dyn Transport>,
    /// Users, their keys and policies, where the provider has them.
    pub iam: Option<aws_sdk_iam::Client>,
    /// Whose keys these are, where the provider tells.
    pub sts: Option<Sts>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("iam", &self.iam.is_some()).finish_non_exhaustive()
    }
}

/// Makes the clients of an endpoint.
pub(crate) type Dial = dyn Fn(&Endpoint, &Keys) -> Result<Clients, TrustError> + Send + Sync;

/// The clients that `make` makes, and a digest of what decides where their calls go and as whom.
pub(crate) fn dial(make: &Dial, endpoint: &Endpoint, keys: &Keys) -> Result<(Clients, String), Failure> {
    let clients = make(endpoint, keys).map_err(|error| Failure::DependencyMissing(error.to_string()))?;
    let digest = digest((&keys.id, &keys.secret, &keys.session, format!("{endpoint:?}")));
    Ok((clients, format!("{digest:x}")))
}

impl Clients {
    /// Clients that sign with `keys`.
    ///
    /// # Errors
    /// When the certificates that are to be believed can't be read, or this machine has no trust store.
    pub fn new(endpoint: &Endpoint, keys: &Keys) -> Result<Self, TrustError> {
        Ok(Self::over(Arc::new(Http::new(&endpoint.trust, endpoint.connect)?), endpoint, keys))
    }

    /// Clients that sign with `keys` and send over `transport`.
    pub fn over(transport: Arc<dyn Transport>, endpoint: &Endpoint, keys: &Keys) -> Self {
        let connector = Connector(transport.clone());
        let credentials =
            Credentials::new(&keys.id, &keys.secret, keys.session.clone(), None, "the provider's Secret");
        let s3 = s3_config(endpoint, connector.clone());
        let s3 = match keys.id.is_empty() {
            true => s3.allow_no_auth(),
            false => s3.credentials_provider(credentials.clone()),
        };
        let iam = endpoint.iam.as_ref();
        let iam = iam.map(|url| iam_config(endpoint, url, connector, credentials.clone()));
        let sts = endpoint.sts.clone();
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            at: (endpoint.s3.clone(), endpoint.region.clone()),
            iam_at: endpoint.iam.clone(),
            sts_at: endpoint.sts.clone(),
            transport: transport.clone(),
            iam: iam.map(aws_sdk_iam::Client::from_conf),
            sts: sts.map(|url| Sts::new(transport, url, endpoint.region.clone(), credentials)),
        }
    }

    /// Whether S3 answers at all, whatever it says.
    pub(crate) async fn probe(&self) -> bool {
        self.probe_at(Some(&self.at.0)).await
    }

    /// The same of IAM.
    pub(crate) async fn probe_iam(&self) -> bool {
        self.probe_at(self.iam_at.as_ref()).await
    }

    /// The same of STS.
    pub(crate) async fn probe_sts(&self) -> bool {
        self.probe_at(self.sts_at.as_ref()).await
    }

    /// Without a signature: it asks for nothing that would need one.
    async fn probe_at(&self, url: Option<&Url>) -> bool {
        let request = url.map(|url| http::Request::head(url.as_str()).body(Vec::new()));
        let Some(Ok(request)) = request else { return false };
        let answer = self.transport.send_afresh(request).await;
        // What stands before a service that is not there answers with one of these.
        answer.is_ok_and(|answer| !matches!(answer.status().as_u16(), 404 | 500 | 502..=504))
    }

    /// The same for buckets of another region. Signatures name it; so does the address, where that of the provider names its own.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        let url = in_region(&self.at.0, &self.at.1, region);
        let config = self.s3.config().to_builder().region(Region::new(region.to_owned()));
        self.s3 = aws_sdk_s3::Client::from_conf(config.endpoint_url(url.as_str()).build());
        self.at = (url, region.to_owned());
        self
    }
}

/// The domains in which each region has an address of its own.
const REGIONAL: [&str; 2] = ["amazonaws.com", "wasabisys.com"];

/// The address of `region`, when `url` is that of the region `own` at a service that has one for each. Elsewhere one address serves all:
/// what somebody calls a region is never taken for a part of another host's name.
fn in_region(url: &Url, own: &str, region: &str) -> Url {
    let host = url.host_str().unwrap_or_default();
    let domain = REGIONAL
        .iter()
        .find(|domain| [format!("s3.{domain}"), format!("s3.{own}.{domain}")].contains(&host.to_owned()));
    let mut url = url.clone();
    if let Some(domain) = domain {
        // A host that can't be one leaves the address as it is.
        let _ = url.set_host(Some(&format!("s3.{region}.{domain}")));
    }
    url
}

fn s3_config(endpoint: &Endpoint, connector: Connector) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(connector)
        .endpoint_url(endpoint.s3.as_str())
        .force_path_style(endpoint.path_style)
        .region(Region::new(endpoint.region.clone()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(time_out(endpoint.attempt))
        .sleep_impl(sleep())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // Compatible services refuse checksums that they do not know.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .interceptor(ContentMd5)
        // What would send a request elsewhere than to the provider's address.
        .disable_s3_express_session_auth(true)
        .disable_multi_region_access_points(true)
        .use_arn_region(false)
}

fn iam_config(
    endpoint: &Endpoint,
    url: &Url,
    connector: Connector,
    credentials: Credentials,
) -> aws_sdk_iam::Config {
    aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(connector)
        .endpoint_url(url.as_str())
        .region(Region::new(endpoint.iam_region.clone()))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(time_out(endpoint.attempt))
        .sleep_impl(sleep())
        .build()
}

fn time_out(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(attempt).build()
}

/// Without it no time-out of the SDK has any effect.
fn sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(TokioSleep::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_service_with_an_address_for_each_region_gets_another_address() {
        let at = |url: &str, own: &str| in_region(&Url::parse(url).unwrap(), own, "eu-west-1").to_string();
        assert_eq!(
            at("https://s3.us-east-2.amazonaws.com", "us-east-2"),
            "https://s3.eu-west-1.amazonaws.com/"
        );
        assert_eq!(at("https://s3.wasabisys.com", "us-east-1"), "https://s3.eu-west-1.wasabisys.com/");
        for own in [
            "https://s3.default.svc/",
            "https://default.s3.example/",
            "https://s3.default.amazonaws.com.evil.example/",
        ] {
            assert_eq!(at(own, "default"), own);
        }
    }
}
