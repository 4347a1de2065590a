//! What an answer of S3 or IAM means for the engine.

use std::{error::Error, time::Duration};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;

use super::connector::Broken;
use crate::{
    common::{
        http::{http_date, pause},
        redaction::Redaction,
    },
    engine::Failure,
};

/// The code in an error of a form that the SDK does not expect: Ceph's gateway writes those of IAM as S3 does.
pub(super) fn code_in(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.contains("<Error>"))?;
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code).filter(|code| !code.is_empty())
}

/// What a service answered without success. A call that has no answer has none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The service's word for it: `NoSuchBucket`. Answers to HEAD have none; where they say that nothing is there, the SDK's is `NotFound`.
    pub code: Option<&'a str>,
}

impl<'a> Answered<'a> {
    /// What the service answered, if it did.
    pub fn of<E: ProvideErrorMetadata>(error: &'a SdkError<E, HttpResponse>) -> Option<Self> {
        let SdkError::ServiceError(service) = error else { return None };
        let code = service.err().code().or_else(|| code_in(service.raw().body().bytes()?));
        Some(Self { status: service.raw().status().as_u16(), code })
    }

    /// What was asked for is not there: 404, with one of these codes.
    pub fn is_missing(&self, codes: &[&str]) -> bool {
        self.status == 404 && self.code.is_some_and(|code| codes.contains(&code))
    }

    /// Something else answers in the service's place, such as an ingress without the service behind it, or sends us elsewhere. That nothing
    /// is there is not known then.
    pub(super) fn is_anothers(&self) -> bool {
        matches!(self.status, 300..=399 | 404) && self.code.is_none_or(|code| code == "NotFound")
    }

    /// What was asked for is elsewhere. In the service's own words, if there are any.
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 307)
    }

    /// The service answered with success and another document than asked for: it does not know the sub-resource. Ceph's gateway
    /// lists the bucket instead, and *deletes the bucket* when such a sub-resource is deleted. Nothing is deleted after this answer.
    pub fn is_another_document(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The credentials are good, and do not allow this operation.
    pub fn is_denied(&self) -> bool {
        let codes = ["AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedAccess"];
        self.status == 403 && self.code.is_none_or(|code| codes.contains(&code))
    }

    /// The service does not know the access key's id.
    pub fn is_unknown_key(&self) -> bool {
        self.code.is_some_and(|code| ["InvalidAccessKeyId", "InvalidClientTokenId"].contains(&code))
    }

    /// The credentials are refused, and with them every call of the account.
    fn is_unauthorised(&self) -> bool {
        let codes = [
            "AuthFailure",
            "AuthenticationLockout",
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidToken",
            "MissingAuthenticationToken",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ];
        self.status == 401 || self.code.is_some_and(|code| codes.contains(&code))
    }

    fn is_throttled(&self) -> bool {
        let codes = ["RequestLimitExceeded", "RequestThrottled", "SlowDown", "TooManyRequests"];
        let throttled = |code: &str| codes.contains(&code) || code.starts_with("Throttl");
        self.status == 429 || self.code.is_some_and(throttled)
    }

    /// The service does not have the operation.
    fn is_unsupported(&self) -> bool {
        let codes = [
            "InvalidAction",
            "MethodNotAllowed",
            "NotImplemented",
            "UnsupportedOperation",
            "XNotImplemented",
        ];
        matches!(self.status, 405 | 501) || self.code.is_some_and(|code| codes.contains(&code))
    }

    /// A policy names whom the service does not know: a user is known to policies of buckets minutes after it was made, and nothing
    /// tells when.
    fn names_nobody(&self, said: Option<&str>) -> bool {
        self.code == Some("MalformedPolicy") && said.is_some_and(|said| said.contains("Invalid principal"))
    }

    /// The service gave up before it had the whole request, or broke in the middle of it.
    fn is_ambiguous(&self) -> bool {
        self.status == 408 || self.status >= 500 || self.code == Some("RequestTimeout")
    }
}

