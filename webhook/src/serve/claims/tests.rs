//! Claims against an API server that is a map.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::http::{Method, Request, Response, StatusCode};
use concierge_runtime::cache::Keep;
use concierge_shared::{
    admission::{
        claim::{Claim, Holder},
        rule::AdmissionRule,
    },
    field::at,
    kind::by_name,
};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;

const CLAIMS: &str = "/apis/concierge.dev/v1/claims";

/// Objects by path. What it is told to panic at, it panics at.
#[derive(Clone, Default)]
struct ApiServer {
    objects: Arc<Mutex<HashMap<String, Value>>>,
    versions: Arc<AtomicUsize>,
    panics_at: Option<&'static str>,
    /// A resource that it does not serve.
    unserved: Option<&'static str>,
}

impl ApiServer {
    fn with_namespaces(names: &[&str]) -> Self {
        let server = Self::default();
        for name in names {
            server.put(&format!("/api/v1/namespaces/{name}"), json!({"metadata": {"name": name}}));
        }
        server
    }

    fn client(&self) -> Client {
        let this = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let this = this.clone();
            async move { Ok::<_, Infallible>(this.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// Stores an object as a new version of what is at its path.
    fn put(&self, path: &str, mut object: Value) {
        let version = self.versions.fetch_add(1, Relaxed);
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        self.objects.lock().insert(path.to_owned(), object);
    }

    fn put_pet(&self, namespace: &str, name: &str, uid: &str, id: i64) {
        let object = json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet",
            "metadata": {"namespace": namespace, "name": name, "uid": uid},
            "spec": {"id": id, "name": name},
        });
        self.put(&pet_path(namespace, name), object);
    }

    fn version_of(&self, path: &str) -> String {
        self.objects.lock()[path]["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    /// Makes all claims older.
    fn age_claims(&self, seconds: i64) {
        for (path, object) in self.objects.lock().iter_mut() {
            if path.starts_with(CLAIMS) {
                let created: Timestamp =
                    object["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
                object["metadata"]["creationTimestamp"] =
                    json!((created - SignedDuration::from_secs(seconds)).to_string());
            }
        }
    }

    fn holders(&self) -> Vec<String> {
        let objects = self.objects.lock();
        let claims = objects.iter().filter(|(path, _)| path.starts_with(CLAIMS));
        claims.map(|(_, claim)| claim["spec"]["holder"]["uid"].as_str().unwrap().to_owned()).collect()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let path = head.uri.path().to_owned();
        assert!(self.panics_at.is_none_or(|at| !path.starts_with(at)), "told to panic at {path}");
        if self.unserved.is_some_and(|resource| path.contains(resource)) {
            return Response::builder()
                .status(404)
                .body("404 page not found".to_owned().into_bytes().into())
                .unwrap();
        }
        let (code, answer) = match head.method {
            Method::GET => self.get(&path),
            Method::POST => self.create(&path, body),
            Method::DELETE => self.delete(&path, &body),
            other => panic!("a claim is never written by {other}"),
        };
        Response::builder().status(code).body(serde_json::to_vec(&answer).unwrap().into()).unwrap()
    }

    fn get(&self, path: &str) -> (StatusCode, Value) {
        let found = self.objects.lock().get(path).cloned();
        found.map_or_else(|| failure(404, "NotFound"), |object| (StatusCode::OK, object))
    }

    fn create(&self, path: &str, mut object: Value) -> (StatusCode, Value) {
        let path = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap());
        if self.objects.lock().contains_key(&path) {
            return failure(409, "AlreadyExists");
        }
        object["metadata"]["creationTimestamp"] = json!(Timestamp::now().to_string());
        object["metadata"]["uid"] = json!(format!("claim-{}", self.versions.fetch_add(1, Relaxed)));
        self.put(&path, object);
        (StatusCode::CREATED, self.objects.lock()[&path].clone())
    }

    fn delete(&self, path: &str, options: &Value) -> (StatusCode, Value) {
        let mut objects = self.objects.lock();
        let Some(object) = objects.get(path) else { return failure(404, "NotFound") };
        for field in ["uid", "resourceVersion"] {
            if options["preconditions"][field] != object["metadata"][field] {
                return failure(409, "Conflict");
            }
        }
        objects.remove(path);
        (StatusCode::OK, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
    }
}

fn failure(code: u16, reason: &str) -> (StatusCode, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code,
    });
    (StatusCode::from_u16(code).unwrap(), status)
}

fn pet_path(namespace: &str, name: &str) -> String {
    format!("/apis/petstore.example.com/v1/namespaces/{namespace}/pets/{name}")
}

/// A webhook replica: nothing is shared between two but the API server.
fn replica(server: &ApiServer) -> Claims {
    let (metrics, _) = Metrics::new();
    let live = Live::new(server.client(), metrics.clone());
    // A cache that knows nothing, as one that is far behind.
    let closed = CancellationToken::new();
    closed.cancel();
    let cache = Cache::start(&server.client(), &[], Keep::ForRules, &closed);
    Claims::new(server.client(), live, cache, metrics, ServerClock::default())
}

fn id(number: i64) -> Vec<Claim> {
    let rules = by_name("Pet").unwrap().rules;
    let rule: &'static AdmissionRule = rules.iter().find(|rule| rule.id == "pets.pet.unique-id").unwrap();
    vec![Claim { field: at("spec.id"), rule, key: number.to_string(), taken: None }]
}

fn creates(namespace: &str, name: &str, uid: &str) -> Claimant {
    updates(namespace, name, uid, String::new())
}

fn updates(namespace: &str, name: &str, uid: &str, replaces: String) -> Claimant {
    let holder =
        Holder { kind: "Pet".into(), namespace: namespace.into(), name: name.into(), uid: uid.into() };
    Claimant { holder, replaces }
}

/// Whether the value was given to the claimant.
async fn given(replica: &Claims, number: i64, claimant: Claimant) -> bool {
    replica.reserve(id(number), claimant).await.unwrap().is_empty()
}

#[tokio::test]
async fn a_value_of_an_object_that_cannot_be_read_is_not_given_away() {
    let server = ApiServer::with_namespaces(&["a", "b"]);
    assert!(given(&replica(&server), 7, creates("a", "first", "u-1")).await);
    let unreadable =
        json!({"metadata": {"namespace": "a", "name": "first", "uid": "u-1"}, "spec": {"id": "seven"}});
    server.put(&pet_path("a", "first"), unreadable);
    server.age_claims(70);
    let failed = replica(&server).reserve(id(7), creates("b", "rex", "u-2")).await.unwrap_err().to_string();
    assert!(failed.contains("Pet a/first can't be read"), "{failed}");
    assert_eq!(server.holders(), ["u-1"]);
}

#[tokio::test]
async fn a_value_that_was_taken_over_long_ago_and_freed_is_given_once() {
    let server = ApiServer::with_namespaces(&["a", "b"]);
    assert!(given(&replica(&server), 7, creates("a", "first", "u-1")).await);
    for round in 0..3 {
        server.age_claims(70);
        let (one, other) = (replica(&server), replica(&server));
        assert!(given(&one, 7, creates("a", "rex", &format!("a-{round}"))).await);
        // Its object is not stored yet, and the other replica knows nothing of it.
        assert!(!given(&other, 7, creates("b", "rex", &format!("b-{round}"))).await);
        assert_eq!(server.holders(), [format!("a-{round}")]);
    }
}

#[tokio::test]
async fn of_many_that_want_a_freed_value_at_once_one_gets_it() {
    let server = ApiServer::with_namespaces(&["a"]);
    assert!(given(&replica(&server), 7, creates("a", "old", "u-old")).await);
    server.age_claims(70);
    let replicas: Vec<_> = (0..20).map(|_| replica(&server)).collect();
    let asks = replicas.iter().enumerate().map(|(number, replica)| {
        given(replica, 7, creates("a", &format!("n-{number}"), &format!("u-{number}")))
    });
    let given = futures::future::join_all(asks).await;
    assert_eq!(given.iter().filter(|given| **given).count(), 1);
}

#[tokio::test]
async fn a_holder_that_changed_its_value_frees_the_old_one_at_once() {
    let server = ApiServer::with_namespaces(&["a"]);
    assert!(given(&replica(&server), 7, creates("a", "rex", "u-1")).await);
    server.put_pet("a", "rex", "u-1", 7);
    assert!(!given(&replica(&server), 7, creates("a", "polly", "u-2")).await);
    server.put_pet("a", "rex", "u-1", 8);
    assert!(given(&replica(&server), 7, creates("a", "polly", "u-2")).await);
}

#[tokio::test]
async fn an_update_under_way_keeps_its_value_until_another_write_won() {
    let server = ApiServer::with_namespaces(&["a"]);
    server.put_pet("a", "rex", "u-1", 1);
    let version = server.version_of(&pet_path("a", "rex"));
    assert!(given(&replica(&server), 7, updates("a", "rex", "u-1", version)).await);
    assert!(!given(&replica(&server), 7, creates("a", "polly", "u-2")).await);
    // Somebody else's write came first, so the API server asks again, for the newer version.
    server.put_pet("a", "rex", "u-1", 1);
    let version = server.version_of(&pet_path("a", "rex"));
    assert!(given(&replica(&server), 7, updates("a", "rex", "u-1", version)).await);
    assert!(!given(&replica(&server), 7, creates("a", "polly", "u-2")).await);
    // And once more, but this time it gives up.
    server.put_pet("a", "rex", "u-1", 1);
    assert!(given(&replica(&server), 7, creates("a", "polly", "u-2")).await);
}

#[tokio::test]
async fn a_value_is_not_kept_from_others_by_what_a_replica_remembers() {
    let server = ApiServer::with_namespaces(&["a"]);
    let one = replica(&server);
    server.put_pet("a", "rex", "u-1", 1);
    let version = server.version_of(&pet_path("a", "rex"));
    assert!(given(&one, 7, updates("a", "rex", "u-1", version)).await);
    server.put_pet("a", "rex", "u-1", 1);
    tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while !given(&one, 7, creates("a", "polly", "u-2")).await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_value_is_not_free_because_its_holders_kind_is_not_served() {
    let server = ApiServer::with_namespaces(&["a"]);
    assert!(given(&replica(&server), 7, creates("a", "rex", "u-1")).await);
    server.put_pet("a", "rex", "u-1", 7);
    server.age_claims(70);
    let blind = ApiServer { unserved: Some("/pets/"), ..server.clone() };
    let reserved = replica(&blind).reserve(id(7), creates("a", "polly", "u-2")).await;
    assert!(matches!(reserved, Err(Failure::Api(_))), "{reserved:?}");
    assert_eq!(server.holders(), ["u-1"]);
    assert!(!given(&replica(&server), 7, creates("a", "polly", "u-2")).await);
}

#[tokio::test]
async fn a_panic_while_reserving_is_a_failure() {
    let server = ApiServer { panics_at: Some(CLAIMS), ..ApiServer::with_namespaces(&["a"]) };
    let reserved = replica(&server).reserve(id(7), creates("a", "rex", "u-1")).await;
    assert!(matches!(reserved, Err(Failure::Ended)), "{reserved:?}");
}

#[tokio::test]
async fn nothing_is_reserved_for_a_namespace_that_does_not_exist() {
    let server = ApiServer::default();
    let reserved = replica(&server).reserve(id(7), creates("nowhere", "rex", "u-1")).await;
    assert!(matches!(reserved, Err(Failure::NoNamespace(_))), "{reserved:?}");
    assert!(server.holders().is_empty());
}

#[tokio::test]
async fn a_namespace_reserves_only_so_much_that_it_does_not_store() {
    let server = ApiServer::with_namespaces(&["a", "b"]);
    let replica = replica(&server);
    let most = i64::try_from(pending::MOST).unwrap();
    for number in 0..most {
        assert!(given(&replica, number, creates("a", &format!("n-{number}"), &format!("u-{number}"))).await);
    }
    let reserved = replica.reserve(id(most), creates("a", "more", "u-more")).await;
    assert!(matches!(reserved, Err(Failure::TooMany(_))), "{reserved:?}");
    assert_eq!(server.holders().len(), pending::MOST);
    assert!(given(&replica, most, creates("b", "other", "u-other")).await);
}

#[tokio::test]
async fn of_several_values_all_are_reserved_or_none() {
    let server = ApiServer::with_namespaces(&["a"]);
    assert!(given(&replica(&server), 2, creates("a", "two", "u-2")).await);
    let both: Vec<_> = [id(1), id(2)].concat();
    let denied = replica(&server).reserve(both, creates("a", "both", "u-both")).await.unwrap();
    assert_eq!(denied.len(), 1);
    tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while server.holders() != ["u-2"] {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}
