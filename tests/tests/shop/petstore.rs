//! The fake Petstore keeps what the published API promises.

use std::collections::BTreeMap;

use concierge_tests::faults::{Fault, Reply, Request};
use concierge_tests::petstore::{BASE, Petstore};
use serde_json::{Value, json};

async fn call(store: &Petstore, method: &str, path: &str, body: Value) -> (u16, Value) {
    keyed(store, method, path, body, None).await
}

async fn keyed(store: &Petstore, method: &str, path: &str, body: Value, key: Option<&str>) -> (u16, Value) {
    let request = Request {
        method: method.to_owned(),
        target: format!("{BASE}{path}"),
        headers: key.map(|key| ("api_key".to_owned(), key.to_owned())).into_iter().collect(),
        body: body.to_string().into_bytes(),
        ..Request::default()
    };
    match store.host().call(request).await {
        Reply::Answer(response) => (response.status, serde_json::from_slice(&response.body).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn pet(id: i64, name: &str, status: &str, tag: &str) -> Value {
    json!({"id": id, "name": name, "photoUrls": [], "tags": [{"id": 1, "name": tag}], "status": status})
}

#[tokio::test]
async fn a_pet_lives_from_post_to_delete() {
    let store = Petstore::new(1);
    let rex = pet(i64::MAX, "Rex", "available", "dog");
    assert_eq!(call(&store, "POST", "/pet", rex.clone()).await, (200, rex.clone()));
    let path = format!("/pet/{}", i64::MAX);
    let (status, found) = call(&store, "GET", &path, Value::Null).await;
    assert_eq!((status, found["id"].as_i64()), (200, Some(9_223_372_036_854_775_807)));
    let sold = pet(i64::MAX, "Rex", "sold", "dog");
    assert_eq!(call(&store, "PUT", "/pet", sold.clone()).await, (200, sold));
    assert_eq!(call(&store, "DELETE", &path, Value::Null).await.0, 200);
    for method in ["GET", "DELETE"] {
        assert_eq!(call(&store, method, &path, Value::Null).await.0, 404);
    }
    assert_eq!(call(&store, "PUT", "/pet", rex).await.0, 404);
    assert!(store.pets().is_empty());
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let store = Petstore::new(1);
    for body in [json!({}), json!({"id": 1, "name": "Rex"}), json!({"id": 1, "name": "", "photoUrls": []})] {
        assert_eq!(call(&store, "POST", "/pet", body).await.0, 400);
    }
    let odd = json!({"id": 1.5, "name": "Rex", "photoUrls": []});
    let large: Value =
        serde_json::from_str(r#"{"id": 9223372036854775808, "name": "Rex", "photoUrls": []}"#).unwrap();
    let asleep = json!({"id": 1, "name": "Rex", "photoUrls": [], "status": "asleep"});
    for body in [odd, large, asleep] {
        assert_eq!(call(&store, "POST", "/pet", body).await.0, 400);
    }
    assert_eq!(call(&store, "GET", "/pet/x", Value::Null).await.0, 400);
    assert_eq!(call(&store, "GET", "/pet/findByStatus?status=asleep", Value::Null).await.0, 400);
    assert_eq!(call(&store, "GET", "/pet/findByTags", Value::Null).await.0, 400);
    assert_eq!(call(&store, "GET", "/cat", Value::Null).await.0, 404);
}

#[tokio::test]
async fn pets_are_found_by_status_and_tag_and_counted() {
    let store = Petstore::new(1);
    for (id, status, tag) in [(1, "available", "dog"), (2, "sold", "dog"), (3, "sold", "big cat")] {
        call(&store, "POST", "/pet", pet(id, "p", status, tag)).await;
    }
    let found = async |path: &str| {
        let (_, pets) = call(&store, "GET", path, Value::Null).await;
        pets.as_array().unwrap().iter().map(|pet| pet["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found("/pet/findByStatus").await, [1]);
    assert_eq!(found("/pet/findByStatus?status=sold").await, [2, 3]);
    assert_eq!(found("/pet/findByStatus?status=sold,available").await, [1, 2, 3]);
    assert_eq!(found("/pet/findByTags?tags=big%20cat&tags=bird").await, [3]);
    let (_, inventory) = call(&store, "GET", "/store/inventory", Value::Null).await;
    assert_eq!(inventory, json!({"available": 1, "sold": 2}));
    let (_, made) = call(&store, "POST", "/pet", json!({"name": "New", "photoUrls": []})).await;
    assert_eq!(made["id"], json!(4), "the store picks an id when none is given");
}

#[tokio::test]
async fn a_key_is_needed_once_required() {
    let store = Petstore::new(1);
    store.require_key("door");
    let get = "/store/inventory";
    assert_eq!(keyed(&store, "GET", get, Value::Null, None).await.0, 401);
    assert_eq!(keyed(&store, "GET", get, Value::Null, Some("window")).await.0, 401);
    assert_eq!(keyed(&store, "GET", get, Value::Null, Some("door")).await.0, 200);
    assert!(!format!("{:?}", store.log()).contains("window"), "keys are not logged");
}

#[tokio::test]
async fn it_is_served_and_fails_on_demand() {
    let store = Petstore::start().await.unwrap();
    // Fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap();
    let url = format!("{}/pet", store.url());
    let body = pet(7, "Rex", "available", "dog").to_string();
    let post = || http.post(&url).body(body.clone()).send();
    assert_eq!(post().await.unwrap().status(), 200);
    store.faults().once("POST /pet", Fault::DropAfter);
    post().await.unwrap_err();
    store.faults().once("POST /pet", Fault::StatusBefore(503));
    assert_eq!(post().await.unwrap().status(), 503);
    assert_eq!((store.count("POST /pet"), store.pets().len()), (3, 1));
    let handled: Vec<_> = store.log().iter().map(|logged| logged.handled).collect();
    assert_eq!(handled, [Some(200), Some(200), None]);
    store.refuse().await.unwrap();
    assert!(post().await.unwrap_err().is_connect());
    store.remove(7);
    store.allow().unwrap();
    let gone = http.get(format!("{url}/7")).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    let error: BTreeMap<String, Value> = serde_json::from_slice(&gone.bytes().await.unwrap()).unwrap();
    assert_eq!(error["message"], json!("Pet not found"));
}