/// What a call of `operation` failed with. A lost answer is [`Failure::Ambiguous`], also of a call that only reads, which
/// [`Context::read`](crate::engine::Context::read) takes for [`Failure::Transient`].
pub fn failure<E>(operation: &str, error: &SdkError<E, HttpResponse>, now: Timestamp) -> Failure
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(service) => {
            let raw = service.raw();
            let answered = Answered { status: raw.status().as_u16(), code: service.err().code() };
            let said = service.err().message();
            let message = told(operation, &answered, said, raw);
            match answered.names_nobody(said) {
                true => Failure::NotKnownYet(message),
                false => class(&answered, message, retry_after(raw, now)),
            }
        }
        // The SDK itself refused to build the request: only another spec helps.
        SdkError::ConstructionFailure(_) => {
            Failure::Invalid(format!("{operation} can't be asked for like this"))
        }
        SdkError::DispatchFailure(dispatch) => {
            let broken = dispatch.as_connector_error().and_then(|error| error.source()?.downcast_ref());
            match broken {
                Some(Broken::NeverSent(cause)) => Failure::NeverSent(cause.clone()),
                Some(broken) => Failure::Ambiguous(format!("{operation}: {broken}")),
                None => Failure::Ambiguous(format!("{operation}: the call broke off")),
            }
        }
        SdkError::TimeoutError(_) => Failure::Ambiguous(format!("{operation} was not answered in time")),
        _ => Failure::Ambiguous(format!("{operation} was answered with what can't be read")),
    }
}

pub(super) fn class(answered: &Answered<'_>, message: String, retry_after: Option<Duration>) -> Failure {
    match answered.status {
        _ if answered.is_unauthorised() => Failure::Auth(message),
        _ if answered.is_throttled() => Failure::Throttled { message, retry_after },
        _ if answered.is_unsupported() => Failure::Unsupported(message),
        _ if answered.is_ambiguous() || answered.is_another_document() || answered.is_anothers() => {
            Failure::Ambiguous(message)
        }
        404 => Failure::DependencyMissing(message),
        // Where a bucket of this name is, or was, is not known everywhere yet.
        307 => Failure::Conflict(message),
        // A number of users, keys or versions that is full does not become smaller by itself.
        409 if answered.code == Some("LimitExceeded") => Failure::Invalid(message),
        409 | 412 => Failure::Conflict(message),
        _ => Failure::Invalid(message),
    }
}

/// What a person reads of an answer to another question.
pub fn another_document(operation: &str) -> String {
    format!("{operation} was answered with another document than asked for")
}

/// What a person reads of it. The request's id stays out: a message has to stay the same while its cause does.
fn told(operation: &str, answered: &Answered<'_>, said: Option<&str>, raw: &HttpResponse) -> String {
    if answered.is_another_document() {
        return another_document(operation);
    }
    if let Some(region) = raw.headers().get("x-amz-bucket-region").filter(|_| answered.status == 301) {
        return format!("{operation}: the bucket is in the region {}", Redaction::default().apply(region));
    }
    if answered.is_anothers() {
        return format!("{operation} was answered {}, and not in the words of the service", answered.status);
    }
    let code = answered.code.map_or_else(|| answered.status.to_string(), str::to_owned);
    let said = said.map(|said| format!(": {}", Redaction::default().apply(said))).unwrap_or_default();
    let clock = if code == "RequestTimeTooSkewed" { "; set this machine's clock" } else { "" };
    format!("{operation} was answered {}{said}{clock}", Redaction::default().apply(&code))
}

/// The region in which a bucket is, when the service answers that it is not in the one that was asked.
pub fn region_of<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let raw = error.raw_response()?;
    let elsewhere = matches!(raw.status().as_u16(), 301 | 307 | 400);
    let region = raw.headers().get("x-amz-bucket-region").filter(|_| elsewhere)?;
    // It becomes a part of a host name and of a signature.
    let plain = region.len() <= 32 && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    plain.then(|| region.to_owned())
}

fn retry_after(raw: &HttpResponse, now: Timestamp) -> Option<Duration> {
    let date = raw.headers().get("date").and_then(http_date);
    pause(raw.headers().get("retry-after")?, date.or(Some(now)))
}
