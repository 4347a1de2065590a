//! How much memory a cached object takes.

#![allow(clippy::unwrap_used, reason = "a test fails where it finds something wrong")]

use std::{fs, io, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use concierge_runtime::cache::{Cache, Keep};
use kube::Client;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How many pets are cached.
const PETS: usize = 20_000;

/// What a pet may take: four fifths of it are its types and their texts, the rest is the index.
const MOST: usize = 1250;

/// The memory of lists that have come and gone is taken again by those that follow, so the second and the third count.
#[tokio::test]
async fn a_pet_that_the_webhook_caches_takes_little_more_than_a_kilobyte() {
    let client = Client::new(
        tower::service_fn(async |request: Request<kube::client::Body>| answer(&request)),
        "default",
    );
    let closed = CancellationToken::new();
    let mut caches = vec![listed(&client, &closed).await];
    let before = resident_kib();
    caches.extend([listed(&client, &closed).await, listed(&client, &closed).await]);
    let each = (resident_kib() - before) * 1024 / (2 * PETS);
    println!("{each} bytes for each pet");
    assert!(caches.iter().all(|cache| cache.len("Pet") == PETS));
    assert!(each < MOST, "{each} bytes for each pet");
    closed.cancel();
}

async fn listed(client: &Client, closed: &CancellationToken) -> Arc<Cache> {
    let cache = Cache::start(client, &[], Keep::ForRules, closed);
    timeout(Duration::from_secs(60), cache.wait_synced()).await.unwrap();
    cache
}

/// What the kernel says of the memory of this process.
fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS")).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// Pets in pages; there is nothing else, and nothing happens.
fn answer(request: &Request<kube::client::Body>) -> Result<Response<Body>, io::Error> {
    let query = request.uri().query().unwrap_or_default();
    if !request.uri().path().ends_with("/pets") {
        return Ok(refused(StatusCode::NOT_FOUND));
    }
    if query.contains("sendInitialEvents=true") {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY));
    }
    if query.contains("watch=true") {
        let silence = futures::stream::pending::<Result<bytes::Bytes, io::Error>>();
        return Ok(Response::new(Body::from_stream(silence)));
    }
    Ok(Response::new(Body::from(page(query))))
}

fn refused(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

fn page(query: &str) -> String {
    let number = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.parse().unwrap())
    };
    let from = number("continue").unwrap_or(0);
    let until = (from + number("limit").unwrap_or(PETS)).min(PETS);
    let next = if until < PETS { until.to_string() } else { String::new() };
    json!({
        "apiVersion": "petstore.example.com/v1", "kind": "PetList",
        "metadata": { "resourceVersion": "1", "continue": next },
        "items": (from..until).map(pet).collect::<Vec<_>>(),
    })
    .to_string()
}

/// A pet as it is stored after its first run: 2.6 KB.
fn pet(n: usize) -> Value {
    let condition = |kind: &&str| {
        json!({
            "type": kind, "status": "True", "reason": "Reconciled", "observedGeneration": 1,
            "message": "", "lastTransitionTime": "2026-11-21T12:01:21Z",
        })
    };
    let conditions = ["Ready", "Synced", "Valid", "IdUnique", "TagAllowed"];
    json!({
        "apiVersion": "petstore.example.com/v1", "kind": "Pet",
        "metadata": {
            "name": format!("pet-{n}"), "namespace": "zoo", "generation": 1, "resourceVersion": "123456",
            "uid": format!("1e1d8a3c-5a3f-4d55-a6d1-{n:012}"), "creationTimestamp": "2026-11-21T12:01:21Z",
            "labels": { "app.kubernetes.io/managed-by": "kustomize", "team": "mammals" },
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "x".repeat(400) },
            "managedFields": [{ "manager": "kubectl", "operation": "Apply", "fieldsV1": { "f:spec": "x".repeat(500) } }],
        },
        "spec": { "id": n + 1, "name": format!("Pet {n}"), "tag": (["cat", "dog", "owl"][n % 3]) },
        "status": {
            "phase": "Active", "store": "zoo", "observedGeneration": 1,
            "conditions": conditions.iter().map(condition).collect::<Vec<_>>(),
        },
    })
}
