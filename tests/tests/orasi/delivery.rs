//! A thousand documents at a real service, on real time.

use std::time::{Duration, Instant};

use concierge_reconciler::engine::ObjectKey;
use concierge_shared::common::words::hex;
use concierge_tests::s3::Server;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::World;

const LONG: Duration = Duration::from_secs(20 * 60);

/// All keys in the bucket.
async fn listed(server: &Server) -> Vec<String> {
    let s3 = server.clients(&server.admin).unwrap().s3;
    let mut pages = s3.list_objects_v2().bucket("lake").into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(page.unwrap().contents().iter().filter_map(|one| one.key().map(str::to_owned)));
    }
    keys
}

fn text(n: usize) -> String {
    format!("Text {n}.")
}

/// The keys that so many documents have.
fn expected(count: usize) -> Vec<String> {
    let key = |n: usize| format!("texts/default/doc-{n}/{}", hex(&Sha256::digest(text(n))));
    let mut keys: Vec<_> = (0..count).map(key).collect();
    keys.sort();
    keys
}

/// The keys under which Documents say that they are.
fn said(world: &World, all: &[ObjectKey]) -> Vec<String> {
    let key = |key: &ObjectKey| world.server.status(key)["delivered"]["key"].as_str().map(str::to_owned);
    let mut keys: Vec<_> = all.iter().filter_map(key).collect();
    keys.sort();
    keys
}

async fn until_all(world: &World, what: &str, all: &[ObjectKey], hidden: bool) {
    let (began, end) = (Instant::now(), Instant::now() + LONG);
    for key in all {
        let done = |world: &World| world.is_done(key) && world.server.status(key)["isHidden"] == hidden;
        world.until(what, end - Instant::now(), done).await;
    }
    println!("{} documents {what} after {:.1} s", all.len(), began.elapsed().as_secs_f32());
}

async fn come_and_go(count: usize) {
    let server = Server::moto().await.unwrap();
    server.clients(&server.admin).unwrap().s3.create_bucket().bucket("lake").send().await.unwrap();
    let world = World::over_sockets();
    world.credentials(&server.admin.id, &server.admin.secret);
    world.storage("lake", json!({ "endpoint": server.endpoint.s3.as_str() }));
    let spec = |n: usize, more: Value| {
        let mut spec = json!({ "content": text(n), "storageRef": { "name": "lake" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let put = |more: Value| -> Vec<_> {
        let put = |n: usize| world.put("Document", &format!("doc-{n}"), spec(n, more.clone()));
        (0..count).map(put).collect()
    };
    let all = put(json!({}));
    let _process = world.healthy();
    until_all(&world, "delivered", &all, false).await;
    let keys = listed(&server).await;
    assert_eq!(keys, expected(count));
    assert_eq!(keys, said(&world, &all));
    put(json!({ "hidden": true }));
    until_all(&world, "hidden", &all, true).await;
    assert_eq!(listed(&server).await, [""; 0]);
    put(json!({}));
    until_all(&world, "shown again", &all, false).await;
    assert_eq!(listed(&server).await, keys);
    all.iter().for_each(|key| world.server.user_deletes(key));
    let began = Instant::now();
    for key in &all {
        world.until("deleted", LONG, |world| world.server.read(key).is_none()).await;
    }
    println!("{count} documents deleted after {:.1} s", began.elapsed().as_secs_f32());
    assert_eq!(listed(&server).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_documents_come_and_go_at_moto() {
    come_and_go(20).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn a_thousand_documents_come_and_go_at_moto() {
    come_and_go(1000).await;
}
