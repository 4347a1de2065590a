//! What is not certain is not acted on: caches that can't be believed, calls whose answer is lost, things that somebody else made.

use std::time::Duration;

use concierge_reconciler::{coffee::client, engine::ObjectKey};
use concierge_tests::{
    faults::{Fault, Pause, Rule},
    shop::{Plastic, SEGFAULT},
    simulation::MINUTE,
};
use serde_json::json;
use tokio::time::sleep;

use crate::world::{TOKEN, World, place};

const LONG: Duration = Duration::from_secs(2 * 3600);

/// A person with the account's token and a browser.
fn person(world: &World) -> client::Client {
    client::Client::new(world.shop.transport(), client::SecretText::trimmed(TOKEN))
}

fn key(kind: &'static str, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "default", name)
}

fn is_unknown(world: &World, key: &ObjectKey) -> bool {
    world.server.condition(key, "Unknown") == "True Ambiguous"
}

#[tokio::test(start_paused = true)]
async fn a_card_in_use_stays_while_the_watch_of_orders_is_broken() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let order = world.order("one");
    world.until("ordered", 10 * MINUTE, |world| world.server.is_ready(&order)).await;
    let card = key("CoffeeCard", "default");
    world.server.trouble(|trouble| trouble.blind = ["CoffeeOrder".to_owned()].into());
    world.server.user_deletes(&card);
    sleep(LONG).await;
    assert!(world.server.read(&card).is_some());
    assert_eq!(world.shop.account(TOKEN).cards().len(), 1);
    world.server.trouble(|trouble| trouble.blind.clear());
    world.server.user_deletes(&order);
    world.until("gone", 30 * MINUTE, |world| world.server.read(&card).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_in_use_keeps_its_token_while_the_watch_of_its_users_is_broken() {
    let world = World::new();
    let address = world.put("CoffeeAddress", "home", json!({}), place());
    let _process = world.healthy();
    world.until("made", 10 * MINUTE, |world| world.server.is_ready(&address)).await;
    let (account, secret) = (key("TerminalAccount", "default"), key("Secret", "default-token"));
    world.server.trouble(|trouble| trouble.blind = ["CoffeeAddress".to_owned()].into());
    world.server.user_deletes(&account);
    world.server.user_deletes(&secret);
    sleep(LONG).await;
    assert!(world.server.read(&account).is_some() && world.server.read(&secret).is_some());
    assert!(world.server.message(&account, "Deleting").contains("CoffeeAddress default/home"));
    world.server.trouble(|trouble| trouble.blind.clear());
    world.server.user_deletes(&address);
    let gone =
        |world: &World| [&secret, &address, &account].iter().all(|key| world.server.read(key).is_none());
    world.until("gone", 30 * MINUTE, gone).await;
    assert_eq!(world.shop.account(TOKEN).addresses().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_made_can_be_deleted_without_an_account() {
    let world = World::new();
    world.server.user_deletes(&key("TerminalAccount", "default"));
    let specs = [
        ("CoffeeAddress", place()),
        ("CoffeeCard", json!({ "cardToken": "tok_visa" })),
        ("TerminalToken", json!({})),
        ("CoffeeApp", json!({ "name": "Kiosk", "redirectUri": "https://kiosk.example.com/" })),
    ];
    let keys: Vec<_> = specs.into_iter().map(|(kind, spec)| world.put(kind, "x", json!({}), spec)).collect();
    let _process = world.healthy();
    sleep(30 * MINUTE).await;
    keys.iter().for_each(|key| world.server.user_deletes(key));
    sleep(MINUTE).await;
    for key in &keys {
        assert!(world.server.read(key).is_none(), "{key}: {}", world.server.message(key, "Deleting"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_charged_order_is_found_although_its_card_is_gone() {
    let world = World::ready_to_order();
    world.shop.faults().once("POST /order", Fault::DropAfter);
    let _process = world.healthy();
    let order = world.order("one");
    world.until("unknown", 10 * MINUTE, |world| is_unknown(world, &order)).await;
    let card = key("CoffeeCard", "default");
    let id = world.server.status(&card)["cardId"].as_str().unwrap().to_owned();
    person(&world).delete_card(&id).await.unwrap();
    world.server.user_annotates(&card, json!({ "concierge.dev/reconcile-at": "x" }));
    world.until("found", 60 * MINUTE, |world| world.server.status(&order)["orderId"].is_string()).await;
    assert_eq!(world.shop.charges().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_person_made_is_left_alone() {
    let world = World::new();
    world.shop.faults().once("POST /token", Fault::DropBefore);
    let _process = world.healthy();
    let token = world.put("TerminalToken", "ci", json!({}), json!({}));
    world.until("unknown", 10 * MINUTE, |world| is_unknown(world, &token)).await;
    let made = person(&world).create_token().await.unwrap();
    world.until("held", 60 * MINUTE, |world| world.server.condition(&token, "Unknown") == "True Held").await;
    sleep(LONG).await;
    let left: Vec<_> = world.shop.account(TOKEN).tokens().into_iter().map(|one| one.id).collect();
    assert_eq!(left, std::slice::from_ref(&made.id));
    let told = world.server.message(&token, "Unknown");
    assert!(told.contains(&made.id), "{told}");
    world.server.user_annotates(&token, json!({ "concierge.dev/resolve-unknown": "retry" }));
    world.until("active", 60 * MINUTE, |world| world.phase(&token) == "Active").await;
    assert_eq!(world.shop.account(TOKEN).tokens().len(), 2);
}

/// An order and a cart, an order's own address and an address: deleting one would remove what the other has.
#[tokio::test(start_paused = true)]
async fn what_an_object_of_another_kind_has_is_not_adopted() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let order = world.order("one");
    world.until("ordered", 10 * MINUTE, |world| world.server.is_ready(&order)).await;
    let id = world.server.status(&order)["orderId"].as_str().unwrap().to_owned();
    let metadata = json!({ "annotations": {
        "concierge.dev/recorded": id, "concierge.dev/resolve-unknown": format!("adopt={id}"),
    } });
    let spec = json!({
        "items": [{ "productVariantId": SEGFAULT, "quantity": 1 }], "convertToOrder": true,
        "accountRef": { "name": "default" }, "addressRef": { "name": "default" }, "cardRef": { "name": "default" },
    });
    let cart = world.put("CoffeeCart", "copy", metadata, spec);
    let told = |world: &World| world.server.message(&cart, "Ready").contains("belongs to another object");
    world.until("held", 60 * MINUTE, told).await;
    assert!(world.server.status(&cart)["orderId"].is_null());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_minted_while_its_secret_may_not_be_filled() {
    let world = World::new();
    let _process = world.healthy();
    let account = key("TerminalAccount", "default");
    world.until("ready", 10 * MINUTE, |world| world.server.is_ready(&account)).await;
    world.server.trouble(|trouble| trouble.read_only = ["Secret".to_owned()].into());
    let token = world.put("TerminalToken", "ci", json!({}), json!({}));
    sleep(LONG).await;
    assert!(world.shop.account(TOKEN).tokens().is_empty());
    let told = world.server.message(&token, "Synced");
    assert!(told.contains("cannot patch resource \"secrets\""), "{told}");
    assert!(told.contains("reconciler.secretNamespaces"), "{told}");
    world.server.trouble(|trouble| trouble.read_only.clear());
    world.until("active", 60 * MINUTE, |world| world.phase(&token) == "Active").await;
    assert_eq!(world.shop.account(TOKEN).tokens().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_card_that_a_person_added_is_neither_adopted_nor_charged() {
    let world = World::new();
    world.add_customer("default", "tok_visa");
    world.shop.faults().once("POST /card", Fault::DropBefore);
    let _process = world.healthy();
    let card = key("CoffeeCard", "default");
    world.until("unknown", 10 * MINUTE, |world| is_unknown(world, &card)).await;
    world.shop.issue("tok_boss", Plastic::new("amex", "0005", "the boss"));
    let boss = person(&world).create_card(&client::SecretText::trimmed("tok_boss")).await.unwrap();
    let order = world.order("one");
    world.until("ordered", 60 * MINUTE, |world| world.server.is_ready(&order)).await;
    assert_ne!(world.server.status(&card)["cardId"], boss.as_str());
    assert_eq!(world.server.status(&card)["brand"], "visa");
    assert_eq!(world.shop.account(TOKEN).cards().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_outlives_a_conflict() {
    let world = World::new();
    world.add_customer("default", "tok_chargeCustomerFail");
    let slow = Fault::SlowBefore(Pause::For(Duration::from_secs(2)));
    world.shop.faults().inject(Rule::on("POST /order").times(2), slow);
    let _process = world.healthy();
    let order = world.order("one");
    world.until("sending", 10 * MINUTE, |world| world.server.intent(&order).is_some()).await;
    sleep(Duration::from_secs(1)).await;
    world.server.user_annotates(&order, json!({ "team": "a" }));
    sleep(6 * 60 * MINUTE).await;
    assert_eq!(world.shop.count("POST /order"), 1);
    assert_eq!(world.server.condition(&order, "Placed"), "False Refused");
}

#[tokio::test(start_paused = true)]
async fn the_account_of_the_cluster_stays_while_another_namespace_falls_back_to_it() {
    for watched in [true, false] {
        let mut world = World::new();
        world.cluster_account = Some("default/default".into());
        let address = ObjectKey::new("CoffeeAddress", "office", "home");
        world.server.user_puts(json!({
            "apiVersion": "coffee.terminal.sh/v1alpha1", "kind": "CoffeeAddress",
            "metadata": { "name": "home", "namespace": "office" }, "spec": place(),
        }));
        let _process = world.healthy();
        world.until("made", 10 * MINUTE, |world| world.server.is_ready(&address)).await;
        let (account, secret) = (key("TerminalAccount", "default"), key("Secret", "default-token"));
        if !watched {
            world.server.trouble(|trouble| trouble.blind = ["CoffeeAddress".to_owned()].into());
        }
        world.server.user_deletes(&account);
        world.server.user_deletes(&secret);
        sleep(LONG).await;
        assert!(world.server.read(&account).is_some() && world.server.read(&secret).is_some());
        let told = world.server.message(&account, "Deleting");
        assert!(told.contains("an object in another namespace") && !told.contains("office"), "{told}");
        world.server.trouble(|trouble| trouble.blind.clear());
        world.server.user_deletes(&address);
        let gone =
            |world: &World| [&address, &account, &secret].iter().all(|key| world.server.read(key).is_none());
        world.until("gone", 30 * MINUTE, gone).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_account_of_the_cluster_does_not_wait_for_a_namespace_with_an_account_of_its_own() {
    let mut world = World::new();
    let account = world.account("shared", TOKEN);
    world.cluster_account = Some("default/shared".into());
    // It uses the account called default, which is there.
    let address = world.put("CoffeeAddress", "home", json!({}), place());
    let _process = world.healthy();
    world.until("made", 10 * MINUTE, |world| world.server.is_ready(&address)).await;
    world.server.user_deletes(&account);
    world.until("gone", 10 * MINUTE, |world| world.server.read(&account).is_none()).await;
}
