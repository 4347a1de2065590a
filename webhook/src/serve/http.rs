//! HTTP: two paths, a body limit, and quick refusals when there is too much to do. Every answer is a review.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
    routing::post,
};
use concierge_shared::admission::{
    answer::{Answer, Refusal},
    envelope::find_uid,
    review::Stage,
};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::door::{Door, kib};

/// The largest review that the API server sends: two objects of 3 MiB and what goes around them.
const BODY_LIMIT: usize = 7 * 1024 * 1024;
/// How much of a body that is too large is read and thrown away, so that its sender reads our answer.
const DISCARD_LIMIT: usize = 32 * 1024 * 1024;
/// How much of a body is kept in which nothing but the review's UID is looked for.
const BEGINNING: usize = 4096;
/// The memory that bodies may take together, in KiB.
const BODIES_KIB: usize = 128 * 1024;
/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);
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
    let announced = announced_length(&head.headers).min(BODY_LIMIT);
    let (Ok(_request), Ok(_memory)) =
        (state.requests.try_acquire(), state.bodies.try_acquire_many(kib(announced)))
    else {
        state.door.metrics.shed.inc();
        let why = "there are too many reviews at once; try again";
        return undecided(stage, body, deadline, Refusal::TooManyRequests, why).await;
    };
    if !is_json(&head.headers) {
        let why = "the review is not sent as Content-Type: application/json";
        return undecided(Stage::Validate, body, deadline, Refusal::BadRequest, why).await;
    }
    let (buffer, read) = read(body, announced, BODY_LIMIT, deadline.min(Instant::now() + ARRIVAL)).await;
    match read {
        Read::Whole => json(&state.door.answer(stage, &buffer, deadline).await),
        Read::TooLarge => {
            let why = format!("the review is larger than {} MiB; make the object smaller", BODY_LIMIT >> 20);
            closing(&refused(Stage::Validate, &buffer, Refusal::BadRequest, why))
        }
        Read::Broken => {
            let why = "the review could not be read to its end";
            closing(&refused(Stage::Validate, &buffer, Refusal::BadRequest, why))
        }
        Read::Late => {
            state.door.metrics.deadlines.inc();
            let why = "the review did not arrive in time; try again";
            closing(&refused(stage, &buffer, Refusal::Timeout, why))
        }
    }
}

/// The answer to a review of which only the UID is read.
async fn undecided(stage: Stage, body: Body, deadline: Instant, refusal: Refusal, why: &str) -> Response {
    let (beginning, read) = read(body, 0, BEGINNING, deadline).await;
    let answer = refused(stage, &beginning, refusal, why);
    if matches!(read, Read::Whole) { json(&answer) } else { closing(&answer) }
}

/// The answer to a review that begins like this. A mutating call fills in nothing: the validating one decides.
fn refused(stage: Stage, beginning: &[u8], refusal: Refusal, why: impl Into<String>) -> Answer {
    let uid = find_uid(beginning).unwrap_or_default();
    match stage {
        Stage::Mutate => Answer::admitted(uid, &[]),
        Stage::Validate => Answer::failed(uid, refusal, why),
    }
}

enum Read {
    Whole,
    TooLarge,
    Broken,
    Late,
}

/// Reads a body into one buffer, or without a copy when it comes in one piece; of one that is larger than `limit`, the
/// beginning. Its rest is thrown away, so that its sender reads our answer.
async fn read(mut body: Body, announced: usize, limit: usize, deadline: Instant) -> (Bytes, Read) {
    let mut buffer = Vec::new();
    let mut discarded = 0;
    let read = loop {
        let frame = match tokio::time::timeout_at(deadline.into(), body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) if discarded == 0 => break Read::Whole,
            Ok(None) => break Read::TooLarge,
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "a body broke off");
                break Read::Broken;
            }
            Err(_) => break Read::Late,
        };
        // Trailers say nothing.
        let Ok(chunk) = frame.into_data() else { continue };
        if buffer.is_empty() && chunk.len() <= limit && body.is_end_stream() {
            return (chunk, Read::Whole);
        }
        if buffer.capacity() == 0 {
            buffer.reserve_exact(announced.min(limit));
        }
        let kept = chunk.len().min(limit - buffer.len());
        buffer.extend_from_slice(&chunk[..kept]);
        discarded += chunk.len() - kept;
        if discarded > DISCARD_LIMIT {
            break Read::TooLarge;
        }
    };
    (buffer.into(), read)
}

fn closing(answer: &Answer) -> Response {
    let mut response = json(answer);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn json(answer: &Answer) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer.to_json()).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// How long the body is, the longest when nobody says.
