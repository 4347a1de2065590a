//! The watch caches against an API server that answers from memory, on paused time.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use bytes::Bytes;
use concierge_runtime::cache::{Cache, Keep};
use concierge_shared::admission::lookup::{Found, Lookup};
use futures::{StreamExt, stream};
use kube::Client;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// What the API server does now.
#[derive(Clone, Default)]
struct Mood {
    /// Connections are refused, and those that are open are cut.
    away: bool,
    /// Requests get no answer, open watches are silent.
    frozen: bool,
    /// How many times all connections were cut.
    cuts: usize,
    /// What lists and watches of a resource are answered with, by `resource` or `namespace/resource`.
    refusals: BTreeMap<String, u16>,
    /// Watches of this resource end with 410, and its lists fail.
    expired: Option<&'static str>,
    /// Lists come as streams, with or without the mark at their end; else whoever asks for one is refused.
    streams: Option<bool>,
}

#[derive(Clone)]
struct Api {
    mood: Arc<watch::Sender<Mood>>,
    requests: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Api {
    fn new() -> Self {
        Self { mood: Arc::new(watch::Sender::new(Mood::default())), requests: Arc::default() }
    }

    fn is(&self, change: impl FnOnce(&mut Mood)) {
        self.mood.send_modify(change);
    }

    /// Answers lists and watches of `resource`, or `namespace/resource`, with this.
    fn refuse(&self, resource: &str, code: u16) {
        self.is(|mood| {
            mood.refusals.insert(resource.to_owned(), code);
        });
    }

    /// How often a resource was listed.
    fn lists(&self, resource: &str) -> usize {
        self.requests.lock().unwrap().get(resource).copied().unwrap_or_default()
    }

    fn client(&self) -> Client {
        let api = self.clone();
        let answer = move |request: Request<kube::client::Body>| api.clone().answer(request);
        Client::new(tower::service_fn(answer), "default")
    }

    async fn answer(self, request: Request<kube::client::Body>) -> Result<Response<Body>, io::Error> {
        let mut mood = self.mood.subscribe();
        // What is asked of a frozen API server is answered when it goes on.
        mood.wait_for(|mood| !mood.frozen).await.map_err(io::Error::other)?;
        let now = mood.borrow_and_update().clone();
        if now.away {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        }
        let path = request.uri().path().to_owned();
        let (resource, namespace) = names(&path);
        let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        if !watches {
            *self.requests.lock().unwrap().entry(resource.clone()).or_default() += 1;
        }
        let of_namespace = format!("{namespace}/{resource}");
        let refusal = now.refusals.get(&*resource).or_else(|| now.refusals.get(&*of_namespace)).copied();
        let expired = now.expired == Some(&*resource);
        let streamed = request.uri().query().is_some_and(|query| query.contains("sendInitialEvents=true"));
        Ok(match (refusal, watches) {
            (Some(code), _) => failure(code),
            (None, false) if expired => failure(500),
            (None, false) => list(&resource, &namespace),
            (None, true) if streamed && now.streams.is_none() => failure(422),
            (None, true) if streamed => {
                let first = stream::iter(streamed_list(&resource, &namespace, now.streams == Some(true)));
                let events = first.map(Ok).chain(events(resource, namespace, mood, now.cuts));
                Response::new(Body::from_stream(events))
            }
            (None, true) => Response::new(Body::from_stream(events(resource, namespace, mood, now.cuts))),
        })
    }
}

/// A silent watch of 30 seconds with a bookmark at its end, unless something happens to it.
fn events(
    resource: String,
    namespace: String,
    mood: watch::Receiver<Mood>,
    cuts: usize,
) -> impl futures::Stream<Item = Result<Bytes, io::Error>> {
    stream::once(async move {
        let mut mood = mood;
        let ends = Instant::now() + Duration::from_secs(30);
        let path = format!("{namespace}/{resource}");
        let over = |mood: &Mood| {
            mood.away
                || mood.cuts != cuts
                || mood.refusals.contains_key(&*path)
                || mood.refusals.contains_key(&*resource)
                || (!mood.frozen && mood.expired == Some(&*resource))
        };
        let happened = tokio::time::timeout_at(ends, mood.wait_for(over)).await.is_ok();
        if happened {
            let expired = mood.borrow().expired == Some(&*resource);
            return if expired { Ok(error_event(410)) } else { Err(io::ErrorKind::ConnectionReset.into()) };
        }
        let thawed = mood.wait_for(|mood| !mood.frozen).await.is_ok();
        assert!(thawed, "the API server goes on");
        let mark = json!({ "kind": "X", "apiVersion": "v1", "metadata": { "resourceVersion": "10" } });
        Ok(event("BOOKMARK", &mark))
    })
    .chain(stream::empty::<Result<Bytes, io::Error>>())
}

fn names(path: &str) -> (String, String) {
    let parts: Vec<_> = path.split('/').collect();
    let namespace = parts.iter().position(|part| *part == "namespaces").and_then(|at| {
        // The last part is the resource itself.
        (at + 2 < parts.len()).then(|| parts[at + 1].to_owned())
    });
    (parts.last().copied().unwrap_or_default().to_owned(), namespace.unwrap_or_default())
}

/// As the API server writes it: the type first.
fn event(kind: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n"))
}

fn status(code: u16) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "no", "reason": "", "code": code })
}

