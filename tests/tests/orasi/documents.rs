//! Documents: where they are, for whom they are shown, and what is never touched.

use std::time::Duration;

use concierge_reconciler::engine::{ObjectKey, metrics::DriftLabels, seams::CrashPoint};
use concierge_tests::{
    faults::{Fault, Rule},
    s3::fake::Object,
    simulation::{MINUTE, ProcessOptions, Simulated, server::finalizers},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::world::World;

/// SHA-256 of `Hello.`
const HELLO: &str = "2d8bd7d9bb5f85ba643f0110d50cb506a1fe439e769a22503193ea6046bb87f7";

pub(crate) fn document(world: &World, name: &str, more: Value) -> ObjectKey {
    let mut spec = json!({ "content": "Hello.", "storageRef": { "name": "lake" } });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.put("Document", name, spec)
}

pub(crate) fn hidden() -> Value {
    json!({ "hidden": true })
}

/// The keys in the bucket.
pub(crate) fn keys(world: &World) -> Vec<String> {
    world.store.with(|state| state.buckets["lake"].things.keys().cloned().collect())
}

pub(crate) fn key_of(name: &str) -> String {
    format!("texts/default/{name}/{HELLO}")
}

/// From now on what is there says that it is of another.
pub(crate) fn now_of(world: &World, owner: impl Fn(&str) -> String) {
    world.store.with(|state| {
        let things = &mut state.buckets.get_mut("lake").unwrap().things;
        let said = &mut things.get_mut(&key_of("hello")).unwrap().said;
        let mark = owner(&said["x-amz-meta-concierge-owner"]);
        said.insert("x-amz-meta-concierge-owner", mark);
    });
}

fn events(world: &World, reason: &str) -> usize {
    world.server.events().iter().filter(|event| event.reason == reason).count()
}

/// A world with a Storage and a Document that is where it belongs.
pub(crate) async fn delivered() -> (World, ObjectKey) {
    let world = World::new();
    world.storage("lake", json!({}));
    let key = document(&world, "hello", json!({}));
    let _process = world.healthy();
    world.until_done(&key).await;
    assert_eq!(keys(&world), [key_of("hello")]);
    (world, key)
}

#[tokio::test(start_paused = true)]
async fn a_document_is_put_hidden_shown_changed_and_removed() {
    let (world, key) = delivered().await;
    let _process = world.healthy();
    let object = world.store.with(|state| state.buckets["lake"].things[&key_of("hello")].clone());
    assert_eq!((&*object.body, &*object.said["content-type"]), (&b"Hello."[..], "text/plain; charset=utf-8"));
    let mark = &object.said["x-amz-meta-concierge-owner"];
    assert!(mark.contains("/default/hello/"), "{mark}");
    let status = world.server.status(&key);
    assert_eq!((&status["isHidden"], &status["delivered"]["key"]), (&json!(false), &json!(key_of("hello"))));
    assert!(status["lastReconciled"].is_string(), "{status:#}");

    document(&world, "hello", hidden());
    world.until("hidden", MINUTE, |world| world.server.status(&key)["isHidden"] == true).await;
    assert!(keys(&world).is_empty() && world.is_done(&key), "{}", world.dump());
    assert_eq!(world.server.condition(&key, "Delivered"), "False Hidden");
    document(&world, "hello", json!({}));
    world.until("shown", MINUTE, |world| world.server.status(&key)["isHidden"] == false).await;
    assert_eq!(keys(&world), [key_of("hello")]);
    // It is told after it is written.
    world.until("told", MINUTE, |world| events(world, "DocumentVisible") == 1).await;
    assert_eq!(events(&world, "DocumentHidden"), 1);

    document(&world, "hello", json!({ "content": "Goodbye." }));
    world.until("changed", MINUTE, |world| world.is_done(&key)).await;
    let now = keys(&world);
    assert!(now.len() == 1 && now[0] != key_of("hello"), "{now:?}");
    assert_eq!(world.store.with(|state| state.buckets["lake"].things[&now[0]].body.clone()), b"Goodbye.");
    world.server.user_deletes(&key);
    world.until("gone", MINUTE, |world| world.server.read(&key).is_none()).await;
    assert!(keys(&world).is_empty());
    let acls = world.store.asked_from(0).into_iter().filter(|one| one.contains("Acl")).count();
    assert_eq!(acls, 0);
}

#[tokio::test(start_paused = true)]
async fn a_document_without_a_storage_is_written_once_and_bears_no_finalizer() {
    let world = World::new();
    let shown = world.put("Document", "shown", json!({ "content": "Hello." }));
    let secret = world.put("Document", "hidden", json!({ "content": "Hello.", "hidden": true }));
    // Over a day, little else would happen than that the lease is renewed.
    let _process = world.start("patient", ProcessOptions { lease: 2 * MINUTE, ..ProcessOptions::default() });
    world.until_done(&shown).await;
    world.until_done(&secret).await;
    sleep(MINUTE).await;
    let writes = world.server.writes();
    assert_eq!(writes, 2, "{}", world.dump());
    assert_eq!(events(&world, "DocumentHidden"), 1);
    assert_eq!(world.server.status(&secret)["isHidden"], true);
    for key in [&shown, &secret] {
        assert!(finalizers(&world.server.read(key).unwrap()).is_empty());
    }
    sleep(60 * 24 * MINUTE).await;
    assert_eq!(world.server.writes(), writes, "nothing is written while nothing changes");
    assert_eq!(world.store.calls(), 0);
    world.server.user_deletes(&shown);
    assert!(world.server.read(&shown).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_drifts_is_repaired() {
    let (world, key) = delivered().await;
    let process = world.healthy();
    sleep(MINUTE).await;
    let again = |world: &World, token: &str| {
        world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": token }));
    };
    let ways: [(&str, Option<Object>); 3] = [
        ("removed", None),
        ("written over", Some(Object::of_others("Mine."))),
        ("of the same length", Some(Object::of_others("hello?"))),
    ];
    for (way, object) in ways {
        world.store.with(|state| {
            let things = &mut state.buckets.get_mut("lake").unwrap().things;
            match object {
                Some(object) => drop(things.insert(key_of("hello"), object)),
                None => drop(things.remove(&key_of("hello"))),
            }
        });
        again(&world, way);
        world.until(way, MINUTE, |world| world.server.status(&key)["reconciledAt"] == way).await;
        world.until("repaired", MINUTE, |world| world.is_done(&key)).await;
        let body = world.store.with(|state| state.buckets["lake"].things[&key_of("hello")].body.clone());
        assert_eq!(body, b"Hello.", "{way}");
    }
    let labels = DriftLabels { kind: "Document", field: "spec.content" };
    assert_eq!(process.metrics.drift.get_or_create(&labels).get(), 3, "{}", world.dump());
    // At rest it is one call.
    let (calls, writes) = (world.store.calls(), world.server.writes());
    again(&world, "at rest");
    world.until("looked at", MINUTE, |world| world.server.status(&key)["reconciledAt"] == "at rest").await;
    assert_eq!(world.store.asked_from(calls), ["ListObjectsV2"]);
    assert_eq!(world.server.writes(), writes + 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_is_neither_overwritten_nor_removed() {
    let world = World::new();
    world.storage("lake", json!({}));
    let foreign = Object::of_others("Somebody else's.");
    let beside = "texts/default/hello/notes";
    world.store.with(|state| {
        let things = &mut state.buckets.get_mut("lake").unwrap().things;
        things.insert(key_of("hello"), foreign.clone());
        things.insert(beside.to_owned(), foreign.clone());
    });
    let key = document(&world, "hello", json!({}));
    let _process = world.healthy();
    world
        .until("told", 5 * MINUTE, |world| world.server.condition(&key, "Ready") == "False OwnedByOther")
        .await;
    assert_eq!(world.server.condition(&key, "Delivered"), "False OwnedByOther");
    document(&world, "hello", hidden());
    world.until("hidden", MINUTE, |world| world.is_done(&key)).await;
    document(&world, "hello", json!({}));
    world.server.user_annotates(&key, json!({ "concierge.dev/adopt": "true" }));
    world.until_done(&key).await;
    world.store.with(|state| {
        let things = &state.buckets["lake"].things;
        assert_eq!((&*things[&key_of("hello")].body, &things[beside]), (&b"Hello."[..], &foreign));
    });
    world.server.user_deletes(&key);
    world.until("gone", MINUTE, |world| world.server.read(&key).is_none()).await;
    assert_eq!(keys(&world), [beside]);
}

#[tokio::test(start_paused = true)]
async fn a_document_moves_to_another_storage_and_out_of_all() {
    let (world, key) = delivered().await;
    let _process = world.healthy();
    world.storage("other", json!({ "prefix": "elsewhere" }));
    document(&world, "hello", json!({ "storageRef": { "name": "other" } }));
    let moved = format!("elsewhere/default/hello/{HELLO}");
    world.until("moved", 5 * MINUTE, |world| keys(world) == [moved.clone()] && world.is_done(&key)).await;
    assert_eq!(world.server.status(&key)["delivered"]["storage"], "default/other");
    world.put("Document", "hello", json!({ "content": "Hello." }));
    world.until("out", 5 * MINUTE, |world| keys(world).is_empty() && world.is_done(&key)).await;
    assert!(world.server.status(&key)["delivered"].is_null(), "{}", world.dump());
    assert_eq!(world.server.condition(&key, "Delivered"), "");
}

#[tokio::test(start_paused = true)]
async fn a_document_of_a_storage_that_is_gone_says_what_is_left_where() {
    let (world, key) = delivered().await;
    world.storage("other", json!({ "prefix": "elsewhere" }));
    let lake = ObjectKey::new("Storage", "default", "lake");
    document(&world, "hello", json!({ "storageRef": { "name": "other" } }));
    world.server.user_removes(&lake);
    let _process = world.healthy();
    let told =
        |world: &World, kind: &str| world.server.message(&key, kind).contains("Storage default/lake is gone");
    world.until("told", 5 * MINUTE, |world| told(world, "Ready")).await;
    assert_eq!(keys(&world), [key_of("hello")], "it is not put twice");
    world.server.user_deletes(&key);
    world.until("blocked", 5 * MINUTE, |world| told(world, "Deleting")).await;
    world.server.user_annotates(&key, json!({ "concierge.dev/abandon": "true" }));
    world.until("gone", MINUTE, |world| world.server.read(&key).is_none()).await;
}

/// Its digest is that of what this cluster has put.
#[tokio::test(start_paused = true)]
async fn what_another_cluster_took_over_is_left_to_it() {
    let (world, key) = delivered().await;
    now_of(&world, |_| "other/default/hello/1".to_owned());
    let _process = world.healthy();
    world.server.user_deletes(&key);
    world.until("gone", 5 * MINUTE, |world| world.server.read(&key).is_none()).await;
    assert_eq!(keys(&world), [key_of("hello")]);
}

/// A Document that was restored with its status has another uid than the one that put it.
#[tokio::test(start_paused = true)]
async fn what_a_document_put_before_it_was_restored_moves_with_it() {
    let (world, key) = delivered().await;
    now_of(&world, |mark| format!("{}/before", mark.rsplit_once('/').unwrap().0));
    world.storage("other", json!({ "prefix": "elsewhere" }));
    document(&world, "hello", json!({ "storageRef": { "name": "other" } }));
    let _process = world.healthy();
    let moved = [format!("elsewhere/default/hello/{HELLO}")];
    world.until("moved", 5 * MINUTE, |world| world.is_done(&key) && keys(world) == moved).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_at_a_service_to_which_the_storage_no_longer_leads_is_not_forgotten() {
    let (world, key) = delivered().await;
    world.storage("other", json!({ "prefix": "elsewhere" }));
    document(&world, "hello", json!({ "storageRef": { "name": "other" } }));
    world.storage("lake", json!({ "endpoint": "http://new.default.svc" }));
    let _process = world.healthy();
    let told = |world: &World| world.server.message(&key, "Ready").contains("of new.default.svc");
    world.until("told", 5 * MINUTE, told).await;
    assert_eq!(keys(&world), [key_of("hello")], "it is not put twice");
    world.storage("lake", json!({}));
    world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "back" }));
    let moved = [format!("elsewhere/default/hello/{HELLO}")];
    world.until("moved", 5 * MINUTE, |world| world.is_done(&key) && keys(world) == moved).await;
}

/// Its Storage was made anew, and the key of before begins with the folder that the Document has by now.
#[tokio::test(start_paused = true)]
async fn what_is_inside_of_where_a_document_belongs_by_now_is_not_forgotten() {
    let world = World::new();
    world.storage("lake", json!({ "prefix": "texts/default/hello" }));
    let key = document(&world, "hello", json!({}));
    let _process = world.healthy();
    world.until_done(&key).await;
    assert_eq!(keys(&world), [format!("texts/default/hello/default/hello/{HELLO}")]);
    world.storage("lake", json!({}));
    world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "now" }));
    world.until("moved", 5 * MINUTE, |world| keys(world) == [key_of("hello")] && world.is_done(&key)).await;
}