fn announced_length(headers: &HeaderMap) -> usize {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(BODY_LIMIT)
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
    use std::convert::Infallible;

    use concierge_runtime::{
        cache::{Cache, Keep},
        clock::ServerClock,
        logs::Seldom,
    };
    use concierge_shared::{admission::rule::Enforcement, group::Settings};
    use futures::StreamExt;
    use kube::Client;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::serve::{claims::Claims, door::EVALUATED_KIB, live::Live, metrics::Metrics};

    /// One whose API server never answers.
    fn door() -> Door {
        let answer = |_: Request<kube::client::Body>| {
            std::future::pending::<Result<Response<kube::client::Body>, Infallible>>()
        };
        let client = Client::new(tower::service_fn(answer), "default");
        let (metrics, _) = Metrics::new();
        let cache = Cache::start(&client, &[], Keep::ForRules, &CancellationToken::new());
        let live = Live::new(client.clone(), metrics.clone());
        Door {
            cache: cache.clone(),
            live: live.clone(),
            claims: Claims::new(client, live, cache, metrics.clone(), ServerClock::default()),
            enforcement: Enforcement::default(),
            settings: Settings::default(),
            metrics,
            turns: Semaphore::new(EVALUATED_KIB),
            knows_callers: false,
            no_review: Seldom::default(),
        }
    }

    fn create(id: Value, size: usize) -> Request {
        let pet = json!({
            "metadata": {"name": "rex", "namespace": "zoo", "uid": "u", "managedFields": [{"manager": "x".repeat(size)}]},
            "spec": {"id": id, "name": "Rex"},
        });
        let kind = json!({"group": "petstore.example.com", "version": "v1", "kind": "Pet"});
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "u-1", "kind": kind, "namespace": "zoo", "operation": "CREATE", "object": pet},
        });
        let request = axum::http::Request::post("/validate").header(header::CONTENT_TYPE, "application/json");
        request.body(review.to_string().into()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_review_does_not_wait_for_large_ones_that_wait_for_the_api_server() {
        let router = router(door(), CancellationToken::new());
        for _ in 0..6 {
            tokio::spawn(router.clone().oneshot(create(json!(1), 3 * 1024 * 1024)));
        }
        // Until they wait: nothing of it takes time.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let answer = review(router.oneshot(create(json!("one"), 0)).await.unwrap()).await;
        assert_eq!(answer["status"]["code"], 422, "{answer}");
    }

    #[test]
    fn the_deadline_is_a_tenth_before_the_api_servers() {
        let now = Instant::now();
        let left = |uri: &str| deadline(now, &uri.parse().unwrap()) - now;
        assert_eq!(left("/validate?timeout=5s"), Duration::from_millis(4500));
        assert_eq!(left("/validate?a=b&timeout=1s"), Duration::from_millis(900));
        assert_eq!(left("/validate"), Duration::from_millis(9500));
        assert_eq!(left("/validate?timeout=x"), Duration::from_millis(9500));
    }

    const BEGUN: &str = r#"{"kind":"AdmissionReview","request":{"uid":"u-1","kind":"#;

    async fn review(response: Response) -> Value {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let review: Value = serde_json::from_slice(&bytes).unwrap();
        review["response"].clone()
    }

    #[tokio::test(start_paused = true)]
    async fn a_review_that_never_ends_is_answered_by_one_with_its_uid() {
        let chunks =
            futures::stream::iter([Ok::<_, std::io::Error>(BEGUN)]).chain(futures::stream::pending());
        let (body, deadline) = (Body::from_stream(chunks), Instant::now() + Duration::from_secs(1));
        let (buffer, read) = read(body, 0, BODY_LIMIT, deadline).await;
        assert!(matches!(read, Read::Late));
        let late = review(json(&refused(Stage::Validate, &buffer, Refusal::Timeout, "late"))).await;
        assert_eq!((&late["uid"], &late["status"]["code"]), (&"u-1".into(), &504.into()));
        let late = review(json(&refused(Stage::Mutate, &buffer, Refusal::Timeout, "late"))).await;
        assert_eq!((&late["uid"], &late["allowed"]), (&"u-1".into(), &true.into()));
    }

    #[tokio::test]
    async fn of_a_review_that_is_not_read_only_the_beginning_is_kept() {
        let body = format!("{BEGUN}{}", "x".repeat(100_000));
        let deadline = Instant::now() + Duration::from_secs(5);
        let (buffer, read) = read(body.clone().into(), 0, BEGINNING, deadline).await;
        assert!(matches!(read, Read::TooLarge) && buffer.len() == BEGINNING);
        let shed = undecided(Stage::Validate, body.into(), deadline, Refusal::TooManyRequests, "busy").await;
        assert_eq!(shed.headers()["connection"], "close");
        let shed = review(shed).await;
        assert_eq!((&shed["uid"], &shed["status"]["code"]), (&"u-1".into(), &429.into()));
    }

    #[tokio::test]
    async fn a_body_that_comes_in_one_piece_is_not_copied_and_another_is_put_together() {
        let deadline = Instant::now() + Duration::from_secs(5);
        let whole = Bytes::from_static(BEGUN.as_bytes());
        let (body, ended) = read(whole.clone().into(), whole.len(), BODY_LIMIT, deadline).await;
        assert!(matches!(ended, Read::Whole) && body.as_ptr() == whole.as_ptr() && body == whole);
        let pieces =
            BEGUN.as_bytes().chunks(7).map(Ok::<_, std::io::Error>).map(|piece| piece.map(Bytes::from));
        let pieces = Body::from_stream(futures::stream::iter(pieces));
        let (body, ended) = read(pieces, whole.len(), BODY_LIMIT, deadline).await;
        assert!(matches!(ended, Read::Whole) && body == whole);
    }
}
