//! Objects that come out of a backup without their status are held until a person says what became of them.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::{MINUTE, ProcessOptions, Simulated};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::World;

fn sends(world: &World) -> usize {
    world.service.state.lock().sends.values().sum()
}

/// Orders a ticket, and returns its metadata as a backup has it.
async fn ordered(world: &World) -> Value {
    let key = world.ticket("one", "opera");
    sleep(MINUTE).await;
    assert_eq!(sends(world), 1);
    let metadata = world.server.read(&key).unwrap()["metadata"].clone();
    let kept = ["finalizers", "annotations"].map(|part| (part.to_owned(), metadata[part].clone()));
    Value::Object(kept.into_iter().collect())
}

fn restore(world: &World, metadata: Value) -> ObjectKey {
    world.put("Ticket", "copy", metadata, json!({ "what": "opera" }))
}

#[tokio::test(start_paused = true)]
async fn a_restored_order_is_not_sent_again() {
    let world = World::new();
    let _process = world.healthy().await;
    let metadata = ordered(&world).await;
    assert_eq!(metadata["annotations"]["concierge.dev/recorded"], "ord-1");
    let marks = [
        metadata.clone(),
        json!({ "finalizers": metadata["finalizers"] }),
        json!({ "annotations": metadata["annotations"] }),
    ];
    for (n, marks) in marks.into_iter().enumerate() {
        let copy = world.put("Ticket", &format!("copy-{n}"), marks, json!({ "what": "opera" }));
        sleep(90 * MINUTE).await;
        assert_eq!(sends(&world), 1, "copy {n}");
        assert_eq!(world.server.condition(&copy, "Unknown"), "True Held");
        assert!(world.server.message(&copy, "Ready").contains("resolve-unknown"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_says_that_a_restored_order_is_to_be_sent() {
    let world = World::new();
    let _process = world.healthy().await;
    let copy = restore(&world, ordered(&world).await);
    sleep(MINUTE).await;
    world.server.user_annotates(&copy, json!({ "concierge.dev/resolve-unknown": "retry" }));
    sleep(MINUTE).await;
    assert_eq!(sends(&world), 2);
    assert!(world.server.is_ready(&copy));
}

#[tokio::test(start_paused = true)]
async fn a_person_says_which_order_a_restored_object_is_about() {
    let world = World::new();
    let _process = world.healthy().await;
    let metadata = ordered(&world).await;
    // The object is gone, and its order with it, or the two would be one too many.
    world.server.user_deletes(&ObjectKey::new("Ticket", "default", "one"));
    sleep(MINUTE).await;
    let copy = restore(&world, metadata);
    sleep(MINUTE).await;
    world.server.user_annotates(&copy, json!({ "concierge.dev/resolve-unknown": "adopt=ord-1" }));
    sleep(MINUTE).await;
    assert_eq!(sends(&world), 1);
    assert_eq!(world.server.status(&copy)["orderId"], "ord-1");
}

#[tokio::test(start_paused = true)]
async fn a_word_that_is_not_understood_is_named_at_once_also_when_it_was_there_at_creation() {
    let world = World::new();
    let _process = world.healthy().await;
    let mut metadata = ordered(&world).await;
    metadata["annotations"]["concierge.dev/resolve-unknown"] = json!("later");
    let copy = restore(&world, metadata);
    sleep(MINUTE / 2).await;
    let told = world.server.message(&copy, "Ready");
    assert!(told.contains("says \"later\"") && told.contains("retry, adopt=<id> or abandon"), "{told}");
    assert_eq!((sends(&world), world.server.condition(&copy, "Unknown")), (1, "True Held".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_word_about_nothing_is_taken_away_and_that_is_told() {
    let world = World::new();
    let _process = world.healthy().await;
    let annotations = json!({ "annotations": { "concierge.dev/resolve-unknown": "later" } });
    let ticket = world.put("Ticket", "one", annotations, json!({ "what": "opera" }));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&ticket));
    let told = world.server.events();
    let is_told = |message: &str| message.contains("resolve-unknown is removed: there is no call");
    assert!(told.iter().any(|event| event.key == ticket && is_told(&event.message)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restored_object_is_not_deleted_as_if_it_had_made_nothing() {
    let world = World::new();
    let _process = world.healthy().await;
    let copy = restore(&world, ordered(&world).await);
    world.server.user_deletes(&copy);
    sleep(60 * MINUTE).await;
    assert!(world.server.read(&copy).is_some());
    world.server.user_annotates(&copy, json!({ "concierge.dev/abandon": "true" }));
    sleep(MINUTE).await;
    assert!(world.server.read(&copy).is_none());
    assert_eq!(sends(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_object_is_not_taken_for_a_restored_one() {
    let world = World::new();
    // Referred to before anybody has looked at it.
    world.toy("box", json!({ "colour": "brown" }));
    world.toy("bear", json!({ "colour": "brown", "inside": "box" }));
    let _process = world.healthy().await;
    ordered(&world).await;
    let bear = ObjectKey::new("Toy", "default", "bear");
    assert!(world.server.is_ready(&bear));
}

fn order_of(world: &World, ticket: &ObjectKey) -> Value {
    world.server.status(ticket)["orderId"].clone()
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_another_object_is_not_adopted() {
    let world = World::new();
    let _process = world.healthy().await;
    let copy = restore(&world, ordered(&world).await);
    sleep(MINUTE).await;
    world.server.user_annotates(&copy, json!({ "concierge.dev/resolve-unknown": "adopt=ord-1" }));
    sleep(MINUTE).await;
    assert_eq!(order_of(&world, &copy), Value::Null);
    let told = world.server.message(&copy, "Ready");
    assert!(told.contains("ord-1 belongs to another object"), "{told}");
    world.server.user_deletes(&copy);
    world.server.user_annotates(&copy, json!({ "concierge.dev/resolve-unknown": "abandon" }));
    sleep(MINUTE).await;
    assert!(world.server.read(&copy).is_none());
    assert!(!world.service.state.lock().orders[0].cancelled, "the other object's order");
}

#[tokio::test(start_paused = true)]
async fn of_two_copies_that_name_the_same_order_one_gets_it() {
    let world = World::new();
    let _process = world.healthy().await;
    let metadata = ordered(&world).await;
    world.server.user_removes(&ObjectKey::new("Ticket", "default", "one"));
    let copies = ["a", "b"].map(|name| {
        let mut metadata = metadata.clone();
        metadata["annotations"]["concierge.dev/resolve-unknown"] = "adopt=ord-1".into();
        world.put("Ticket", name, metadata, json!({ "what": "opera" }))
    });
    sleep(10 * MINUTE).await;
    let got = copies.iter().filter(|copy| order_of(&world, copy) == "ord-1").count();
    assert_eq!((got, sends(&world)), (1, 1));
}

/// Users write annotations of any length and any content, also those that are ours.
#[tokio::test(start_paused = true)]
async fn no_annotation_keeps_an_account_or_a_worker_from_others() {
    let world = World::new();
    let _process = world.healthy().await;
    let long = "x".repeat(200_000);
    let ids = (0..20_000).map(|n| format!("ord-{n}")).collect::<Vec<_>>().join(",");
    let cases = [
        json!({ "concierge.dev/recorded": ids }),
        json!({ "concierge.dev/recorded": long }),
        json!({ "concierge.dev/recorded": "ord-9", "concierge.dev/resolve-unknown": format!("adopt={long}") }),
        json!({ "concierge.dev/recorded": "ord-9", "concierge.dev/resolve-unknown": "adopt=a\nb" }),
        json!({ "concierge.dev/recorded": "ord-9", "concierge.dev/resolve-unknown": long }),
    ];
    let held = cases.map(|annotations| {
        let name = format!("held-{}", world.server.of_kind("Ticket").len());
        world.put("Ticket", &name, json!({ "annotations": annotations }), json!({ "what": name }))
    });
    sleep(MINUTE).await;
    for ticket in &held {
        assert_eq!(world.server.condition(ticket, "Ready"), "False Held");
        let told = world.server.message(ticket, "Ready");
        assert!(told.contains("adopt=<id>"), "{told}");
    }
    let reads = world.server.reads();
    sleep(5 * MINUTE).await;
    assert!(world.server.reads() - reads < 100, "looked at again and again");

    let asked = json!({ "annotations": { "concierge.dev/reconcile-at": long } });
    let other = world.put("Ticket", "other", asked, json!({ "what": "ballet" }));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&other));
    assert!(world.server.status(&other)["reconciledAt"].as_str().unwrap().len() < 300);
}

#[tokio::test(start_paused = true)]
async fn what_a_restored_object_has_is_not_deleted_for_the_one_before_that_the_cache_still_shows() {
    let world = World::new();
    let bear = world.toy("bear", json!({ "colour": "brown" }));
    let lag = MINUTE;
    let _process = world.start("behind", ProcessOptions { lag, ..ProcessOptions::default() });
    sleep(10 * lag).await;
    assert!(world.server.is_ready(&bear));
    let metadata = world.server.read(&bear).unwrap()["metadata"].clone();
    world.server.user_deletes(&bear);
    sleep(lag / 2).await;
    // By force, and put back, before the process sees that it is being deleted.
    world.server.user_removes(&bear);
    world.put("Toy", "bear", json!({ "finalizers": metadata["finalizers"] }), json!({ "colour": "brown" }));
    sleep(10 * lag).await;
    let uid = metadata["uid"].as_str();
    let thing = world.service.state.lock().things.get("bear").cloned();
    assert_eq!(thing.unwrap().mark.as_deref(), uid, "it was thrown away, and perhaps made anew");
}
