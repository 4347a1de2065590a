//! Each kind, from its creation to its end.

use concierge_reconciler::engine::{
    ObjectKey,
    annotation::{ADOPT, RECONCILE_AT, RESOLVE_UNKNOWN},
};
use concierge_tests::{
    faults::{Fault, Hidden, Rule},
    shop::{DARK_MODE, MUG, Plastic, Product, SEGFAULT},
    simulation::{MINUTE, Process},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{LEASE, TOKEN, World, order_spec, place};

#[tokio::test(start_paused = true)]
async fn an_order_is_placed_shipped_and_delivered() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let order = world.order("one");
    world.until("ordered", 10 * MINUTE, |world| world.server.is_ready(&order)).await;
    let status = world.server.status(&order);
    assert_eq!(status["phase"], "Ordered");
    let id = status["orderId"].as_str().unwrap();
    assert_eq!(world.shop.charges().len(), 1);
    assert_eq!((status["subtotal"].as_i64(), status["shipping"].as_i64()), (Some(2200), Some(800)));
    assert_eq!(status["orderIndex"], 0);
    assert_eq!(status["account"]["name"], "default/default");
    assert_eq!(world.server.condition(&order, "Placed"), "True Ordered");
    assert_eq!(world.server.condition(&order, "Tracking"), "False NotShipped");
    assert!(world.shop.ship(id));
    world.until("shipped", 10 * MINUTE, |world| world.phase(&order) == "Shipped").await;
    assert_eq!(world.server.status(&order)["trackingStatus"], "TRANSIT");
    assert!(world.server.status(&order)["trackingNumber"].is_string());
    assert!(world.shop.deliver(id));
    world.until("delivered", 60 * MINUTE, |world| world.phase(&order) == "Delivered").await;
    assert!(world.server.is_ready(&order));
    let (asked, wrote) = (world.shop.count("GET /order/{id}"), world.server.writes());
    sleep(12 * 60 * MINUTE).await;
    assert_eq!(world.shop.count("GET /order/{id}"), asked, "a delivered order is not asked for");
    // What remains are the hourly times of the last look of account and profile.
    assert!(world.server.writes() - wrote < 12 * 2 * 2, "{} writes", world.server.writes() - wrote);
    assert_eq!(world.shop.charges().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_returned_order_says_so() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let order = world.order("one");
    world.until("ordered", 10 * MINUTE, |world| world.phase(&order) == "Ordered").await;
    let id = world.server.status(&order)["orderId"].as_str().unwrap().to_owned();
    world.shop.ship(&id);
    world.shop.set_status(&id, "RETURNED");
    world.until("returned", 60 * MINUTE, |world| world.phase(&order) == "Failed").await;
    assert_eq!(world.server.condition(&order, "Tracking"), "False Returned");
    assert!(world.server.message(&order, "Ready").contains("ask the shop"));
}

#[tokio::test(start_paused = true)]
async fn an_order_waits_for_what_it_refers_to_and_is_woken() {
    let world = World::new();
    let _process = world.healthy();
    let order = world.order("one");
    sleep(3 * LEASE).await;
    assert_eq!(world.server.condition(&order, "ReferencesResolved"), "False ReferencesMissing");
    assert_eq!(world.phase(&order), "Pending");
    assert_eq!(world.server.status(&order)["cardReadyStatus"], false);
    world.add_customer("default", "tok_visa");
    world.until("ordered", MINUTE, |world| world.phase(&order) == "Ordered").await;
    let status = world.server.status(&order);
    for field in ["profileReadyStatus", "addressReadyStatus", "cardReadyStatus"] {
        assert_eq!(status[field], true, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_declined_order_is_not_tried_again_until_somebody_asks() {
    let world = World::new();
    world.add_customer("default", "tok_chargeCustomerFail");
    let _process = world.healthy();
    let order = world.order("one");
    world.until("failed", 10 * MINUTE, |world| world.phase(&order) == "Failed").await;
    assert_eq!(world.server.condition(&order, "Placed"), "False Refused");
    let message = world.server.status(&order)["message"].as_str().unwrap().to_owned();
    assert!(message.contains("payment.invalid") && message.contains(RECONCILE_AT), "{message}");
    let sent = world.shop.count("POST /order");
    assert_eq!(sent, 1);
    sleep(6 * 60 * MINUTE).await;
    assert_eq!(world.shop.count("POST /order"), sent, "a declined charge is not sent again");
    world.server.user_annotates(&order, json!({ RECONCILE_AT: "again" }));
    world.until("asked", MINUTE, |world| world.shop.count("POST /order") == sent + 1).await;
    sleep(6 * 60 * MINUTE).await;
    assert_eq!(world.shop.count("POST /order"), sent + 1, "once for each request");
    assert!(world.shop.charges().is_empty());
    assert_eq!(world.phase(&order), "Failed");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_the_shop_forgot_is_never_placed_again() {
    let world = World::ready_to_order();
    let process = world.healthy();
    let order = world.order("one");
    world.until("ordered", 10 * MINUTE, |world| world.phase(&order) == "Ordered").await;
    // As if the shop were another.
    for operation in ["GET /order/{id}", "GET /order"] {
        world.shop.faults().inject(Rule::on(operation), Fault::StatusBefore(404));
    }
    world
        .until("missed", 90 * MINUTE, |world| {
            world.server.condition(&order, "Present") == "False OrderNotFound"
        })
        .await;
    world.server.user_annotates(&order, json!({ RECONCILE_AT: "now" }));
    sleep(6 * 60 * MINUTE).await;
    assert_eq!(world.shop.charges().len(), 1);
    assert_eq!(world.server.condition(&order, "Ready"), "False Held");
    assert!(
        world.server.message(&order, "Ready").contains("not placed"),
        "{}",
        world.server.message(&order, "Ready")
    );
    world.shop.faults().clear();
    world.until("found", 120 * MINUTE, |world| world.server.is_ready(&order)).await;
    drop(process);
}

#[tokio::test(start_paused = true)]
async fn orders_with_their_own_address_and_card() {
    let world = World::new();
    let profile = json!({ "name": "Ada", "email": "ada@example.com" });
    world.put("CoffeeProfile", "ada", json!({}), profile);
    let _process = world.healthy();
    let spec = json!({
        "productVariantId": SEGFAULT,
        "profileRef": { "name": "ada" },
        "address": place(),
        "card": { "cardToken": "tok_visa" },
    });
    let orders: Vec<_> =
        ["one", "two"].map(|name| world.put("CoffeeOrder", name, json!({}), spec.clone())).into();
    world.until("ordered", 20 * MINUTE, |world| orders.iter().all(|one| world.phase(one) == "Ordered")).await;
    let account = world.shop.account(TOKEN);
    assert_eq!(world.shop.charges().len(), 2);
    assert_eq!(account.cards().len(), 1, "the shop takes a card once, so orders with one token share it");
    assert_eq!(account.addresses().len(), 2);
    world.server.user_deletes(&orders[0]);
    world.until("gone", 10 * MINUTE, |world| world.server.read(&orders[0]).is_none()).await;
    assert_eq!((account.addresses().len(), account.cards().len()), (1, 1), "the other needs the card");
    world.server.user_deletes(&orders[1]);
    world.until("gone", 10 * MINUTE, |world| world.server.read(&orders[1]).is_none()).await;
    assert_eq!((account.addresses().len(), account.cards().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn deleting_a_placed_order_tells_that_it_stays() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let order = world.order("one");
    world.until("ordered", 10 * MINUTE, |world| world.phase(&order) == "Ordered").await;
    world.server.user_deletes(&order);
    world.until("gone", MINUTE, |world| world.server.read(&order).is_none()).await;
    let told =
        world.server.events().iter().any(|one| one.key == order && one.message.contains("left in place"));
    assert!(told, "{:?}", world.server.events());
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_kept_as_specified_and_orders_wait_for_it() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let account = world.shop.account(TOKEN);
    world.until("set", 10 * MINUTE, |_| account.profile().1.as_deref() == Some("ada@example.com")).await;
    let profile = ObjectKey::new("CoffeeProfile", "default", "default");
    world.until("synced", MINUTE, |world| world.phase(&profile) == "Synced").await;
    // No PUT gets through: the order must not be confirmed to the old address.
    world.shop.faults().inject(Rule::on("PUT /profile"), Fault::StatusBefore(500));
    let spec = json!({ "name": "Bob", "email": "bob@example.com", "accountRef": { "name": "default" } });
    world.put("CoffeeProfile", "default", json!({}), spec);
    let order = world.order("one");
    sleep(20 * MINUTE).await;
    assert!(world.shop.charges().is_empty());
    world.shop.faults().clear();
    world.until("ordered", 20 * MINUTE, |world| world.phase(&order) == "Ordered").await;
    assert_eq!(account.profile().1.as_deref(), Some("bob@example.com"));
}

#[tokio::test(start_paused = true)]
async fn an_edited_address_is_made_anew_and_the_old_one_goes_when_nobody_uses_it() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let subscription = world.subscription("one");
    world.until("active", 10 * MINUTE, |world| world.phase(&subscription) == "Active").await;
    let account = world.shop.account(TOKEN);
    let before = account.addresses()[0].id.clone();
    let mut spec = place();
    spec["street1"] = "1 New Street".into();
    spec["accountRef"] = json!({ "name": "default" });
    let address = world.put("CoffeeAddress", "default", json!({}), spec);
    world
        .until("moved", 30 * MINUTE, |_| {
            account.subscriptions()[0].address != before && account.addresses().len() == 1
        })
        .await;
    assert_eq!(world.server.status(&address)["addressId"], account.addresses()[0].id.as_str());
    world
        .until("tidy", 30 * MINUTE, |world| world.server.status(&address)["retiredAddressIds"].is_null())
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_address_is_deleted_at_the_shop_before_its_object_goes() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let address = ObjectKey::new("CoffeeAddress", "default", "default");
    world.until("verified", 10 * MINUTE, |world| world.phase(&address) == "Verified").await;
    world.shop.faults().inject(Rule::on("DELETE /address/{id}").times(3), Fault::StatusBefore(500));
    world.server.user_deletes(&address);
    world.until("gone", 30 * MINUTE, |world| world.server.read(&address).is_none()).await;
    assert!(world.shop.account(TOKEN).addresses().is_empty());
    assert!(world.shop.count("DELETE /address/{id}") >= 4);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_leaves_no_second_address_or_card() {
    let world = World::ready_to_order();
    for operation in ["POST /address", "POST /card"] {
        world.shop.faults().once(operation, Fault::DropAfter);
    }
    let _process = world.healthy();
    let order = world.order("one");
    world.until("ordered", 30 * MINUTE, |world| world.phase(&order) == "Ordered").await;
    let account = world.shop.account(TOKEN);
    assert_eq!((account.addresses().len(), account.cards().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_card_that_is_there_already_is_adopted_only_without_doubt() {
    let world = World::ready_to_order();
    let process = world.healthy();
    let card = ObjectKey::new("CoffeeCard", "default", "default");
    world.until("registered", 10 * MINUTE, |world| world.phase(&card) == "Registered").await;
    assert_eq!(world.server.status(&card)["last4"], "4242");
    // Another token of the same plastic: the shop says "already exists", and means the first object's card.
    world.shop.issue("tok_again", Plastic::new("visa", "4242", "tok_visa"));
    let spec = json!({ "cardToken": "tok_again", "accountRef": { "name": "default" } });
    let second = world.put("CoffeeCard", "second", json!({}), spec);
    world.until("refused", 10 * MINUTE, |world| world.phase(&second) == "Failed").await;
    assert!(world.server.status(&second)["cardId"].is_null());
    assert!(
        world.server.message(&second, "Ready").contains("already"),
        "{}",
        world.server.message(&second, "Ready")
    );
    // The object is lost, its card is not: the account's only card must be it.
    world.server.user_annotates(&card, json!({ "concierge.dev/abandon": "true" }));
    world.server.user_deletes(&card);
    world.until("gone", 10 * MINUTE, |world| world.server.read(&card).is_none()).await;
    world.server.user_annotates(&second, json!({ RECONCILE_AT: "now" }));
    world.until("adopted", 10 * MINUTE, |world| world.phase(&second) == "Registered").await;
    assert_eq!(world.shop.account(TOKEN).cards().len(), 1);
    drop(process);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_lives_and_is_cancelled_for_certain() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let key = world.subscription("one");
    world.until("active", 10 * MINUTE, |world| world.phase(&key) == "Active").await;
    let account = world.shop.account(TOKEN);
    assert_eq!(world.server.status(&key)["subscriptionId"], account.subscriptions()[0].id.as_str());
    let mut spec = order_spec("default", 1);
    spec["schedule"] = json!({ "type": "weekly", "interval": 5 });
    world.put("CoffeeSubscription", "one", json!({}), spec);
    let weekly = |interval| Some(concierge_tests::shop::Schedule::Weekly { interval });
    world.until("changed", 10 * MINUTE, |_| account.subscriptions()[0].schedule == weekly(5)).await;
    world.shop.faults().inject(Rule::on("DELETE /subscription/{id}").times(2), Fault::StatusBefore(500));
    world.server.user_deletes(&key);
    world.until("gone", 30 * MINUTE, |world| world.server.read(&key).is_none()).await;
    assert!(account.subscriptions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_made_by_hand_is_not_overwritten() {
    let world = World::ready_to_order();
    let process = world.healthy();
    let first = world.subscription("one");
    world.until("active", 10 * MINUTE, |world| world.phase(&first) == "Active").await;
    // The object is lost, the subscription runs on, as if somebody had made it by hand.
    world.server.user_annotates(&first, json!({ "concierge.dev/abandon": "true" }));
    world.server.user_deletes(&first);
    world.until("gone", 10 * MINUTE, |world| world.server.read(&first).is_none()).await;
    let second = world.subscription("two");
    world
        .until("refused", 10 * MINUTE, |world| {
            world.server.condition(&second, "Ready") == "False OwnedByOther"
        })
        .await;
    let sent = world.shop.count("POST /subscription");
    world.server.user_annotates(&second, json!({ ADOPT: "true" }));
    world.until("adopted", 10 * MINUTE, |world| world.phase(&second) == "Active").await;
    assert_eq!(world.shop.count("POST /subscription"), sent);
    drop(process);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_was_cancelled_at_the_shop_is_final() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let key = world.subscription("one");
    world.until("active", 10 * MINUTE, |world| world.phase(&key) == "Active").await;
    let id = world.server.status(&key)["subscriptionId"].as_str().unwrap().to_owned();
    let client = concierge_reconciler::coffee::client::Client::new(
        world.shop.transport(),
        concierge_reconciler::coffee::client::SecretText::trimmed(TOKEN),
    );
    client.delete_subscription(&id).await.unwrap();
    world.until("cancelled", 60 * MINUTE, |world| world.phase(&key) == "Cancelled").await;
    sleep(6 * 60 * MINUTE).await;
    assert!(world.shop.account(TOKEN).subscriptions().is_empty());
    world.server.user_deletes(&key);
    world.until("gone", 10 * MINUTE, |world| world.server.read(&key).is_none()).await;
}

/// A subscription that the shop has and does not list for an hour, so that it is taken as cancelled.
async fn unlisted() -> (World, Process, ObjectKey) {
    let world = World::ready_to_order();
    world.shop.faults().once("POST /subscription", Fault::Hide(Hidden::For(60 * MINUTE)));
    let process = world.healthy();
    let key = world.subscription("one");
    world.until("held", 30 * MINUTE, |world| world.server.condition(&key, "Unknown") == "True Held").await;
    let id = world.shop.account(TOKEN).subscriptions()[0].id.clone();
    world.server.user_annotates(&key, json!({ RESOLVE_UNKNOWN: format!("adopt={id}") }));
    world.until("cancelled", 30 * MINUTE, |world| world.phase(&key) == "Cancelled").await;
    (world, process, key)
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_only_seemed_to_be_cancelled_is_active_again() {
    let (world, _process, key) = unlisted().await;
    world.until("active", 90 * MINUTE, |world| world.phase(&key) == "Active").await;
    assert_eq!(world.shop.account(TOKEN).subscriptions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_only_seemed_to_be_cancelled_is_cancelled_for_certain() {
    let (world, _process, key) = unlisted().await;
    world.server.user_deletes(&key);
    world.until("gone", 30 * MINUTE, |world| world.server.read(&key).is_none()).await;
    assert!(world.shop.account(TOKEN).subscriptions().is_empty(), "nobody pays for it");
}

#[tokio::test(start_paused = true)]
async fn tokens_and_apps_are_kept_in_their_own_secrets() {
    let world = World::new();
    let _process = world.healthy();
    let token = world.put("TerminalToken", "ci", json!({}), json!({ "description": "CI" }));
    let spec = json!({ "name": "Kiosk", "redirectUri": "https://kiosk.example.com/done" });
    let app = world.put("CoffeeApp", "kiosk", json!({}), spec);
    world
        .until("active", 10 * MINUTE, |world| {
            world.phase(&token) == "Active" && world.phase(&app) == "Active"
        })
        .await;
    let account = world.shop.account(TOKEN);
    assert_eq!(value(&world, "ci-token", "token"), account.tokens()[0].text);
    assert_eq!(value(&world, "kiosk-credentials", "client_id"), account.apps()[0].id);
    assert_eq!(value(&world, "kiosk-credentials", "client_secret"), account.apps()[0].secret);
    let owner = |name: &str| secret(&world, name)["metadata"]["ownerReferences"][0]["kind"].clone();
    assert_eq!((owner("ci-token"), owner("kiosk-credentials")), ("TerminalToken".into(), "CoffeeApp".into()));
    for key in [&token, &app] {
        world.server.user_deletes(key);
        world.until("gone", 10 * MINUTE, |world| world.server.read(key).is_none()).await;
    }
    assert_eq!((account.tokens().len(), account.apps().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_somebody_else_is_left_alone() {
    let world = World::new();
    world.secret("ci-token", "token", "precious");
    let _process = world.healthy();
    let token = world.put("TerminalToken", "ci", json!({}), json!({}));
    world.until("refused", 10 * MINUTE, |world| world.phase(&token) == "Failed").await;
    assert_eq!(world.server.condition(&token, "Ready"), "False OwnedByOther");
    assert_eq!(value(&world, "ci-token", "token"), "precious");
    assert_eq!(world.shop.count("POST /token"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_answer_is_lost_is_named_to_a_person_who_decides() {
    let lost = [Fault::DropAfter, Fault::Garbage, Fault::StatusAfter(500), Fault::Cut];
    for fault in lost {
        for (kind, operation, spec) in [
            ("TerminalToken", "POST /token", json!({})),
            (
                "CoffeeApp",
                "POST /app",
                json!({ "name": "Kiosk", "redirectUri": "https://kiosk.example.com/" }),
            ),
        ] {
            let world = World::new();
            world.shop.faults().once(operation, fault.clone());
            let _process = world.healthy();
            let key = world.put(kind, "ci", json!({}), spec);
            let held = |world: &World| world.server.condition(&key, "Unknown") == "True Held";
            world.until("held", 60 * MINUTE, held).await;
            let account = world.shop.account(TOKEN);
            let tokens = account.tokens().into_iter().map(|one| one.id);
            let made: Vec<_> = tokens.chain(account.apps().into_iter().map(|one| one.id)).collect();
            assert_eq!(made.len(), 1, "{kind}, {fault:?}");
            let told = world.server.message(&key, "Unknown");
            assert!(told.contains(&made[0]), "{kind}, {fault:?}: {told}");
            world.server.user_annotates(&key, json!({ RESOLVE_UNKNOWN: "retry" }));
            world.until("active", 60 * MINUTE, |world| world.phase(&key) == "Active").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cart_is_added_up_and_becomes_one_order() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let account = ObjectKey::new("TerminalAccount", "default", "default");
    world.until("open", 10 * MINUTE, |world| world.server.is_ready(&account)).await;
    let mut spec = json!({
        "items": [
            { "productVariantId": SEGFAULT, "quantity": 2 },
            { "productVariantId": MUG, "quantity": 1 },
        ],
        "accountRef": { "name": "default" },
    });
    let cart = world.put("CoffeeCart", "desk", json!({}), spec.clone());
    world.until("added up", 10 * MINUTE, |world| world.server.status(&cart)["subtotal"] == 5900).await;
    assert_eq!(world.phase(&cart), "ItemsAdded");
    spec["addressRef"] = json!({ "name": "default" });
    spec["cardRef"] = json!({ "name": "default" });
    world.put("CoffeeCart", "desk", json!({}), spec.clone());
    world.until("complete", 10 * MINUTE, |world| world.phase(&cart) == "Ready").await;
    assert!(world.shop.charges().is_empty());
    spec["convertToOrder"] = true.into();
    world.put("CoffeeCart", "desk", json!({}), spec);
    world.until("converted", 10 * MINUTE, |world| world.phase(&cart) == "Converted").await;
    world.until("added up", 10 * MINUTE, |world| world.server.status(&cart)["total"] == 5900).await;
    for label in ["a", "b"] {
        world.server.user_annotates(&cart, json!({ "label": label, RECONCILE_AT: label }));
        sleep(30 * MINUTE).await;
    }
    let charges = world.shop.charges();
    assert_eq!(charges.len(), 1, "a converted cart is never converted again");
    assert_eq!(charges[0].variants.len(), 2);
    let touched = world.shop.log().iter().filter(|one| one.operation.contains("/cart")).count();
    assert_eq!(touched, 0, "the account's own cart is left alone");
}

#[tokio::test(start_paused = true)]
async fn equal_orders_of_an_order_and_a_cart_are_told_apart() {
    let world = World::ready_to_order();
    world.shop.faults().inject(Rule::on("POST /order").times(2), Fault::DropAfter);
    let _process = world.healthy();
    let order = world.order("one");
    let cart = json!({
        "items": [{ "productVariantId": SEGFAULT, "quantity": 1 }],
        "addressRef": { "name": "default" },
        "cardRef": { "name": "default" },
        "accountRef": { "name": "default" },
        "convertToOrder": true,
    });
    let cart = world.put("CoffeeCart", "desk", json!({}), cart);
    world
        .until("placed", 60 * MINUTE, |world| {
            world.phase(&order) == "Ordered" && world.phase(&cart) == "Converted"
        })
        .await;
    assert_eq!(world.shop.charges().len(), 2);
    assert_ne!(world.server.status(&order)["orderId"], world.server.status(&cart)["orderId"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_tells_whose_it_is_and_what_it_can_buy() {
    let world = World::new();
    let _process = world.healthy();
    let account = ObjectKey::new("TerminalAccount", "default", "default");
    world.until("open", 10 * MINUTE, |world| world.server.is_ready(&account)).await;
    assert_eq!(world.server.status(&account)["userId"], world.shop.account(TOKEN).id().as_str());
    world.until("listed", 10 * MINUTE, |world| world.server.of_kind("CoffeeProduct").len() == 4).await;
    let of = |name: &str| {
        let all = world.server.of_kind("CoffeeProduct");
        all.into_iter().find(|one| one["spec"]["name"] == name)
    };
    let cron = of("cron").unwrap();
    assert_eq!(cron["spec"]["subscription"], "required");
    assert_eq!(cron["metadata"]["ownerReferences"][0]["name"], "default");
    world.shop.withdraw(cron["spec"]["productId"].as_str().unwrap());
    world.shop.sell(Product::single("prd_01J1JF8PWKTYHX3GQ7Z8V5N2ZZ", "zulu", DARK_MODE, 999, None));
    world.until("refreshed", 30 * MINUTE, |_| of("cron").is_none() && of("zulu").is_some()).await;
    let wrong = [
        (json!({ "environment": "production" }), "trm_test_92eb5ffee6ae2fec", "a test token"),
        (json!({ "environment": "dev" }), "trm_live_5d41402abc4b2a76", "a live token"),
    ];
    for (mut spec, token, says) in wrong {
        world.secret("other-token", "token", token);
        spec["baseUrl"] = "http://shop.default.svc".into();
        spec["tokenSecretRef"] = json!({ "name": "other-token", "key": "token" });
        let other = world.put("TerminalAccount", "other", json!({}), spec);
        sleep(MINUTE).await;
        assert_eq!(world.server.condition(&other, "TokenAccepted"), "False TokenUnusable");
        let message = world.server.message(&other, "Ready");
        assert!(message.contains(says) && message.contains("other-token"), "{message}");
        assert!(!message.contains(token), "{message}");
        assert!(world.shop.log().iter().all(|one| one.caller != "nobody"), "nothing is sent");
        world.server.user_deletes(&other);
        world.until("gone", 10 * MINUTE, |world| world.server.read(&other).is_none()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_goes_with_the_last_that_uses_it_although_nothing_was_made_with_it() {
    let world = World::new();
    let key = |kind, name: &str| ObjectKey::new(kind, "default", name);
    world.server.user_deletes(&key("Secret", "default-token"));
    let account = key("TerminalAccount", "default");
    let _process = world.healthy();
    let token = world.put("TerminalToken", "ci", json!({}), json!({}));
    world
        .until("waiting", 10 * MINUTE, |world| world.server.condition(&token, "Ready").starts_with("False"))
        .await;
    world.server.user_deletes(&account);
    let waits =
        |world: &World| world.server.message(&account, "Deleting").contains("in use by TerminalToken");
    world.until("in use", 10 * MINUTE, waits).await;
    world.server.user_deletes(&token);
    assert!(world.server.read(&token).is_none(), "it bears our finalizer");
    world.until("gone", 10 * MINUTE, |world| world.server.read(&account).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_worthless_token_is_told_and_a_new_one_of_another_user_too() {
    let world = World::ready_to_order();
    let _process = world.healthy();
    let account = ObjectKey::new("TerminalAccount", "default", "default");
    world.until("open", 10 * MINUTE, |world| world.server.is_ready(&account)).await;
    world.shop.revoke(TOKEN);
    world
        .until("refused", 60 * MINUTE, |world| {
            world.server.condition(&account, "TokenAccepted") == "False Refused"
        })
        .await;
    let calls = world.shop.log().len();
    sleep(60 * MINUTE).await;
    assert!(world.shop.log().len() - calls < 20, "the breaker is open");
    let other = "trm_test_0cc175b9c0f1b6a831c399e269772661";
    world.shop.account(other);
    world.secret("default-token", "token", other);
    world
        .until("told", 60 * MINUTE, |world| {
            world.server.condition(&account, "TokenAccepted") == "False OtherUser"
        })
        .await;
    let order = world.order("one");
    sleep(60 * MINUTE).await;
    assert!(world.shop.charges().is_empty(), "{}", world.phase(&order));
}

fn secret(world: &World, name: &str) -> Value {
    let all = world.server.of_kind("Secret");
    all.into_iter().find(|one| one["metadata"]["name"] == name).unwrap()
}

fn value(world: &World, name: &str, key: &str) -> String {
    let value = secret(world, name)["data"][key].clone();
    let bytes: k8s_openapi::ByteString = serde_json::from_value(value).unwrap();
    String::from_utf8(bytes.0).unwrap()
}
