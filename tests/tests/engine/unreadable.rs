//! Objects that are not of their kind's form, as after a change of versions: people are told, and what they use or have under way stays.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::{MINUTE, server::finalizers};
use serde_json::json;
use tokio::time::sleep;

use crate::{remote::Treat, world::World};

/// Somebody stores it in a form that this version does not know.
fn spoil(world: &World, key: &ObjectKey, field: &str) {
    let mut object = world.server.read(key).unwrap();
    object["spec"][field] = json!(["what is this?"]);
    world.server.user_puts_whole(object);
}

fn mend(world: &World, key: &ObjectKey, field: &str, value: &str) {
    let mut object = world.server.read(key).unwrap();
    object["spec"][field] = value.into();
    world.server.user_puts_whole(object);
}

fn told(world: &World) -> Vec<(String, String)> {
    let events = world.server.events().into_iter();
    let unreadable = events.filter(|event| event.warning && event.message.contains("can't read the object"));
    unreadable.map(|event| (event.key.name, event.message)).collect()
}

#[tokio::test(start_paused = true)]
async fn people_are_told_once_of_an_object_that_cant_be_read() {
    let world = World::new();
    let bear = world.toy("bear", json!({ "colour": "brown" }));
    let _process = world.healthy().await;
    spoil(&world, &bear, "colour");
    sleep(10 * MINUTE).await;
    let events = told(&world);
    assert_eq!(events.len(), 1, "{events:#?}");
    assert!(events[0].0 == "bear" && events[0].1.contains("its deletion waits"), "{events:#?}");
    world.server.user_deletes(&bear);
    sleep(10 * MINUTE).await;
    assert!(world.server.read(&bear).is_some() && world.service.state.lock().things.contains_key("bear"));
    mend(&world, &bear, "colour", "brown");
    sleep(MINUTE).await;
    assert!(world.server.read(&bear).is_none() && world.service.state.lock().things.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_an_unreadable_object_needs_stays() {
    let world = World::new();
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "login", "namespace": "default" },
        "data": { "token": "aHVudGVyMg==" },
    }));
    let login = ObjectKey::new("Secret", "default", "login");
    let toys = ["bear", "lion"].map(|name| world.toy(name, json!({ "colour": "brown", "secret": "login" })));
    let _process = world.healthy().await;
    spoil(&world, &toys[0], "colour");
    sleep(MINUTE).await;
    world.server.user_deletes(&toys[1]);
    sleep(MINUTE).await;
    assert!(world.server.read(&toys[1]).is_none());
    assert!(
        !finalizers(&world.server.read(&login).unwrap()).is_empty(),
        "the bear's thing can't be deleted without it"
    );
    mend(&world, &toys[0], "colour", "brown");
    world.server.user_deletes(&toys[0]);
    sleep(MINUTE).await;
    assert!(finalizers(&world.server.read(&login).unwrap()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_an_unreadable_one_may_use_is_held() {
    let world = World::new();
    let shelf = world.toy("shelf", json!({ "colour": "white" }));
    let bear = world.toy("bear", json!({ "colour": "brown", "inside": "shelf" }));
    let _process = world.healthy().await;
    spoil(&world, &bear, "colour");
    sleep(MINUTE).await;
    world.server.user_deletes(&shelf);
    sleep(10 * MINUTE).await;
    let message = world.server.message(&shelf, "Deleting");
    assert!(message.contains("whether a Toy uses the object: 1 of them can't be read"), "{message}");
    assert!(world.service.state.lock().things.contains_key("shelf"));
    mend(&world, &bear, "colour", "brown");
    world.server.user_deletes(&bear);
    sleep(10 * MINUTE).await;
    assert!(world.server.read(&shelf).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_an_unreadable_object_has_claimed_stays_its_own() {
    let world = World::new();
    let bear = world.toy("bear", json!({ "colour": "brown", "key": 7 }));
    let _process = world.healthy().await;
    sleep(15 * MINUTE).await;
    let claims = world.server.of_kind("Claim");
    assert_eq!(claims.len(), 1);
    spoil(&world, &bear, "colour");
    sleep(15 * MINUTE).await;
    assert_eq!(world.server.of_kind("Claim"), claims);
    mend(&world, &bear, "colour", "brown");
    world.server.user_deletes(&bear);
    sleep(15 * MINUTE).await;
    assert!(world.server.of_kind("Claim").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_of_an_unreadable_object_may_be_under_way_like_any_other() {
    let world = World::new();
    world.service.state.lock().treats.push_back(Treat::HangForNothing);
    let one = world.ticket("one", "opera");
    let first = world.healthy().await;
    assert!(world.server.intent(&one).is_some());
    drop(first);
    spoil(&world, &one, "what");
    let _second = world.healthy().await;
    let two = world.ticket("two", "opera");
    sleep(20 * MINUTE).await;
    assert!(
        world.server.message(&two, "Synced").contains("waits for Ticket default/one"),
        "{}",
        world.server.message(&two, "Synced")
    );
    mend(&world, &one, "what", "opera");
    sleep(20 * MINUTE).await;
    assert!(world.server.status(&two)["orderId"].is_string(), "one is held by now, and keeps nobody waiting");
}