fn error_event(code: u16) -> Bytes {
    event("ERROR", &status(code))
}

fn failure(code: u16) -> Response<Body> {
    let mut response = Response::new(Body::from(status(code).to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

/// A list in a list, and so on.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

/// There are the namespaces `a` and `b`, and in `a` the pet `rex`, the project `shop`, and one more of each.
fn items(resource: &str, namespace: &str) -> Vec<Value> {
    let pet = json!({
        "apiVersion": "petstore.example.com/v1", "kind": "Pet", "spec": { "id": 1, "name": "rex" },
        "metadata": { "name": "rex", "namespace": "a", "uid": "u1", "resourceVersion": "5", "generation": 1,
            // Whoever may change an object may write these as he likes.
            "managedFields": [{ "manager": "odd", "fieldsV1": nested(200) }] }
    });
    let project = |name: &str, monitoring: Value| {
        json!({
            "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Project",
            "metadata": { "name": name, "namespace": "a", "uid": name, "resourceVersion": "5" },
            "spec": { "sources": [], "monitoring": monitoring },
        })
    };
    // As a definition of old may have let it in.
    let unreadable = json!({
        "apiVersion": "petstore.example.com/v1", "kind": "Pet", "spec": { "id": "seven" },
        "metadata": { "name": "odd", "namespace": "a", "uid": "u2", "resourceVersion": "5", "generation": 1 }
    });
    let of_name = |name: &str| json!({ "metadata": { "name": name, "resourceVersion": "5" } });
    match (resource, namespace) {
        ("pets", "" | "a") => vec![unreadable, pet],
        ("projects", "" | "a") => vec![project("deep", nested(200)), project("shop", nested(126))],
        ("namespaces", _) => vec![of_name("a"), of_name("b")],
        _ => vec![],
    }
}

fn list(resource: &str, namespace: &str) -> Response<Body> {
    let items = items(resource, namespace);
    let list = json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "10" }, "items": items });
    Response::new(Body::from(list.to_string()))
}

/// The same as a stream.
fn streamed_list(resource: &str, namespace: &str, marked: bool) -> Vec<Bytes> {
    let items = items(resource, namespace);
    let mut events: Vec<_> = items.iter().map(|object| event("ADDED", object)).collect();
    let end = json!({ "k8s.io/initial-events-end": "true" });
    let mark = json!({ "kind": "X", "apiVersion": "v1", "metadata": { "resourceVersion": "10", "annotations": end } });
    events.extend(marked.then(|| event("BOOKMARK", &mark)));
    events
}

async fn start(api: &Api, namespaces: &[&str]) -> Arc<Cache> {
    let namespaces: Vec<_> = namespaces.iter().map(|name| (*name).to_owned()).collect();
    Cache::start(&api.client(), &namespaces, Keep::Objects, &CancellationToken::new())
}

async fn synced(api: &Api, namespaces: &[&str]) -> Arc<Cache> {
    let cache = start(api, namespaces).await;
    timeout(Duration::from_secs(10), cache.wait_synced()).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(cache.check().as_deref(), Ok("ok"));
    assert_eq!(rex(&cache), "present");
    cache
}

fn rex(cache: &Cache) -> &'static str {
    match cache.find("Pet", "a", "rex") {
        Found::Present(_) => "present",
        Found::Absent => "absent",
        Found::Unknown => "unknown",
    }
}

fn complete(cache: &Cache, kind: &'static str) -> bool {
    cache.select(kind, "any").complete
}

