//! The rules the fake shop plays by, seen through our client.

use std::collections::BTreeSet;

use concierge_reconciler::coffee::client::{
    Error, Place, Schedule, SecretText, SubscriptionChange, SubscriptionRule, TrackingStatus,
};
use concierge_tests::shop::{CRON, DARK_MODE, MUG, Plastic, Product, SEGFAULT, Shop};

use crate::calls::{Prepared, app, client, order, place, place_address, place_card, subscription};

fn code(error: &Error) -> &str {
    &error.refusal().unwrap_or_else(|| panic!("not refused: {error}")).code
}

#[tokio::test]
async fn an_address_is_stored_in_the_carriers_form_and_equal_ones_stay_apart() {
    let shop = Shop::new(1);
    let client = client(&shop, "trm_test_a");
    let untidy = Place { street1: "1  main\tst ".to_owned(), country: "us".to_owned(), ..place() };
    let first = client.create_address(&untidy).await.unwrap();
    let second = client.create_address(&untidy).await.unwrap();
    assert_ne!(first, second);
    let stored = client.address(&first).await.unwrap();
    assert_eq!((stored.place.street1.as_str(), stored.place.country.as_str()), ("1 MAIN ST", "US"));
    assert_eq!(stored.created.map(|at| at.as_second()), Some(shop.now().as_second()));
    assert_eq!(client.addresses().await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_carrier_refuses_addresses_outside_the_sandbox() {
    let shop = Shop::new(1);
    shop.undeliverable("94107");
    let live = client(&shop, "trm_live_a");
    assert_eq!(code(&live.create_address(&place()).await.unwrap_err()), "address.invalid");
    place_address(&client(&shop, "trm_test_a")).await;
    let abroad = Place { country: "USA".to_owned(), ..place() };
    let error = live.create_address(&abroad).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().param.as_deref(), Some("country"));
}

#[tokio::test]
async fn a_card_is_told_by_its_fingerprint_not_by_its_token() {
    let shop = Shop::new(1);
    shop.issue("tok_1Abc", Plastic::new("visa", "1111", "same"));
    shop.issue("tok_2Def", Plastic::new("visa", "1111", "same"));
    let client = client(&shop, "trm_live_a");
    let id = place_card(&client, "tok_1Abc").await;
    let again =
        |token: &'static str| async { client.create_card(&SecretText::trimmed(token)).await.unwrap_err() };
    assert_eq!(code(&again("tok_2Def").await), "already_exists");
    assert_eq!(code(&again("tok_unknown").await), "payment.invalid");
    assert_eq!(code(&again("tok_visa").await), "payment.invalid");
    let card = client.card(&id).await.unwrap();
    assert_eq!((card.brand.as_str(), card.last4.as_str(), card.expiration.month), ("visa", "1111", 12));
    client.delete_card(&id).await.unwrap();
    assert!(client.delete_card(&id).await.unwrap_err().is_not_found());
    place_card(&client, "tok_2Def").await;
}

#[tokio::test]
async fn orders_count_per_account_and_keep_the_address_of_their_time() {
    let shop = Shop::new(1);
    let (one, other) = (Prepared::new(&shop, "trm_test_1").await, Prepared::new(&shop, "trm_test_2").await);
    let ours = client(&shop, "trm_test_1");
    let id = ours.create_order(&order(&one.address, &one.card, MUG, 2)).await.unwrap();
    ours.delete_address(&one.address).await.unwrap();
    let placed = ours.order(&id).await.unwrap();
    assert_eq!((placed.index, placed.shipping.zip.as_str()), (Some(1), "94107"));
    assert_eq!((placed.amount.subtotal, placed.amount.shipping), (3000, 800));
    assert_eq!(placed.items[0].variant.as_deref(), Some(MUG));
    let theirs = client(&shop, "trm_test_2").orders().await.unwrap();
    assert_eq!(theirs.iter().map(|order| order.index).collect::<Vec<_>>(), [Some(0)]);
    let error = ours.create_order(&order(&other.address, &one.card, MUG, 1)).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().param.as_deref(), Some("addressID"));
    assert!(ours.order(&theirs[0].id).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn shipping_costs_depend_on_country_and_amount() {
    let shop = Shop::new(1);
    let client = client(&shop, "trm_test_a");
    let card = place_card(&client, "tok_visa").await;
    let here = place_address(&client).await;
    let abroad = client.create_address(&Place { country: "de".to_owned(), ..place() }).await.unwrap();
    for (address, quantity, shipping) in [(&here, 1, 800), (&here, 2, 0), (&abroad, 2, 1490)] {
        let id = client.create_order(&order(address, &card, SEGFAULT, quantity)).await.unwrap();
        assert_eq!(client.order(&id).await.unwrap().amount.shipping, shipping);
    }
    assert_eq!(shop.charges().iter().map(|charge| charge.cents).collect::<Vec<_>>(), [3000, 4400, 5890]);
}

#[tokio::test]
async fn a_declined_card_costs_nothing() {
    let shop = Shop::new(1);
    let client = client(&shop, "trm_test_a");
    let (address, card) = (place_address(&client).await, place_card(&client, "tok_chargeCustomerFail").await);
    let error = client.create_order(&order(&address, &card, SEGFAULT, 1)).await.unwrap_err();
    assert_eq!(code(&error), "payment.invalid");
    assert!(shop.charges().is_empty() && client.orders().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_shipment_is_tracked_to_its_end() {
    let shop = Shop::new(1);
    let prepared = Prepared::new(&shop, "trm_test_a").await;
    let client = client(&shop, "trm_test_a");
    let id = client.create_order(&order(&prepared.address, &prepared.card, MUG, 1)).await.unwrap();
    assert_eq!(client.order(&id).await.unwrap().tracking, Default::default());
    assert!(shop.ship(&id));
    let tracking = client.order(&id).await.unwrap().tracking;
    assert!(tracking.number.is_some() && tracking.url.is_some() && tracking.service.is_some());
    let status = async || client.order(&id).await.unwrap().tracking.status;
    assert_eq!(status().await, Some(TrackingStatus::Transit));
    assert!(shop.deliver(&id));
    assert_eq!(status().await, Some(TrackingStatus::Delivered));
    for (word, expect) in [("RETURNED", TrackingStatus::Returned), ("TELEPORTED", TrackingStatus::Unknown)] {
        assert!(shop.set_status(&id, word));
        assert_eq!(status().await, Some(expect));
    }
    assert!(!shop.ship("ord_none"));
}

#[tokio::test]
async fn a_second_subscription_to_a_variant_overwrites_the_first() {
    let shop = Shop::new(1);
    let client = client(&shop, "trm_test_a");
    let (address, card) = (place_address(&client).await, place_card(&client, "tok_visa").await);
    let new = |quantity| subscription(&address, &card, DARK_MODE, quantity);
    client.create_subscription(&new(1), shop.now()).await.unwrap();
    let first = client.subscriptions().await.unwrap();
    client.create_subscription(&new(4), shop.now()).await.unwrap();
    let second = client.subscriptions().await.unwrap();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!((first[0].quantity, second[0].quantity), (1, 4));
    assert_eq!(first[0].id, second[0].id);
    assert_eq!(second[0].schedule, Some(Schedule::Weekly { interval: 2 }));
    assert!(second[0].next.is_some() && second[0].price == 2200);

    let change = SubscriptionChange { schedule: Some(Schedule::Fixed), ..Default::default() };
    let changed = client.update_subscription(&first[0].id, &change).await.unwrap();
    assert_eq!((changed.schedule, changed.quantity), (Some(Schedule::Fixed), 4));
    client.delete_subscription(&first[0].id).await.unwrap();
    assert!(client.delete_subscription(&first[0].id).await.unwrap_err().is_not_found());
    let newer = SubscriptionChange { schedule: Some(Schedule::Other), ..Default::default() };
    let error = client.update_subscription(&first[0].id, &newer).await.unwrap_err();
    assert!(matches!(error, Error::Unsendable { .. }), "{error}");
}

#[tokio::test]
async fn products_say_how_they_are_sold_and_the_shop_keeps_to_it() {
    let shop = Shop::new(1);
    let client = client(&shop, "trm_test_a");
    let (address, card) = (place_address(&client).await, place_card(&client, "tok_visa").await);
    let rules: Vec<_> =
        client.products().await.unwrap().into_iter().map(|product| product.subscription).collect();
    let (allowed, required) = (Some(SubscriptionRule::Allowed), Some(SubscriptionRule::Required));
    assert_eq!(rules, [allowed, allowed, None, required]);

    client.create_order(&order(&address, &card, CRON, 1)).await.unwrap_err();
    client.set_cart_item(CRON, 1).await.unwrap_err();
    let weekly = subscription(&address, &card, CRON, 1);
    let error = client.create_subscription(&weekly, shop.now()).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().param.as_deref(), Some("schedule"));
    let mut fixed = weekly;
    fixed.schedule = Some(Schedule::Fixed);
    client.create_subscription(&fixed, shop.now()).await.unwrap();
    client.create_subscription(&subscription(&address, &card, MUG, 1), shop.now()).await.unwrap_err();

    shop.sell(Product::single("prd_new", "new", "var_new", 100, None));
    client.create_order(&order(&address, &card, "var_new", 1)).await.unwrap();
    shop.withdraw("prd_new");
    client.create_order(&order(&address, &card, "var_new", 1)).await.unwrap_err();
    assert!(client.product("prd_new").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn the_cart_sets_quantities_and_converts_once() {
    let shop = Shop::new(1);
    let client = client(&shop, "trm_test_a");
    let (address, card) = (place_address(&client).await, place_card(&client, "tok_visa").await);
    client.set_cart_item(SEGFAULT, 3).await.unwrap();
    let cart = client.set_cart_item(SEGFAULT, 1).await.unwrap();
    assert_eq!((cart.items[0].quantity, cart.subtotal, cart.amount.shipping), (1, 2200, None));
    client.convert_cart().await.unwrap_err();
    client.set_cart_address(&address).await.unwrap();
    client.set_cart_card(&card).await.unwrap();
    let cart = client.cart().await.unwrap();
    assert_eq!((cart.amount.shipping, cart.amount.total), (Some(800), Some(3000)));
    assert_eq!((cart.address.as_deref(), cart.card.as_deref()), (Some(&*address), Some(&*card)));
    let placed = client.convert_cart().await.unwrap();
    assert_eq!(shop.charges()[0].order, placed.id);
    client.convert_cart().await.unwrap_err();
    assert_eq!(shop.charges().len(), 1);

    client.delete_address(&address).await.unwrap();
    client.delete_card(&card).await.unwrap();
    let cart = client.cart().await.unwrap();
    assert_eq!((cart.items.len(), cart.address, cart.card), (0, None, None));
}

#[tokio::test]
async fn a_minted_token_opens_the_account_until_it_is_revoked() {
    let shop = Shop::new(1);
    let ours = client(&shop, "trm_test_a");
    let minted = ours.create_token().await.unwrap();
    let theirs = concierge_reconciler::coffee::client::Client::new(shop.transport(), minted.token.clone());
    assert_eq!(theirs.profile().await.unwrap(), ours.profile().await.unwrap());
    ours.delete_token(&minted.id).await.unwrap();
    assert!(matches!(theirs.profile().await.unwrap_err(), Error::Auth { .. }));
    shop.revoke("trm_test_a");
    assert!(matches!(ours.profile().await.unwrap_err(), Error::Auth { .. }));
}

#[tokio::test]
async fn apps_and_profile_keep_what_they_were_given() {
    let shop = Shop::new(1);
    let client = client(&shop, "trm_test_a");
    let minted = client.create_app(&app()).await.unwrap();
    assert_eq!(client.apps().await.unwrap()[0].redirect_uri, app().redirect_uri);
    assert_eq!(minted.secret.expose(), shop.account("trm_test_a").apps()[0].secret);
    client.delete_app(&minted.id).await.unwrap();

    assert_eq!(client.profile().await.unwrap().name, None);
    let user = client.put_profile("Ann", "ann@example.com").await.unwrap();
    assert_eq!((user.name.as_deref(), user.email.as_deref()), (Some("Ann"), Some("ann@example.com")));
    assert_eq!(code(&client.put_profile("Ann", "ann").await.unwrap_err()), "invalid_parameter");
}

#[tokio::test]
async fn the_overview_is_the_lists_together() {
    let shop = Shop::new(1);
    Prepared::new(&shop, "trm_test_a").await;
    let client = client(&shop, "trm_test_a");
    let all = client.init().await.unwrap();
    assert_eq!(all.profile.user, client.profile().await.unwrap());
    assert_eq!(all.addresses, client.addresses().await.unwrap());
    assert_eq!(all.cards, client.cards().await.unwrap());
    assert_eq!(all.orders, client.orders().await.unwrap());
    assert_eq!(all.subscriptions, client.subscriptions().await.unwrap());
    assert_eq!(all.tokens, client.tokens().await.unwrap());
    assert_eq!(all.apps, client.apps().await.unwrap());
    assert_eq!(all.products, client.products().await.unwrap());
    assert_eq!((all.cart, all.region.as_str()), (client.cart().await.unwrap(), "na"));
}

#[tokio::test]
async fn the_log_names_who_did_what_and_no_secret() {
    let shop = Shop::new(1);
    Prepared::new(&shop, "trm_test_secret").await;
    let log = shop.log();
    let id = shop.account("trm_test_secret").id();
    assert!(log.iter().all(|logged| logged.caller == id && logged.handled == Some(200)));
    assert_eq!(shop.count("POST /order"), 1);
    let numbers: BTreeSet<_> = log.iter().map(|logged| logged.number).collect();
    assert_eq!(numbers.len(), log.len());
    let shown = format!("{log:?}");
    assert!(shown.contains("94107"), "bodies are in the log");
    for secret in ["trm_test_secret", "tok_visa"] {
        assert!(!shown.contains(secret), "{secret} is in the log");
    }
}
