//! HTTP: two paths, a body limit, and quick refusals when there is too much to do.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::post,
};
use concierge_shared::admission::{
    answer::{Answer, Refusal},
    envelope::find_uid,
    review::Stage,
};
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::door::Door;

/// The largest review that the API server sends: two objects of 3 MiB and what goes around them.
const BODY_LIMIT: usize = 7 * 1024 * 1024;
/// How much of a body that is too large is read and thrown away, so that its sender reads our answer.
const DISCARD_LIMIT: usize = 32 * 1024 * 1024;
/// The memory that bodies may take together, in KiB.
const BODIES_KIB: usize = 128 * 1024;
/// How many requests may be under way at once.
const CONCURRENCY: usize = 1024;
/// The API server's time-out when it does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the handlers share.
pub(crate) struct ServerState {
    door: Door,
    requests: Semaphore,
    bodies: Semaphore,
    leaving: CancellationToken,
}

/// The routes. Once `leaving` is cancelled, answers ask the API server to open its next connection elsewhere.
pub(crate) fn router(door: Door, leaving: CancellationToken) -> Router {
    let (requests, bodies) = (Semaphore::new(CONCURRENCY), Semaphore::new(BODIES_KIB));
    Router::new()
        .route("/mutate", post(|state, request| answer(Stage::Mutate, state, request)))
        .route("/validate", post(|state, request| answer(Stage::Validate, state, request)))
        .with_state(Arc::new(ServerState { door, requests, bodies, leaving }))
}

async fn answer(stage: Stage, State(state): State<Arc<ServerState>>, request: Request) -> Response {
    let deadline = deadline(Instant::now(), request.uri());
    let mut response = respond(stage, &state, request, deadline).await;
    if state.leaving.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn respond(stage: Stage, state: &ServerState, request: Request, deadline: Instant) -> Response {
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        let why = "send the AdmissionReview as Content-Type: application/json";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    }
    let announced = announced_length(&head.headers).min(BODY_LIMIT);
    let kib = u32::try_from(announced.div_ceil(1024).max(4)).unwrap_or(u32::MAX);
    let (Ok(_request), Ok(_memory)) = (state.requests.try_acquire(), state.bodies.try_acquire_many(kib))
    else {
        state.door.metrics.shed.inc();
        let retry = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
        return (StatusCode::TOO_MANY_REQUESTS, retry, "too many reviews at once").into_response();
    };
    match tokio::time::timeout_at(deadline.into(), read(body, announced)).await {
        Ok(Ok(Read::Whole(body))) => json(&state.door.answer(stage, &body, deadline).await),
        Ok(Ok(Read::TooLarge(beginning))) => {
            let uid = find_uid(&beginning).unwrap_or_default();
            let why = format!("the review is larger than {} MiB; make the object smaller", BODY_LIMIT >> 20);
            let mut response = json(&Answer::failed(uid, Refusal::BadRequest, why));
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Ok(Err(error)) => {
            (StatusCode::BAD_REQUEST, format!("the body could not be read: {error}")).into_response()
        }
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time").into_response(),
    }
}

enum Read {
    Whole(Vec<u8>),
    TooLarge(Vec<u8>),
}

/// Reads a body into one buffer; of one that is too large, the beginning.
async fn read(body: Body, announced: usize) -> Result<Read, axum::Error> {
    let mut buffer = Vec::with_capacity(announced);
    let mut discarded = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if discarded == 0 && buffer.len() + chunk.len() <= BODY_LIMIT {
            buffer.extend_from_slice(&chunk);
            continue;
        }
        discarded += chunk.len();
        if discarded > DISCARD_LIMIT {
            break;
        }
    }
    Ok(if discarded == 0 { Read::Whole(buffer) } else { Read::TooLarge(buffer) })
}

fn json(answer: &Answer) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer.to_json()).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn announced_length(headers: &HeaderMap) -> usize {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(4096)
}

/// When the answer must be on its way: a tenth before the API server's own time-out, which it sends as
/// `?timeout=5s`.
fn deadline(now: Instant, uri: &Uri) -> Instant {
    let parameters = uri.query().unwrap_or_default().split('&');
    let seconds =
        parameters.filter_map(|one| one.strip_prefix("timeout=")?.strip_suffix('s')?.parse().ok()).next();
    let timeout = seconds.map_or(DEFAULT_TIMEOUT, Duration::from_secs).min(Duration::from_secs(30));
    now + timeout - (timeout / 10).min(Duration::from_millis(500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_a_tenth_before_the_api_servers() {
        let now = Instant::now();
        let left = |uri: &str| deadline(now, &uri.parse().unwrap()) - now;
        assert_eq!(left("/validate?timeout=5s"), Duration::from_millis(4500));
        assert_eq!(left("/validate?a=b&timeout=1s"), Duration::from_millis(900));
        assert_eq!(left("/validate"), Duration::from_millis(9500));
        assert_eq!(left("/validate?timeout=x"), Duration::from_millis(9500));
    }
}