/// How long it takes until every kind is believed.
async fn until_ready(cache: &Cache) -> Duration {
    let began = Instant::now();
    while cache.check().is_err() {
        sleep(Duration::from_millis(100)).await;
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", cache.check());
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_idle_kinds_are_believed_again_within_five_seconds() {
    for outage in [3, 10, 60, 120] {
        let api = Api::new();
        let cache = synced(&api, &[]).await;
        api.is(|api| api.away = true);
        sleep(Duration::from_secs(outage)).await;
        assert_eq!(cache.check().is_err(), outage > 15, "after {outage} s: {:?}", cache.check());
        assert_eq!(rex(&cache), if outage > 15 { "unknown" } else { "present" });
        api.is(|api| api.away = false);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(cache.check().as_deref(), Ok("ok"), "after {outage} s");
        assert_eq!(rex(&cache), "present");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_idle_kinds_are_believed_again_within_five_seconds() {
    for pause in [10, 60, 120] {
        let api = Api::new();
        let cache = synced(&api, &[]).await;
        api.is(|api| api.frozen = true);
        sleep(Duration::from_secs(pause)).await;
        assert_eq!(rex(&cache), if pause > 55 { "unknown" } else { "present" }, "after {pause} s");
        api.is(|api| api.frozen = false);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(cache.check().as_deref(), Ok("ok"), "after {pause} s");
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_cut_do_not_matter() {
    let api = Api::new();
    let cache = synced(&api, &[]).await;
    for _ in 0..20 {
        api.is(|api| api.cuts += 1);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(rex(&cache), "present");
    }
    sleep(Duration::from_secs(600)).await;
    assert_eq!(cache.check().as_deref(), Ok("ok"));
    assert_eq!(api.lists("pets"), 1, "a watch goes on where it broke off");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_is_not_believed_and_is_repeated_slowly() {
    let api = Api::new();
    let cache = synced(&api, &[]).await;
    api.is(|api| api.expired = Some("pets"));
    sleep(Duration::from_secs(16)).await;
    assert_eq!(rex(&cache), "unknown");
    assert!(!complete(&cache, "Pet"));
    assert_eq!(cache.check(), Err("watch of Pet broken".to_owned()));
    let before = api.lists("pets");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(rex(&cache), "unknown");
    let lists = api.lists("pets") - before;
    assert!((20..=28).contains(&lists), "{lists} lists in a minute");
    api.is(|api| api.expired = None);
    assert!(until_ready(&cache).await < Duration::from_secs(5));
    assert_eq!(rex(&cache), "present");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_missing_or_forbidden_is_off_and_stops_no_other() {
    for (code, why) in
        [(404, "its CustomResourceDefinition is not installed"), (403, "may not list or watch")]
    {
        let api = Api::new();
        api.refuse("pets", code);
        let cache = start(&api, &[]).await;
        timeout(Duration::from_secs(5), cache.wait_synced()).await.unwrap();
        let told = cache.check().unwrap();
        assert!(told.starts_with("ok\nPet is off: ") && told.contains(why), "{told}");
        assert_eq!(rex(&cache), "unknown");
        assert!(!complete(&cache, "Pet"), "nobody knows what pets there are");
        assert!(complete(&cache, "CoffeeOrder"));
        assert!(cache.believes("CoffeeOrder") && !cache.believes("Pet"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_off_costs_an_api_server_little_and_less_when_it_stays_off() {
    let api = Api::new();
    let kinds = concierge_shared::kind::KINDS.iter().filter(|kind| kind.name != "CoffeeOrder");
    let off: Vec<_> = kinds.map(|kind| (kind.plural)()).collect();
    off.iter().for_each(|plural| api.refuse(plural, 404));
    let cache = start(&api, &[]).await;
    timeout(Duration::from_secs(5), cache.wait_synced()).await.unwrap();
    let asked = || off.iter().map(|plural| api.lists(plural)).sum::<usize>();
    let most = off.len() * 60 / 2;
    let before = asked();
    sleep(Duration::from_secs(60)).await;
    let lately = asked() - before;
    assert!((off.len() * 60 / 3..=most).contains(&lately), "{lately} requests in a minute");
    sleep(Duration::from_secs(700)).await;
    let before = asked();
    sleep(Duration::from_secs(600)).await;
    let later = asked() - before;
    // Each waits up to a quarter less than its share says, so that they don't ask together.
    let share = off.len() * 600 / (2 * off.len()).min(30);
    let bounds = share - off.len()..=share * 4 / 3 + off.len();
    assert!(bounds.contains(&later), "{later} requests in ten minutes, not {bounds:?}");
}

#[tokio::test(start_paused = true)]
async fn when_one_kind_is_back_all_are_asked_for_at_once() {
    let api = Api::new();
    let mut plurals: Vec<_> = concierge_shared::kind::KINDS.iter().map(|kind| (kind.plural)()).collect();
    plurals.iter().for_each(|plural| api.refuse(plural, 403));
    let cache = start(&api, &[]).await;
    // Longer than rights are missing by accident: what is off is asked for seldom now.
    sleep(Duration::from_secs(3600)).await;
    let first = plurals.pop().unwrap();
    api.is(|api| api.refusals.clear());
    let began = Instant::now();
    while api.lists(&first) == 0 || cache.check().as_deref() != Ok("ok") {
        sleep(Duration::from_millis(50)).await;
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", cache.check());
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_comes_back_is_on_again_within_five_seconds() {
    for (code, seconds) in [(404, 20), (403, 20), (403, 60), (404, 590)] {
        let api = Api::new();
        let cache = synced(&api, &[]).await;
        for kind in concierge_shared::kind::KINDS {
            api.refuse(&(kind.plural)(), code);
        }
        sleep(Duration::from_secs(seconds)).await;
        assert!(cache.check().unwrap_err().contains("Pet is off"));
        api.is(|api| api.refusals.clear());
        sleep(Duration::from_secs(4)).await;
        assert_eq!(cache.check().as_deref(), Ok("ok"), "after {seconds} s");
        assert_eq!(rex(&cache), "present");
    }
}

#[tokio::test(start_paused = true)]
async fn one_refusal_of_a_starting_api_server_turns_nothing_off() {
    let api = Api::new();
    let cache = synced(&api, &[]).await;
    api.refuse("pets", 403);
    sleep(Duration::from_millis(50)).await;
    api.is(|api| api.refusals.clear());
    for _ in 0..50 {
        assert_eq!(cache.check().as_deref(), Ok("ok"));
        assert_eq!(rex(&cache), "present");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_namespace_blinds_only_itself() {
    let api = Api::new();
    let cache = synced(&api, &["a", "b"]).await;
    for resource in ["b/pets", "b/petstores"] {
        api.refuse(resource, 403);
    }
    sleep(Duration::from_secs(25)).await;
    assert_eq!(rex(&cache), "present");
    assert!(matches!(cache.find("Pet", "b", "rex"), Found::Unknown));
    assert!(!complete(&cache, "Pet"), "there may be pets in b");
    let told = cache.check().unwrap();
    assert!(told.contains("Pet in b is off") && !told.contains("in a"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_does_not_exist_hides_nothing() {
    let api = Api::new();
    api.refuse("gone/pets", 403);
    let cache = start(&api, &["a", "gone"]).await;
    timeout(Duration::from_secs(10), cache.wait_synced()).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert!(complete(&cache, "Pet"));
    assert_eq!(rex(&cache), "present");
}

#[tokio::test(start_paused = true)]
async fn where_no_kind_may_be_watched_nothing_is_ready() {
    let api = Api::new();
    for kind in concierge_shared::kind::KINDS {
        api.refuse(&(kind.plural)(), 403);
    }
    let cache = start(&api, &[]).await;
    timeout(Duration::from_secs(5), cache.wait_synced()).await.unwrap();
    assert!(cache.check().unwrap_err().contains("Pet is off"));
}

#[tokio::test(start_paused = true)]
async fn where_the_api_server_has_that_a_list_comes_as_a_stream_in_one_request() {
    let api = Api::new();
    api.is(|mood| mood.streams = Some(true));
    let cache = synced(&api, &[]).await;
    assert_eq!(api.lists("pets"), 0);
    api.is(|mood| mood.cuts += 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((cache.check().as_deref(), rex(&cache)), (Ok("ok"), "present"));
    assert_eq!(api.lists("pets"), 0, "the watch goes on where it broke off");
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_the_mark_at_its_end_is_no_list() {
    let api = Api::new();
    api.is(|mood| mood.streams = Some(false));
    let cache = start(&api, &[]).await;
    sleep(Duration::from_secs(5)).await;
    assert!(!cache.synced());
    timeout(Duration::from_secs(30), cache.wait_synced()).await.unwrap();
    assert_eq!((rex(&cache), api.lists("pets")), ("present", 1));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_hides_no_other_and_is_told_by_name() {
    for streams in [None, Some(true)] {
        let api = Api::new();
        api.is(|mood| mood.streams = streams);
        let cache = synced(&api, &[]).await;
        assert!(matches!(cache.find("Pet", "a", "odd"), Found::Absent));
        assert_eq!((rex(&cache), cache.len("Pet")), ("present", 1));
        assert!(matches!(cache.find("Project", "a", "shop"), Found::Present(_)));
        let unreadable = cache.unreadable();
        let mut told: Vec<_> = unreadable.iter().map(|one| (one.kind, &*one.name, &*one.error)).collect();
        told.sort_unstable();
        let [("Pet", "odd", _), ("Project", "deep", why)] = told[..] else { panic!("{told:?}") };
        assert!(why.starts_with("spec: recursion limit exceeded"), "{why}");
    }
}
