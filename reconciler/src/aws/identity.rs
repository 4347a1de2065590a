//! Whose keys these are: the one call of STS that is needed, so without its SDK.

use std::{fmt, sync::Arc, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::Url;

use super::{
    connector::{Broken, Transport, root},
    failure::{Answered, class, code_in},
};
use crate::{
    common::redaction::Redaction,
    engine::{Failure, note_status},
};

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

    /// Whose keys these are; `None` when there is no STS here, or it does not tell us.
    ///
    /// # Errors
    /// [`Failure::Auth`] when it refuses the keys, [`Failure::DependencyMissing`] when something else may have answered in its place,
    /// [`Failure::Throttled`] or [`Failure::Transient`] when a later call may be answered.
    pub async fn caller(&self) -> Result<Option<Caller>, Failure> {
        let request =
            self.request().ok_or_else(|| Failure::Invalid("GetCallerIdentity can't be signed".into()))?;
        let answer = self.transport.send(request).await.map_err(|broken| match broken {
            Broken::NeverSent(cause) => Failure::NeverSent(cause),
            broken => Failure::Transient(format!("GetCallerIdentity: {broken}")),
        })?;
        note_status(answer.status().as_u16());
        told(&answer)
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

fn told(answer: &http::Response<Vec<u8>>) -> Result<Option<Caller>, Failure> {
    let answered = Answered { status: answer.status().as_u16(), code: code_in(answer.body()) };
    let text = String::from_utf8_lossy(answer.body());
    if answer.status().is_success() {
        return Ok(element(&text, "Account")
            .zip(element(&text, "Arn"))
            .map(|(account, arn)| Caller { account, arn }));
    }
    // An STS writes its errors otherwise than S3. That is what answers at SeaweedFS where no STS was set up.
    if root(answer.body()) == Some("Error") && answered.code == Some("ServiceUnavailable") {
        return Ok(None);
    }
    let code = answered.code.map_or_else(|| answered.status.to_string(), str::to_owned);
    let message = format!("GetCallerIdentity was answered {}", Redaction::default().apply(&code));
    if answered.is_anothers() {
        return Err(Failure::DependencyMissing(message));
    }
    match class(&answered, message, None).of_a_read() {
        failure @ (Failure::Auth(_) | Failure::Throttled { .. } | Failure::Transient(_)) => Err(failure),
        // It has no such call, or refuses this one.
        _ => Ok(None),
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
