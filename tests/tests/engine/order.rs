//! Calls that may be sent once: several at a time, held ones, given-up ones, and writes that come out unclear.

use std::{collections::BTreeSet, time::Duration};

use concierge_reconciler::engine::{ObjectKey, annotation::RESOLVE_UNKNOWN};
use concierge_tests::simulation::{MINUTE, ProcessOptions, Simulated, server::Fault};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{remote::Treat, world::World};

fn order_of(world: &World, key: &ObjectKey) -> Option<String> {
    world.server.read(key)?["status"]["orderId"].as_str().map(str::to_owned)
}

fn sends(world: &World) -> usize {
    world.service.state.lock().sends.values().sum()
}

#[tokio::test(start_paused = true)]
async fn an_order_is_placed_its_id_recorded_and_told() {
    let world = World::new();
    let key = world.ticket("one", "opera");
    let _process = world.healthy().await;
    assert_eq!(order_of(&world, &key).as_deref(), Some("ord-1"));
    assert_eq!(world.server.condition(&key, "Ready"), "True Reconciled");
    assert_eq!(world.server.condition(&key, "Synced"), "True Reconciled");
    let told = world.server.events();
    assert!(told.iter().any(|notice| notice.reason == "Created" && notice.message == "ordered (id ord-1)"));
}

