//! Secrets are told to nobody.

use std::{fmt, sync::Arc};

use concierge_reconciler::aws::{Clients, Keys};
use concierge_tests::{faults::Fault, s3::endpoint, simulation::MINUTE};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::sleep;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use super::{ALICE, key, pair, rotate, secret_key};
use crate::world::{SECRET, World};

/// Keeps all that is logged, on every level and by every library.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.lock().push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
        self.0.lock().push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_a_log_a_status_an_event_a_metric_or_an_error() {
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    // While there is one only, what the thread of another test reaches first is logged nowhere.
    let _another = tracing::Dispatch::new(Log::default());
    let world = World::new();
    let web = key(&world, json!({ "previousKeysRetentionDays": 0 }));
    let process = world.healthy();
    world.until_ready(&web).await;
    let mut planted = vec![SECRET.to_owned(), pair(&world, "web").unwrap().1];
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
    assert!(planted.len() >= 4, "{}", planted.len());

    let keys = Keys { id, secret, session: Some("a-session-token-of-somebody".into()) };
    planted.push("a-session-token-of-somebody".into());
    let clients = Clients::over(world.store.transport(), &endpoint("http://a", "http://a").unwrap(), &keys);
    let debug = format!("{clients:?} {keys:?} {:?} {:?}", clients.s3, clients.iam);
    let everything = world.server.of_kind("AccessKey").into_iter().chain(world.server.of_kind("User"));
    let stored: Vec<_> = everything.chain(world.server.of_kind("Provider")).collect();
    let log = log.0.lock().clone();
    assert!(log.contains("made access key"), "the log is kept");
    let told = [log, world.dump(), format!("{stored:?}"), format!("{:?}", process.metrics), debug];
    for secret in planted {
        let leaks: Vec<_> = told.iter().map(|text| text.find(&secret)).collect();
        assert!(leaks.iter().all(Option::is_none), "{secret}: {leaks:?}");
    }
}
