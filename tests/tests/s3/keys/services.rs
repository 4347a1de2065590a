//! Access keys at real services, on real time.

use std::time::{Duration, Instant};

use concierge_reconciler::{
    aws::{Answered, Keys},
    engine::ObjectKey,
};
use concierge_tests::s3::Server;
use serde_json::json;

use super::{key, pair, rotate};
use crate::world::World;

const SOON: Duration = Duration::from_secs(60);

fn keys(world: &World) -> Keys {
    let (id, secret) = pair(world, "web").unwrap();
    Keys { id, secret, session: None }
}

/// Whether the service knows the key. What its user may do is another question.
async fn is_taken(server: &Server, keys: &Keys) -> bool {
    let answer = server.clients(keys).unwrap().s3.list_buckets().send().await;
    answer.err().is_none_or(|error| !Answered::of(&error).unwrap().is_unknown_key())
}

/// Waits until the key was replaced for the annotation's `text`.
async fn replaced(world: &World, web: &ObjectKey, text: &str) {
    rotate(world, web, text);
    let done = |world: &World| {
        world.server.status(web)["lastRotateRequest"] == text
            && world.is_synced(web)
            && world.server.is_ready(web)
    };
    world.until("replaced", SOON, done).await;
}

async fn comes_and_goes(server: &Server) {
    let world = World::of(&server.endpoint, &server.admin, json!({ "type": "generic" }));
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until("ready", SOON, |world| world.server.is_ready(&web) && world.is_synced(&web)).await;
    let first = keys(&world);
    assert!(is_taken(server, &first).await);
    replaced(&world, &web, "one").await;
    let second = keys(&world);
    assert!(first.id != second.id && is_taken(server, &first).await && is_taken(server, &second).await);
    replaced(&world, &web, "two").await;
    assert!(!is_taken(server, &first).await && is_taken(server, &second).await);
    let iam = server.clients(&server.admin).unwrap().iam.unwrap();
    let listed = iam.list_access_keys().user_name("alice").send().await.unwrap();
    assert_eq!(listed.access_key_metadata().len(), 2, "{listed:?}");

    world.server.user_deletes(&web);
    world.until("gone", SOON, |world| world.server.read(&web).is_none()).await;
    let listed = iam.list_access_keys().user_name("alice").send().await.unwrap();
    assert!(listed.access_key_metadata().is_empty(), "{listed:?}");
    let alice = ObjectKey::new("User", "default", "alice");
    world.server.user_deletes(&alice);
    world.until("gone", SOON, |world| world.server.read(&alice).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn a_key_comes_is_replaced_and_goes_at_moto() {
    comes_and_goes(&Server::moto().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_is_replaced_and_goes_at_versitygw() {
    comes_and_goes(&Server::versitygw().await.unwrap()).await;
}

/// How many requests the client makes.
const REQUESTS: usize = 10_000;
/// How many at a time.
const AT_A_TIME: usize = 8;

/// One client of many: it reads the Secret anew before every hundredth request, as a program that is told of its file's change does.
async fn requests(server: &Server, world: &World, bucket: &str, count: usize) -> Vec<String> {
    let mut failed = Vec::new();
    let mut s3 = server.clients(&keys(world)).unwrap().s3;
    for n in 0..count {
        if n % 100 == 0 {
            s3 = server.clients(&keys(world)).unwrap().s3;
        }
        if let Err(error) = s3.head_bucket().bucket(bucket).send().await {
            failed.push(format!("{n}: {error:?}"));
        }
    }
    failed
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn no_request_fails_while_the_key_is_replaced_three_times_at_versitygw() {
    let server = Server::versitygw().await.unwrap();
    let world = World::of(&server.endpoint, &server.admin, json!({ "type": "versitygw" }));
    world.bucket("photos-of-shop", json!({}));
    let web = key(&world, json!({}));
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos-of-shop"}]}"#;
    world.put(
        "User",
        "alice",
        json!({ "name": "alice", "providerRef": { "name": "p" }, "policyDocument": policy }),
    );
    let _process = world.healthy();
    let alice = ObjectKey::new("User", "default", "alice");
    let done =
        |world: &World| [&web, &alice].iter().all(|key| world.server.is_ready(key) && world.is_synced(key));
    world.until("ready", SOON, done).await;
    let began = Instant::now();
    let mut total = 0;
    let mut rotations = 0;
    for text in ["one", "two", "three"] {
        let quarter = REQUESTS / 4 / AT_A_TIME;
        let clients = (0..AT_A_TIME).map(|_| requests(&server, &world, "photos-of-shop", quarter));
        let before = keys(&world).id;
        let (failed, ()) = tokio::join!(futures::future::join_all(clients), replaced(&world, &web, text));
        assert!(failed.concat().is_empty(), "{:?}", failed.concat());
        assert_ne!(keys(&world).id, before);
        (total, rotations) = (total + quarter * AT_A_TIME, rotations + 1);
    }
    let rest = (REQUESTS - total).div_ceil(AT_A_TIME);
    let clients = (0..AT_A_TIME).map(|_| requests(&server, &world, "photos-of-shop", rest));
    let failed = futures::future::join_all(clients).await.concat();
    total += rest * AT_A_TIME;
    assert!(failed.is_empty() && total >= REQUESTS && rotations == 3, "{failed:?}");
    println!(
        "{total} requests over {rotations} rotations, none failed, {:.1} s",
        began.elapsed().as_secs_f32()
    );
}
