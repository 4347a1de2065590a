//! Secrets are told to nobody.

use concierge_reconciler::aws::{Clients, Keys};
use concierge_tests::{
    faults::Fault,
    s3::endpoint,
    simulation::{MINUTE, log::Log},
};
use k8s_openapi::ByteString;
use serde_json::json;
use tokio::time::sleep;
use tracing::Level;

use super::{ALICE, key, pair, rotate, secret_key};
use crate::world::{SECRET, World};

const SESSION: &str = "a-session-token-of-somebody";

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_a_log_a_status_an_event_a_metric_or_an_error() {
    let kept = Log::keep(Level::TRACE);
    let world = World::new();
    let auth = json!({
        "accessKeySecretRef": { "name": "login" }, "secretKeySecretRef": { "name": "login" },
        "sessionTokenSecretRef": { "name": "session" },
    });
    world.provider(json!({ "auth": auth }));
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "session", "namespace": "default" },
        "data": { "session-token": ByteString(SESSION.as_bytes().to_vec()) },
    }));
    let web = key(&world, json!({ "previousKeysRetentionDays": 0 }));
    let process = world.healthy();
    world.until_ready(&web).await;
    assert_eq!(world.store.with(|state| state.session.clone()).as_deref(), Some(SESSION));
    let mut planted = vec![SECRET.to_owned(), SESSION.to_owned(), pair(&world, "web").unwrap().1];
    let echoes = [
        Fault::Echo(400),
        Fault::Echo(403),
        Fault::Echo(500),
        Fault::Garbage,
        Fault::Cut,
        Fault::DropAfter,
        Fault::StatusAfter(500),
    ];
    for (n, fault) in echoes.into_iter().enumerate() {
        world.store.faults().once("CreateAccessKey", fault.clone());
        world.store.faults().once("ListAccessKeys", fault.clone());
        world.store.faults().once("DeleteAccessKey", fault);
        rotate(&world, &web, &format!("leak {n}"));
        world.server.user_annotates(&web, json!({ "concierge.dev/resolve-unknown": "retry" }));
        for _ in 0..30 {
            sleep(MINUTE).await;
            planted.extend(world.store.keys(ALICE).into_iter().map(|key| key.secret));
        }
        // Refused calls are tried again after hours, or when somebody says so.
        world.server.user_annotates(&web, json!({ "concierge.dev/reconcile-at": n.to_string() }));
        sleep(10 * MINUTE).await;
        planted.extend(world.store.keys(ALICE).into_iter().map(|key| key.secret));
    }
    world.server.user_deletes(&secret_key("web"));
    world.until("made again", 60 * MINUTE, |world| pair(world, "web").is_some()).await;
    planted.extend(world.store.keys(ALICE).into_iter().map(|key| key.secret));
    let (id, secret) = pair(&world, "web").unwrap();
    world.credentials("AKIANOBODYNOBODYNOBO", &secret);
    sleep(10 * MINUTE).await;
    planted.sort();
    planted.dedup();
    assert!(planted.len() >= 5, "{}", planted.len());

    let keys = Keys { id, secret, session: Some(SESSION.to_owned()) };
    let clients = Clients::over(world.store.transport(), &endpoint("http://a", "http://a").unwrap(), &keys);
    let debug = format!("{clients:?} {keys:?} {:?} {:?}", clients.s3, clients.iam);
    let everything = world.server.of_kind("AccessKey").into_iter().chain(world.server.of_kind("User"));
    let stored: Vec<_> = everything.chain(world.server.of_kind("Provider")).collect();
    let log = kept.log.text();
    assert!(log.contains("made access key"), "the log is kept");
    let told = [log, world.dump(), format!("{stored:?}"), format!("{:?}", process.metrics), debug];
    for secret in planted {
        let leaks: Vec<_> = told.iter().map(|text| text.find(&secret)).collect();
        assert!(leaks.iter().all(Option::is_none), "{secret}: {leaks:?}");
    }
}
