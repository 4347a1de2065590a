//! From an answer to a value or an error: the one place that decides what an answer proves.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Doubt, Error, Refusal};
use super::operation::Operation;
use super::transport::Answer;
use crate::common::{http, redaction::Redaction};

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default, rename = "type")]
    kind: String,
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    param: Option<String>,
}

/// Reads an answer. `redaction` hides what was sent from the shop's own words.
pub(super) fn read<T: DeserializeOwned>(
    operation: Operation,
    answer: &Answer,
    redaction: &Redaction,
) -> Result<T, Error> {
    let status = answer.status;
    match status {
        200..=299 => serde_json::from_slice::<Envelope<T>>(&answer.body)
            .map(|envelope| envelope.data)
            .map_err(|_| doubtful(operation, Doubt::Unreadable)),
        401 => Err(Error::Auth { operation }),
        429 => Err(Error::Throttled { operation, retry_after: wait(answer) }),
        // A gateway says 408 when the shop behind it was too slow: whether it worked is open.
        408 => Err(doubtful(operation, Doubt::Status(status))),
        400..=499 => Err(refusal(status, &answer.body, redaction)
            .map(|refusal| Error::Refused { operation, refusal: Box::new(refusal) })
            .unwrap_or_else(|| doubtful(operation, Doubt::Status(status)))),
        _ => Err(doubtful(operation, Doubt::Status(status))),
    }
}

/// The error for a request that was sent and proved nothing.
pub(super) fn doubtful(operation: Operation, doubt: Doubt) -> Error {
    match operation.is_repeatable() {
        true => Error::Transient { operation, doubt },
        false => Error::Ambiguous { operation, doubt },
    }
}

/// The shop's error body, or nothing if it is someone else's: a proxy's page proves nothing about the shop.
fn refusal(status: u16, body: &[u8], redaction: &Redaction) -> Option<Refusal> {
    let complaint: Complaint = serde_json::from_slice(body).ok()?;
    Some(Refusal {
        status,
        kind: redaction.apply(&complaint.kind),
        code: redaction.apply(&complaint.code),
        message: redaction.apply(&complaint.message),
        param: complaint.param.map(|param| redaction.apply(&param)),
    })
}

fn wait(answer: &Answer) -> Option<Duration> {
    http::pause(answer.retry_after.as_deref()?, answer.date.as_deref().and_then(http::http_date))
}

#[cfg(test)]
mod tests {
    use super::super::operation::{CREATE_ORDER, LIST_ORDERS};
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, date: None, body: body.as_bytes().to_vec() }
    }

    fn outcome(operation: Operation, status: u16, body: &str) -> &'static str {
        let read = read::<String>(operation, &answer(status, body), &Redaction::default());
        read.map_or_else(|error| error.outcome().as_str(), |_| "ok")
    }

    const SHOPS: &str = r#"{"type":"validation","code":"invalid_parameter","message":"no"}"#;

    #[test]
    fn an_answer_proves_what_it_says_and_no_more() {
        for (status, body, read, order) in [
            (200, r#"{"data":"ord_1"}"#, "ok", "ok"),
            (201, r#"{"data":"ord_1","more":1}"#, "ok", "ok"),
            (200, r#"{"data":7}"#, "transient", "ambiguous"),
            (200, "<html>", "transient", "ambiguous"),
            (204, "", "transient", "ambiguous"),
            (301, "", "transient", "ambiguous"),
            (400, SHOPS, "refused", "refused"),
            (400, r#"{"code":"payment.invalid","message":"declined"}"#, "refused", "refused"),
            (400, "<html>", "transient", "ambiguous"),
            (401, SHOPS, "auth", "auth"),
            (401, "", "auth", "auth"),
            (403, SHOPS, "refused", "refused"),
            (404, SHOPS, "refused", "refused"),
            (404, "not here", "transient", "ambiguous"),
            (408, SHOPS, "transient", "ambiguous"),
            (409, SHOPS, "refused", "refused"),
            (429, "", "throttled", "throttled"),
            (500, SHOPS, "transient", "ambiguous"),
            (503, "", "transient", "ambiguous"),
        ] {
            assert_eq!(outcome(LIST_ORDERS, status, body), read, "GET, {status} {body}");
            assert_eq!(outcome(CREATE_ORDER, status, body), order, "POST, {status} {body}");
        }
    }

    #[test]
    fn only_the_shops_own_404_means_not_found() {
        let error =
            |body| read::<String>(LIST_ORDERS, &answer(404, body), &Redaction::default()).unwrap_err();
        assert!(error(r#"{"type":"not_found","code":"resource_not_found","message":"gone"}"#).is_not_found());
        assert!(!error("404 page not found").is_not_found());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_shops_clock() {
        let check = |retry_after: Option<&str>, date: Option<&str>, expect: Option<u64>| {
            let (retry_after, date) = (retry_after.map(str::to_owned), date.map(str::to_owned));
            let read = wait(&Answer { status: 429, retry_after, date, body: Vec::new() });
            assert_eq!(read, expect.map(Duration::from_secs));
        };
        let noon = Some("Wed, 21 Oct 2026 12:00:00 GMT");
        check(None, noon, None);
        check(Some("7"), None, Some(7));
        check(Some(" 0 "), None, Some(0));
        check(Some("86400"), None, Some(3600));
        check(Some("-1"), None, None);
        check(Some("soon"), noon, None);
        check(Some("Wed, 21 Oct 2026 12:00:30 GMT"), noon, Some(30));
        check(Some("Wed, 21 Oct 2026 11:00:00 GMT"), noon, Some(0));
        check(Some("Wed, 21 Oct 2026 12:00:30 GMT"), None, None);
    }
}