#[tokio::test(start_paused = true)]
async fn a_content_that_changes_while_it_is_put_is_never_mixed_up() {
    let world = World::new();
    world.storage("lake", json!({}));
    let key = document(&world, "hello", json!({ "content": "1" }));
    let options = ProcessOptions { lag: Duration::from_secs(3), ..ProcessOptions::default() };
    let _process = world.start("behind", options);
    for content in 2..30 {
        document(&world, "hello", json!({ "content": content.to_string() }));
        sleep(Duration::from_millis(700)).await;
    }
    world.until_done(&key).await;
    world.until("one", MINUTE, |world| keys(world).len() == 1).await;
    let bodies: Vec<_> =
        world.store.with(|state| state.buckets["lake"].things.values().map(|one| one.body.clone()).collect());
    assert_eq!(bodies, [b"29"]);
}

/// A Document is put, changed, hidden and deleted, while `trouble` happens at each.
async fn through(trouble: impl Fn(&World, usize)) {
    let world = World::new();
    world.storage("lake", json!({}));
    let key = ObjectKey::new("Document", "default", "hello");
    let steps =
        [json!({}), json!({ "content": "Goodbye." }), json!({ "content": "Goodbye.", "hidden": true })];
    let lengths = [1, 1, 0];
    for (nth, (step, length)) in steps.into_iter().zip(lengths).enumerate() {
        trouble(&world, nth);
        document(&world, "hello", step);
        let _process = world.healthy();
        world.until_done(&key).await;
        assert_eq!(keys(&world).len(), length, "{nth}: {}", world.dump());
        let hidden = length == 0;
        assert_eq!(world.server.status(&key)["isHidden"], hidden, "{nth}");
    }
    document(&world, "hello", json!({}));
    let _process = world.healthy();
    world.until("shown", 5 * MINUTE, |world| world.is_done(&key) && keys(world).len() == 1).await;
    trouble(&world, 3);
    world.server.user_deletes(&key);
    world.until("gone", 30 * MINUTE, |world| world.server.read(&key).is_none()).await;
    assert!(keys(&world).is_empty(), "{:?}", keys(&world));
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_lost_do_no_harm() {
    for fault in [Fault::DropAfter, Fault::DropBefore, Fault::StatusAfter(500), Fault::Cut] {
        for operation in ["PutObject", "DeleteObject", "ListObjectsV2"] {
            through(|world, _| world.store.faults().once(operation, fault.clone())).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_at_any_step_leaves_nothing_behind() {
    for (point, visits) in [
        (CrashPoint::Begun, 3),
        (CrashPoint::Observed, 3),
        (CrashPoint::Planned, 3),
        (CrashPoint::MetadataWritten, 1),
        (CrashPoint::Acted, 3),
        (CrashPoint::StatusWritten, 3),
        (CrashPoint::Gone, 1),
        (CrashPoint::FinalizerRemoved, 1),
    ] {
        for visit in 1..=visits {
            dies(point, visit).await;
        }
    }
}

/// A process dies at the `visit`th time that it comes to `point` with a Document; another goes on. The Document is put, hidden, shown and deleted.
async fn dies(point: CrashPoint, visit: usize) {
    let world = World::new();
    let storage = world.storage("lake", json!({}));
    let key = ObjectKey::new("Document", "default", "hello");
    let options = ProcessOptions {
        crash_at: Some((point, visit)),
        with: Some("Document"),
        ..ProcessOptions::default()
    };
    let mut first = world.start("first", options);
    // It leads.
    world.until_done(&storage).await;
    let _second = world.start("second", ProcessOptions::default());
    for (step, length) in [(json!({}), 1), (hidden(), 0), (json!({}), 1)] {
        document(&world, "hello", step);
        let is_seen = |world: &World| world.server.status(&key)["isHidden"] == (length == 0);
        let done = |world: &World| world.is_done(&key) && is_seen(world) && keys(world).len() == length;
        world.until("done", 5 * MINUTE, done).await;
    }
    world.server.user_deletes(&key);
    world.until("gone", 5 * MINUTE, |world| world.server.read(&key).is_none()).await;
    assert!(keys(&world).is_empty(), "{point:?} {visit}: {:?}", keys(&world));
    let died = timeout(MINUTE, first.interrupted.wait_for(|died| *died)).await;
    assert!(died.is_ok_and(|died| died.is_ok()), "it never came to {point:?} {visit}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_stopped_for_two_minutes_leaves_documents_as_they_were_and_is_seen_to_be_back() {
    let world = World::new();
    let storage = world.storage("lake", json!({}));
    let all: Vec<_> = (0..30).map(|n| document(&world, &format!("doc-{n}"), json!({}))).collect();
    let _process = world.healthy();
    for key in &all {
        world.until_done(key).await;
    }
    world.store.faults().inject(Rule::any(), Fault::Refuse);
    let late = document(&world, "late", json!({}));
    world
        .until("noticed", MINUTE, |world| world.server.condition(&storage, "Checked") == "False NoAnswer")
        .await;
    sleep(2 * MINUTE).await;
    assert!(all.iter().all(|key| world.server.is_ready(key)), "as last seen");
    world.store.faults().clear();
    world.until("back", Duration::from_secs(10), |world| world.is_done(&storage)).await;
    world.until("put", Duration::from_secs(10), |world| world.is_done(&late)).await;
    assert_eq!(keys(&world).len(), 31);
}

#[tokio::test(start_paused = true)]
async fn three_hundred_documents_wake_their_storage_without_its_service_being_asked_for_each() {
    let world = World::new();
    world.storage("lake", json!({}));
    let all: Vec<_> = (0..300).map(|n| document(&world, &format!("doc-{n}"), json!({}))).collect();
    let _process = world.healthy();
    for key in &all {
        world.until_done(key).await;
    }
    let looks = world.store.asked_from(0).into_iter().filter(|one| *one == "HeadBucket").count();
    assert!(looks <= 5, "{looks}");
    assert_eq!(keys(&world).len(), 300);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_of_the_service_is_no_reason_to_let_go() {
    for fault in [Fault::Echo(404), Fault::Echo(403), Fault::Garbage, Fault::StatusBefore(404)] {
        let (world, key) = delivered().await;
        let _process = world.healthy();
        world.store.faults().inject(Rule::on("ListObjectsV2"), fault);
        world.server.user_deletes(&key);
        sleep(30 * MINUTE).await;
        assert!(world.server.read(&key).is_some(), "{}", world.dump());
        assert_eq!(keys(&world), [key_of("hello")]);
        world.store.faults().clear();
        world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "back" }));
        world.until("gone", 5 * MINUTE, |world| world.server.read(&key).is_none()).await;
        assert!(keys(&world).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn ours_is_not_missed_among_what_others_put_beside_it() {
    let (world, key) = delivered().await;
    let _process = world.healthy();
    let beside = |n: usize| (format!("texts/default/hello/0-{n}"), Object::of_others("Mine."));
    world.store.with(|state| state.buckets.get_mut("lake").unwrap().things.extend((0..1000).map(beside)));
    world.server.user_deletes(&key);
    let told = |world: &World| world.server.message(&key, "Deleting").contains("remove those of others");
    world.until("told", 5 * MINUTE, told).await;
    world.store.with(|state| {
        state.buckets.get_mut("lake").unwrap().things.retain(|key, _| !key.ends_with('3'));
    });
    world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "fewer" }));
    world.until("gone", 30 * MINUTE, |world| world.server.read(&key).is_none()).await;
    let left = keys(&world);
    assert!(!left.contains(&key_of("hello")) && left.len() == 900, "{}", left.len());
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_not_taken_for_somebody_elses() {
    let world = World::new();
    world.storage("lake", json!({}));
    world.store.with(|state| state.denied.extend(["HeadObject"]));
    world.store.faults().once("PutObject", Fault::DropAfter);
    let key = document(&world, "hello", json!({}));
    let _process = world.healthy();
    let told = |world: &World, kind: &str| world.server.message(&key, kind).contains("s3:GetObject");
    world.until("told", 5 * MINUTE, |world| told(world, "Ready")).await;
    world.server.user_deletes(&key);
    world.until("told again", 5 * MINUTE, |world| told(world, "Deleting")).await;
    world.store.with(|state| state.denied.clear());
    world.until("gone", 30 * MINUTE, |world| world.server.read(&key).is_none()).await;
    assert!(keys(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_named_and_its_return_is_noticed() {
    let world = World::new();
    world.storage("lake", json!({}));
    let deny = |operation| world.store.with(|state| state.denied.extend([operation]));
    let allow = || world.store.with(|state| state.denied.clear());
    deny("PutObject");
    let key = document(&world, "hello", json!({}));
    let _process = world.healthy();
    let told = |world: &World, right: &str| world.server.message(&key, "Ready").contains(right);
    world.until("told", 5 * MINUTE, |world| told(world, "s3:PutObject")).await;
    allow();
    world.until_done(&key).await;
    deny("DeleteObject");
    document(&world, "hello", hidden());
    world.until("told", 5 * MINUTE, |world| told(world, "s3:DeleteObject")).await;
    let status = world.server.status(&key);
    assert_eq!((&status["isHidden"], &status["delivered"]["key"]), (&json!(false), &json!(key_of("hello"))));
    assert_eq!(world.server.condition(&key, "Delivered"), "False Waiting");
    allow();
    world.until_done(&key).await;
    assert!(keys(&world).is_empty() && world.server.status(&key)["isHidden"] == true, "{}", world.dump());
}

/// It was stored without having been admitted.
#[tokio::test(start_paused = true)]
async fn a_text_that_looks_like_what_caches_keep_is_not_put() {
    let world = World::new();
    world.storage("lake", json!({}));
    let key = document(&world, "hello", json!({ "content": format!("\0sha256:{HELLO}:6") }));
    let _process = world.healthy();
    world.until("told", 5 * MINUTE, |world| world.server.message(&key, "Ready").contains("NUL")).await;
    assert!(keys(&world).is_empty());
}