#[tokio::test(start_paused = true)]
async fn objects_that_ask_for_the_same_are_served_one_after_the_other() {
    for treat in [Treat::Well, Treat::Slow, Treat::Hang, Treat::DropAfterCommit, Treat::HangLateInList] {
        let world = World::new();
        world.service.state.lock().treats.extend([treat, treat, treat]);
        let keys = ["one", "two", "three"].map(|name| world.ticket(name, "opera"));
        let _process = world.healthy().await;
        sleep(20 * MINUTE).await;
        let ids: BTreeSet<_> = keys.iter().filter_map(|key| order_of(&world, key)).collect();
        assert_eq!(ids.len(), 3, "{treat:?}: each has its own");
        assert_eq!(world.service.state.lock().orders.len(), 3, "{treat:?}");
        assert_eq!(sends(&world), 3, "{treat:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_says_for_whom() {
    let world = World::new();
    world.service.state.lock().treats.push_back(Treat::HangForNothing);
    let first = world.ticket("one", "opera");
    let _process = world.healthy().await;
    let second = world.ticket("two", "opera");
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&first, "Unknown"), "True Ambiguous");
    assert_eq!(world.server.condition(&second, "Synced"), "False Reconciling");
    assert!(world.server.message(&second, "Synced").contains("Ticket default/one"));
    sleep(20 * MINUTE).await;
    assert_eq!(world.server.condition(&first, "Unknown"), "True Held");
    assert!(order_of(&world, &second).is_some(), "one that is held stops no other");
    world.server.user_annotates(&first, json!({ RESOLVE_UNKNOWN: "retry" }));
    sleep(5 * MINUTE).await;
    assert!(order_of(&world, &first).is_some());
    assert_eq!(world.service.state.lock().orders.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_there_before_is_not_taken_for_the_effect() {
    let world = World::new();
    // Somebody orders the same by hand, at the same time.
    world.service.order("opera".into(), "by hand".into()).await.unwrap();
    world.service.state.lock().treats.push_back(Treat::DropBeforeCommit);
    let key = world.ticket("one", "opera");
    let _process = world.healthy().await;
    sleep(20 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Unknown"), "True Held");
    assert_eq!(order_of(&world, &key), None);
}

#[tokio::test(start_paused = true)]
async fn several_that_match_are_for_a_person_to_choose_from() {
    let world = World::new();
    world.service.state.lock().treats.push_back(Treat::DropAfterCommit);
    let key = world.ticket("one", "opera");
    let _process = world.healthy().await;
    world.service.order("opera".into(), "by hand".into()).await.unwrap();
    sleep(20 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "Unknown"), "True Held");
    assert!(
        world.server.message(&key, "Unknown").contains("ord-1, ord-2"),
        "{}",
        world.server.message(&key, "Unknown")
    );
    world.server.user_annotates(&key, json!({ RESOLVE_UNKNOWN: "adopt=ord-1" }));
    sleep(MINUTE).await;
    assert_eq!(order_of(&world, &key).as_deref(), Some("ord-1"));
    assert_eq!(sends(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn a_word_nobody_understands_decides_nothing() {
    let world = World::new();
    world.service.state.lock().treats.push_back(Treat::DropBeforeCommit);
    let key = world.ticket("one", "opera");
    let _process = world.healthy().await;
    sleep(20 * MINUTE).await;
    world.server.user_annotates(&key, json!({ RESOLVE_UNKNOWN: "yes" }));
    sleep(20 * MINUTE).await;
    assert!(world.server.message(&key, "Unknown").contains("\"yes\""));
    assert_eq!(sends(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_not_sent_again_until_the_spec_changes_or_somebody_says_so() {
    let world = World::new();
    world.service.state.lock().treats.push_back(Treat::DropBeforeCommit);
    let key = world.ticket("one", "opera");
    let process = world.healthy().await;
    sleep(20 * MINUTE).await;
    world.server.user_annotates(&key, json!({ RESOLVE_UNKNOWN: "abandon" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "Ready"), "False Abandoned");
    drop(process);
    let _process = world.healthy().await;
    sleep(60 * MINUTE).await;
    assert_eq!(sends(&world), 1, "also not by another process");
    world.put("Ticket", "one", json!({}), json!({ "what": "ballet" }));
    sleep(MINUTE).await;
    assert!(order_of(&world, &key).is_some());
    assert_eq!(sends(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn a_decision_is_obeyed_once_and_not_for_the_next_call() {
    let world = World::new();
    world.service.state.lock().treats.extend([Treat::DropBeforeCommit, Treat::DropBeforeCommit]);
    let key = world.ticket("one", "opera");
    let _process = world.healthy().await;
    sleep(20 * MINUTE).await;
    world.server.user_annotates(&key, json!({ RESOLVE_UNKNOWN: "retry" }));
    sleep(60 * MINUTE).await;
    assert_eq!(sends(&world), 2);
    assert_eq!(world.server.condition(&key, "Unknown"), "True Held", "the second is for a person again");
}

#[tokio::test(start_paused = true)]
async fn no_write_no_send() {
    for fault in [Fault::Lost, Fault::Unanswered] {
        let world = World::new();
        let _process = world.healthy().await;
        (0..1000).for_each(|_| world.server.fail_next("status", fault));
        let key = world.ticket("one", "opera");
        sleep(5 * MINUTE).await;
        assert_eq!(sends(&world), 0, "{fault:?}: nobody knows whether the intent is written");
        world.server.mend();
        sleep(5 * MINUTE).await;
        assert!(order_of(&world, &key).is_some(), "{fault:?}: known never to have been sent, so sent anew");
        assert_eq!(sends(&world), 1, "{fault:?}");
        assert_eq!(world.server.condition(&key, "Unknown"), "");
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_is_recorded_however_often_the_write_fails() {
    for fault in [Fault::Lost, Fault::Unanswered] {
        let world = World::new();
        let _process = world.healthy().await;
        world.service.state.lock().treats.push_back(Treat::Slow);
        let key = world.ticket("one", "opera");
        sleep(Duration::from_secs(1)).await;
        for _ in 0..6 {
            world.server.fail_next("status", fault);
        }
        // And somebody writes in between.
        world.server.user_annotates(&key, json!({ "note": "hello" }));
        sleep(5 * MINUTE).await;
        assert_eq!(order_of(&world, &key).as_deref(), Some("ord-1"), "{fault:?}");
        assert_eq!(sends(&world), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_without_an_object_is_told_to_people() {
    let world = World::new();
    let _process = world.healthy().await;
    world.service.state.lock().treats.push_back(Treat::Slow);
    let key = world.ticket("one", "opera");
    sleep(Duration::from_secs(1)).await;
    // By force, finalizer and all.
    let mut object = world.server.read(&key).unwrap();
    object["metadata"]["finalizers"] = json!([]);
    world.server.user_puts(object);
    world.server.user_deletes(&key);
    assert!(world.server.read(&key).is_none());
    sleep(MINUTE).await;
    let told = world.server.events();
    assert!(told.iter().any(|notice| notice.warning && notice.message.contains("made ord-1")), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_stale_cache_sends_nothing_twice() {
    let world = World::new();
    let keys = ["one", "two"].map(|name| world.ticket(name, "opera"));
    let lagging = ProcessOptions { lag: Duration::from_secs(90), ..ProcessOptions::default() };
    let first = world.start("a", lagging);
    sleep(3 * MINUTE).await;
    drop(first);
    let _second = world.start("b", lagging);
    sleep(30 * MINUTE).await;
    assert!(keys.iter().all(|key| order_of(&world, key).is_some()));
    assert_eq!(world.service.state.lock().orders.len(), 2);
    assert_eq!(sends(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn on_shutdown_a_call_under_way_is_waited_for_and_the_lease_handed_on() {
    let world = World::new();
    let first = world.healthy().await;
    world.service.state.lock().treats.push_back(Treat::Slow);
    let key = world.ticket("one", "opera");
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    first.stop().await;
    assert_eq!(order_of(&world, &key).as_deref(), Some("ord-1"), "finished before it stopped");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let _second = world.start("b", ProcessOptions::default());
    let toy = world.toy("bear", json!({ "colour": "brown" }));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(
        world.server.condition(&toy, "Ready"),
        "True Reconciled",
        "the other did not wait for a lease to run out"
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_object_with_a_doubtful_call_stops_no_other() {
    let world = World::new();
    world.service.state.lock().treats.push_back(Treat::HangForNothing);
    let first = world.put("Ticket", "one", json!({}), json!({ "what": "opera", "free": true }));
    let _process = world.healthy().await;
    world.server.user_annotates(&first, json!({ "concierge.dev/paused": "true" }));
    let second = world.put("Ticket", "two", json!({}), json!({ "what": "opera", "free": true }));
    sleep(10 * MINUTE).await;
    assert!(world.server.status(&second)["orderId"].is_string(), "{:?}", world.server.status(&second));
    assert!(world.server.condition(&first, "Paused").starts_with("True"));
    assert!(world.server.status(&first)["intent"].is_null(), "what became of it is known by now");
}

fn ticket_in(world: &World, namespace: &str) -> ObjectKey {
    world.server.user_puts(json!({
        "apiVersion": "toys.example.com/v1", "kind": "Ticket",
        "metadata": { "name": "one", "namespace": namespace }, "spec": { "what": namespace },
    }));
    ObjectKey::new("Ticket", namespace, "one")
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_namespace_keeps_only_its_own_calls_waiting() {
    let world = World::new();
    world.server.trouble(|trouble| {
        trouble.namespaces = ["default", "closed"].map(str::to_owned).into();
        trouble.forbidden_in = [("Ticket".to_owned(), "closed".to_owned())].into();
    });
    let [open, closed] = ["default", "closed"].map(|namespace| ticket_in(&world, namespace));
    let _process = world.healthy().await;
    sleep(MINUTE).await;
    assert!(order_of(&world, &open).is_some());
    assert!(order_of(&world, &closed).is_none());
    let told = world.server.message(&closed, "Synced");
    assert!(told.contains("can be counted") && told.contains("forbidden"), "{told}");
    world.server.trouble(|trouble| trouble.forbidden_in.clear());
    sleep(2 * MINUTE).await;
    assert!(order_of(&world, &closed).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_to_light_when_a_namespace_is_allowed_is_not_repeated() {
    let world = World::new();
    world.server.trouble(|trouble| trouble.namespaces = ["default", "closed"].map(str::to_owned).into());
    world.service.state.lock().treats.push_back(Treat::DropAfterCommit);
    let closed = ticket_in(&world, "closed");
    let first = world.start("first", ProcessOptions::default());
    let began = Instant::now();
    while world.server.condition(&closed, "Unknown") != "True Ambiguous" {
        sleep(Duration::from_millis(10)).await;
        assert!(began.elapsed() < MINUTE);
    }
    drop(first);
    world.server.trouble(|trouble| {
        trouble.forbidden_in = [("Ticket".to_owned(), "closed".to_owned())].into();
    });
    let _second = world.healthy().await;
    sleep(10 * MINUTE).await;
    assert!(order_of(&world, &closed).is_none());
    world.server.trouble(|trouble| trouble.forbidden_in.clear());
    sleep(20 * MINUTE).await;
    assert!(order_of(&world, &closed).is_some());
    assert_eq!((sends(&world), world.service.state.lock().orders.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_installed_keeps_no_call_waiting() {
    let world = World::new();
    // No list of tickets can be had; this one is in the cache still.
    world.server.trouble(|trouble| trouble.missing = ["Ticket".to_owned()].into());
    let ticket = world.ticket("one", "opera");
    let _process = world.healthy().await;
    sleep(MINUTE).await;
    assert!(order_of(&world, &ticket).is_some());
}
