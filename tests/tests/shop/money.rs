//! Whatever goes wrong, one call of the client costs at most one charge, and the shop's records show it.

use concierge_reconciler::coffee::client::Outcome;
use concierge_tests::faults::{Fault, Hidden, Rule};
use concierge_tests::shop::{SEGFAULT, Shop};
use tokio::time::Duration;

use crate::calls::{Prepared, client, order, socket_client};

/// A doubtful order, and how many charges it caused.
async fn doubtful_order(fault: Fault) -> usize {
    let shop = Shop::start().await.unwrap();
    let prepared = Prepared::new(&shop, "trm_test_a").await;
    let (account, client) = (shop.account("trm_test_a"), socket_client(&shop, "trm_test_a"));
    let before = account.charges().len();
    shop.faults().once("POST /order", fault);
    let new = order(&prepared.address, &prepared.card, SEGFAULT, 3);
    let error = client.create_order(&new).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Ambiguous);

    let charges = account.charges().split_off(before);
    for charge in &charges {
        let logged = shop.log().into_iter().find(|logged| logged.number == charge.request).unwrap();
        assert_eq!((logged.operation, logged.caller), ("POST /order", account.id()));
        assert_eq!((charge.cents, charge.variants.get(SEGFAULT)), (6600, Some(&3)));
        // What the client was not told, the list tells.
        let listed = client.orders().await.unwrap();
        assert!(listed.iter().any(|order| order.id == charge.order && order.index == Some(1)));
    }
    charges.len()
}

#[tokio::test]
async fn a_doubtful_order_was_charged_once_or_not_at_all() {
    for fault in [Fault::DropAfter, Fault::StatusAfter(503), Fault::Garbage, Fault::Cut] {
        assert_eq!(doubtful_order(fault.clone()).await, 1, "{fault:?}");
    }
    for fault in [Fault::DropBefore, Fault::StatusBefore(503)] {
        assert_eq!(doubtful_order(fault.clone()).await, 0, "{fault:?}");
    }
}

#[tokio::test]
async fn an_order_can_be_lost_and_unseen_at_once() {
    let shop = Shop::new(1);
    let prepared = Prepared::new(&shop, "trm_test_a").await;
    let (account, client) = (shop.account("trm_test_a"), client(&shop, "trm_test_a"));
    shop.faults().once("POST /order", Fault::Hide(Hidden::Lists(2)));
    shop.faults().once("POST /order", Fault::DropAfter);
    client.create_order(&order(&prepared.address, &prepared.card, SEGFAULT, 1)).await.unwrap_err();
    let placed = account.charges().pop().unwrap().order;
    assert!(client.order(&placed).await.unwrap_err().is_not_found());
    for seen in [false, false, true, true] {
        let listed = client.orders().await.unwrap();
        assert_eq!(listed.iter().any(|order| order.id == placed), seen);
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_can_stay_unseen_for_a_time() {
    let shop = Shop::new(1);
    let prepared = Prepared::new(&shop, "trm_test_a").await;
    let client = client(&shop, "trm_test_a");
    shop.faults().once("POST /order", Fault::Hide(Hidden::For(Duration::from_secs(90))));
    let placed = client.create_order(&order(&prepared.address, &prepared.card, SEGFAULT, 1)).await.unwrap();
    tokio::time::advance(Duration::from_secs(89)).await;
    assert!(client.order(&placed).await.unwrap_err().is_not_found());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(client.order(&placed).await.unwrap().id, placed);
}

/// Thousands of orders through a bad line, on the paused clock: the shop's records and the client's view agree.
#[tokio::test(start_paused = true)]
async fn what_the_client_believes_never_contradicts_the_books() {
    for seed in 0..20 {
        let shop = Shop::new(seed);
        let prepared = Prepared::new(&shop, "trm_test_a").await;
        let (account, client) = (shop.account("trm_test_a"), client(&shop, "trm_test_a"));
        let ends = [
            Fault::Refuse,
            Fault::DropBefore,
            Fault::DropAfter,
            Fault::StatusBefore(500),
            Fault::StatusAfter(502),
            Fault::Throttle(Some(1)),
            Fault::Unauthorized,
            Fault::Garbage,
            Fault::Cut,
        ];
        for fault in ends {
            shop.faults().inject(Rule::on("POST /order").chance(0.08), fault);
        }
        let new = order(&prepared.address, &prepared.card, SEGFAULT, 1);
        let mut doubts = 0;
        for _ in 0..200 {
            let before = account.charges().len();
            let result = client.create_order(&new).await;
            let charged = account.charges().len() - before;
            match result.as_ref().map_err(|error| error.outcome()) {
                Ok(id) => assert_eq!((charged, &account.charges().pop().unwrap().order), (1, id)),
                Err(Outcome::Ambiguous) => {
                    doubts += 1;
                    assert!(charged <= 1);
                }
                Err(outcome) => assert_eq!(charged, 0, "seed {seed}: {outcome:?}"),
            }
        }
        assert!(doubts > 20, "seed {seed}: {doubts}");
    }
}

#[tokio::test(start_paused = true)]
async fn equal_seeds_and_requests_give_equal_shops() {
    let run = async || {
        let shop = Shop::at("2026-01-01T00:00:00Z".parse().unwrap(), 9);
        Prepared::new(&shop, "trm_test_a").await;
        (shop.charges(), format!("{:?}", shop.log()))
    };
    assert_eq!(run().await, run().await);
}
