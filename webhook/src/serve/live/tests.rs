use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use axum::http::{Method, Request, Response, Uri};
use concierge_shared::admission::lookup::{Lookup, Nothing};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

/// What a user may write into annotations.
const ANNOTATION: usize = 100 * 1024;

/// An API server with pets that have long annotations.
#[derive(Default)]
struct ApiServer {
    pets: usize,
    /// The pet that is not of its kind's form.
    odd: Option<usize>,
    /// The largest answer so far, in bytes.
    largest: AtomicUsize,
    /// Whether it fails to say who may do what.
    fails: AtomicBool,
    reviews: AtomicUsize,
}

impl ApiServer {
    fn live(self: &Arc<Self>) -> Live {
        let this = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let this = this.clone();
            async move { Ok::<_, Infallible>(this.answer(request).await) }
        });
        Live::new(Client::new(service, "default"), Metrics::new().0)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let name = head.uri.path().rsplit('/').next().unwrap();
        let (code, answer) = match (head.method, name) {
            (Method::POST, _) => self.review(&body.collect().await.unwrap().to_bytes()),
            (_, "pets") => (200, self.page(&head.uri)),
            (_, pet) => (200, self.pet(pet.parse().unwrap())),
        };
        let answer = answer.to_string();
        self.largest.fetch_max(answer.len(), Relaxed);
        Response::builder().status(code).body(answer.into_bytes().into()).unwrap()
    }

    fn review(&self, asked: &[u8]) -> (u16, Value) {
        self.reviews.fetch_add(1, Relaxed);
        let mut review: Value = serde_json::from_slice(asked).unwrap();
        review["status"] = json!({"allowed": true});
        if self.fails.load(Relaxed) { (500, json!({})) } else { (201, review) }
    }

    fn page(&self, uri: &Uri) -> Value {
        let asked = |name: &str| {
            let mut parameters = uri.query().unwrap().split('&');
            parameters.find_map(|one| one.strip_prefix(name)?.strip_prefix('=')?.parse::<usize>().ok())
        };
        let from = asked("continue").unwrap_or(0);
        let to = self.pets.min(from + asked("limit").unwrap());
        let more = if to < self.pets { json!(to.to_string()) } else { Value::Null };
        let items: Vec<_> = (from..to).map(|number| self.pet(number)).collect();
        json!({"metadata": {"resourceVersion": "1", "continue": more}, "items": items})
    }

    fn pet(&self, number: usize) -> Value {
        let id = if self.odd == Some(number) { json!("seven") } else { json!(number) };
        json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet", "spec": {"id": id, "name": "Rex"},
            "metadata": {"namespace": "zoo", "name": number.to_string(), "annotations": {"a/b": "x".repeat(ANNOTATION)}},
        })
    }
}

fn pets() -> Need {
    Need::List { kind: "Pet", namespace: "zoo".into() }
}

#[test]
fn what_one_token_may_read_is_not_taken_for_what_another_of_the_same_user_may() {
    let whole = UserInfo { username: "ann".into(), uid: "1".into(), ..UserInfo::default() };
    let scoped = || UserInfo {
        username: "ann".into(),
        uid: "1".into(),
        extra: Some(r#"{"scopes":["a"]}"#),
        ..UserInfo::default()
    };
    let again = UserInfo { username: "ann".into(), uid: "2".into(), ..UserInfo::default() };
    assert_ne!(digest(&whole), digest(&scoped()));
    assert_ne!(digest(&whole), digest(&again));
    assert_eq!(digest(&scoped()), digest(&scoped()));
}

#[tokio::test]
async fn a_list_is_read_in_small_pages_and_of_each_object_no_more_is_kept_than_rules_read() {
    for (pets_there, complete) in [(60, true), (501, false)] {
        let server = Arc::new(ApiServer { pets: pets_there, ..ApiServer::default() });
        let read = server.live().one(&pets()).await.unwrap();
        assert_eq!((read.objects.len(), read.complete), (pets_there.min(500), complete));
        assert!(read.objects.iter().all(|pet| pet.meta().annotations.is_none()));
        let largest = server.largest.load(Relaxed);
        assert!(largest < 4 * 1024 * 1024, "an answer of {largest} bytes");
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_hides_no_other_and_is_not_taken_for_none() {
    let server = Arc::new(ApiServer { pets: 3, odd: Some(1), ..ApiServer::default() });
    let live = server.live();
    let read = live.one(&pets()).await.unwrap();
    let names: Vec<_> = read.objects.iter().map(Stored::name).collect();
    assert_eq!((names, read.complete), (vec!["0", "2"], false));
    let pet = |name: &str| Need::Object { kind: "Pet", namespace: "zoo".into(), name: name.into() };
    assert_eq!(live.object(pet("2")).await.unwrap().unwrap().name(), "2");
    let told = live.object(pet("1")).await.unwrap_err().to_string();
    assert!(told.contains("Pet zoo/1 can't be read"), "{told}");
}

#[tokio::test]
async fn a_right_that_cannot_be_asked_about_is_unknown_and_asked_about_again() {
    let server = Arc::new(ApiServer { fails: AtomicBool::new(true), ..ApiServer::default() });
    let live = server.live();
    let needs = [Need::Permission { kind: "Project", namespace: "acme".into(), name: "shop".into() }];
    for (fails, may, reviews) in
        [(true, None, 1), (true, None, 2), (false, Some(true), 3), (true, Some(true), 3)]
    {
        server.fails.store(fails, Relaxed);
        let mut fresh = Fresh::new(&Nothing);
        live.read(&UserInfo::default(), &needs, &mut fresh).await;
        assert_eq!(fresh.may_read("Project", "acme", "shop"), may);
        assert_eq!(server.reviews.load(Relaxed), reviews);
    }
}
