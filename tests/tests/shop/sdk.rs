//! The fake shop tells the truth, as far as the shop's official client can tell.

use std::collections::BTreeSet;

use concierge_reconciler::coffee::client::Operation;
use concierge_tests::faults::Fault;
use concierge_tests::shop::sdk::{self, Job};
use concierge_tests::shop::{SEGFAULT, Shop};

use crate::calls::{client, order, place_address, place_card};

#[tokio::test]
async fn the_official_client_understands_every_answer_of_the_fake() {
    let shop = Shop::start().await.unwrap();
    let account = shop.account("trm_test_sdk");
    let ours = client(&shop, "trm_test_sdk");
    let (address, card) = (place_address(&ours).await, place_card(&ours, "tok_mastercard").await);
    let shipped = ours.create_order(&order(&address, &card, SEGFAULT, 1)).await.unwrap();
    assert!(shop.ship(&shipped));

    sdk::run(Job::All, &shop.url()).await.unwrap();

    let called: BTreeSet<_> = shop.log().iter().map(|logged| logged.operation).collect();
    let missed: Vec<_> =
        Operation::ALL.iter().filter(|operation| !called.contains(operation.name())).collect();
    assert!(missed.is_empty(), "never called: {missed:?}");
    assert!(called.contains("POST /email") && called.len() == 37, "{called:?}");
    // Ours, the SDK's own, and the cart's.
    assert_eq!(account.charges().len(), 3);
}

#[tokio::test]
async fn the_official_client_orders_twice_when_a_reply_is_lost_and_ours_does_not() {
    let shop = Shop::start().await.unwrap();
    let account = shop.account("trm_test_sdk");
    shop.faults().once("POST /order", Fault::DropAfter);
    sdk::run(Job::Order, &shop.url()).await.unwrap();
    assert_eq!(account.charges().len(), 2, "the shop's records show what really happened");

    let ours = client(&shop, "trm_test_ours");
    let account = shop.account("trm_test_ours");
    let (address, card) = (place_address(&ours).await, place_card(&ours, "tok_visa").await);
    shop.faults().once("POST /order", Fault::DropAfter);
    ours.create_order(&order(&address, &card, SEGFAULT, 1)).await.unwrap_err();
    assert_eq!(account.charges().len(), 1);
}
