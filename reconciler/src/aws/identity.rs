//! Whose keys these are: the one call of STS that is needed, so without its SDK.

use std::{fmt, sync::Arc, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::Url;

use super::connector::{Broken, Transport};
use crate::engine::Failure;

const QUESTION: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const FORM: &str = "application/x-www-form-urlencoded";

/// As whom a service knows us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account's id.
    pub account: String,
    /// The user's, or the role's, ARN.
    pub arn: String,
}

/// The service that tells. Debug shows no credentials.
#[derive(Clone)]
pub struct Sts {
    transport: Arc<dyn Transport>,
    url: Url,
    region: String,
    credentials: Credentials,
}

impl fmt::Debug for Sts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sts").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Sts {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        url: Url,
        region: String,
        credentials: Credentials,
    ) -> Self {
        Self { transport, url, region, credentials }
    }

    /// Whose keys these are; `None` when the service does not tell.
    ///
    /// # Errors
    /// When it was not answered, or with an error of the service.
    pub async fn caller(&self) -> Result<Option<Caller>, Failure> {
        let request =
            self.request().ok_or_else(|| Failure::Invalid("GetCallerIdentity can't be signed".into()))?;
        let answer = self.transport.send(request).await.map_err(|broken| match broken {
            Broken::NeverSent(cause) => Failure::NeverSent(cause),
            broken => Failure::Transient(format!("GetCallerIdentity: {broken}")),
        })?;
        let status = answer.status().as_u16();
        let text = String::from_utf8_lossy(answer.body());
        match status {
            200 => Ok(element(&text, "Account")
                .zip(element(&text, "Arn"))
                .map(|(account, arn)| Caller { account, arn })),
            // A gateway without STS answers with any of these.
            400..=499 | 501 | 503 => Ok(None),
            _ => Err(Failure::Transient(format!("GetCallerIdentity was answered {status}"))),
        }
    }

    fn request(&self) -> Option<http::Request<Vec<u8>>> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("sts")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .ok()?;
        let (url, body) = (self.url.as_str(), QUESTION.as_bytes());
        let headers = [("content-type", FORM)].into_iter();
        let signable = SignableRequest::new("POST", url, headers, SignableBody::Bytes(body)).ok()?;
        let (instructions, _) = sign(signable, &parameters.into()).ok()?.into_parts();
        let mut request = http::Request::post(url).header("content-type", FORM).body(body.to_vec()).ok()?;
        instructions.apply_to_request_http1x(&mut request);
        Some(request)
    }
}

/// The text of the first element of this name, if it is a plain one.
fn element(document: &str, name: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain =
        (1..=2048).contains(&text.len()) && !text.contains(['<', '&']) && !text.contains(char::is_control);
    plain.then(|| text.to_owned())
}
