//! Every fault on the way of every operation gives the one class of error that is true.

use std::time::Duration;

use concierge_reconciler::coffee::client::operation::{CREATE_ORDER, LIST_CARDS, LIST_ORDERS};
use concierge_reconciler::coffee::client::{Client, Doubt, Error, Operation, Outcome, SecretText};
use concierge_tests::faults::{Fault, Gate, Pause};
use concierge_tests::shop::{SEGFAULT, Shop};

use crate::calls::{Prepared, client, order, socket_client};

/// What a fault must look like from here.
#[derive(Clone, Copy)]
enum Class {
    /// The same for every operation.
    Always(Outcome),
    /// Repeatable operations may be repeated; of others the outcome is unknown.
    Doubtful,
}

impl Class {
    fn of(self, operation: Operation) -> Outcome {
        match self {
            Class::Always(outcome) => outcome,
            Class::Doubtful if operation.is_repeatable() => Outcome::Transient,
            Class::Doubtful => Outcome::Ambiguous,
        }
    }
}

/// Fault, class, and whether the shop did it all the same.
fn faults() -> Vec<(Fault, Class, bool)> {
    vec![
        (Fault::DropBefore, Class::Doubtful, false),
        (Fault::DropAfter, Class::Doubtful, true),
        (Fault::StatusBefore(500), Class::Doubtful, false),
        (Fault::StatusBefore(502), Class::Doubtful, false),
        (Fault::StatusBefore(408), Class::Doubtful, false),
        (Fault::StatusBefore(301), Class::Doubtful, false),
        (Fault::StatusAfter(500), Class::Doubtful, true),
        (Fault::StatusAfter(504), Class::Doubtful, true),
        (Fault::Garbage, Class::Doubtful, true),
        (Fault::Cut, Class::Doubtful, true),
        (Fault::Throttle(None), Class::Always(Outcome::Throttled), false),
        (Fault::Throttle(Some(7)), Class::Always(Outcome::Throttled), false),
        (Fault::Unauthorized, Class::Always(Outcome::Auth), false),
        (Fault::StatusBefore(400), Class::Always(Outcome::Refused), false),
        (Fault::StatusBefore(403), Class::Always(Outcome::Refused), false),
        (Fault::StatusBefore(404), Class::Always(Outcome::Refused), false),
        (Fault::StatusBefore(409), Class::Always(Outcome::Refused), false),
        (Fault::Echo(400), Class::Always(Outcome::Refused), false),
        (Fault::Echo(401), Class::Always(Outcome::Auth), false),
        (Fault::Echo(500), Class::Doubtful, false),
    ]
}

#[tokio::test]
async fn without_a_fault_every_operation_succeeds() {
    let shop = Shop::start().await.unwrap();
    for operation in Operation::ALL {
        let token = format!("trm_test_{operation}");
        let prepared = Prepared::new(&shop, &token).await;
        prepared.call(&socket_client(&shop, &token), operation).await.unwrap();
    }
}

#[tokio::test]
async fn every_fault_has_its_class_over_sockets() {
    for (fault, class, done) in faults() {
        let shop = Shop::start().await.unwrap();
        for operation in Operation::ALL {
            let token = format!("trm_test_{fault:?}_{operation}").replace(' ', "_");
            let prepared = Prepared::new(&shop, &token).await;
            check(&shop, &socket_client(&shop, &token), &prepared, operation, (&fault, class, done)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_fault_has_its_class_by_direct_call() {
    let faults = faults().into_iter().chain([
        (Fault::Refuse, Class::Always(Outcome::NeverSent), false),
        (Fault::SlowBefore(Pause::For(Duration::from_secs(60))), Class::Doubtful, true),
        (Fault::SlowAfter(Pause::For(Duration::from_secs(60))), Class::Doubtful, true),
        (Fault::SlowBefore(Pause::For(Duration::from_secs(19))), Class::Always(Outcome::Ok), true),
    ]);
    for (fault, class, done) in faults {
        let shop = Shop::new(1);
        for operation in Operation::ALL {
            let token = format!("trm_test_{fault:?}_{operation}");
            let prepared = Prepared::new(&shop, &token).await;
            check(&shop, &client(&shop, &token), &prepared, operation, (&fault, class, done)).await;
        }
    }
}

async fn check(
    shop: &Shop,
    client: &Client,
    prepared: &Prepared,
    operation: Operation,
    (fault, class, done): (&Fault, Class, bool),
) {
    let before = shop.count(operation.name());
    shop.faults().once(operation.name(), fault.clone());
    let result = prepared.call(client, operation).await;
    let outcome = result.as_ref().map_or_else(Error::outcome, |()| Outcome::Ok);
    assert_eq!(outcome, class.of(operation), "{operation} with {fault:?}: {result:?}");
    let sent = usize::from(outcome != Outcome::NeverSent);
    assert_eq!(
        shop.count(operation.name()),
        before + sent,
        "{operation} with {fault:?} was sent once or not at all"
    );
    if outcome != Outcome::NeverSent {
        if let Fault::SlowBefore(pause) = fault {
            // On the paused clock: the shop goes on after the client gave up.
            pause.over().await;
        }
        let logged = shop.log().into_iter().rfind(|logged| logged.operation == operation.name()).unwrap();
        assert_eq!(logged.handled.is_some(), done, "{operation} with {fault:?}");
    }
    shop.faults().clear();
}

#[tokio::test]
async fn a_refused_connection_was_never_sent() {
    let shop = Shop::start().await.unwrap();
    let prepared = Prepared::new(&shop, "trm_test_a").await;
    let client = socket_client(&shop, "trm_test_a");
    shop.refuse().await.unwrap();
    for operation in Operation::ALL {
        let before = shop.count(operation.name());
        let error = prepared.call(&client, operation).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NeverSent, "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
        assert_eq!(shop.count(operation.name()), before);
    }
    shop.allow().unwrap();
    client.profile().await.unwrap();
    prepared.call(&client, CREATE_ORDER).await.unwrap();
}

#[tokio::test]
async fn a_late_answer_is_doubtful_and_the_order_may_still_come_true() {
    let shop = Shop::start().await.unwrap();
    let account = shop.account("trm_test_late");
    let prepared = Prepared::new(&shop, "trm_test_late").await;
    let client = socket_client(&shop, "trm_test_late").with_timeout(Duration::from_millis(200));
    let before = account.charges().len();

    let gate = Gate::new();
    shop.faults().once("GET /order", Fault::SlowAfter(Pause::Until(gate.clone())));
    let error = prepared.call(&client, LIST_ORDERS).await.unwrap_err();
    assert_eq!(error, Error::Transient { operation: LIST_ORDERS, doubt: Doubt::TimedOut });
    gate.open();

    let gate = Gate::new();
    shop.faults().once("POST /order", Fault::SlowBefore(Pause::Until(gate.clone())));
    let error = prepared.call(&client, CREATE_ORDER).await.unwrap_err();
    assert_eq!(error, Error::Ambiguous { operation: CREATE_ORDER, doubt: Doubt::TimedOut });
    gate.reached(1).await;
    assert_eq!(account.charges().len(), before);
    gate.open();
    while account.charges().len() == before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_refusal_carries_the_shops_words_and_a_throttle_its_wait() {
    let shop = Shop::start().await.unwrap();
    let prepared = Prepared::new(&shop, "trm_test_words").await;
    let client = socket_client(&shop, "trm_test_words");
    let error = client.create_card(&SecretText::trimmed("tok_visa")).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(
        (refusal.status, refusal.kind.as_str(), refusal.code.as_str()),
        (400, "validation", "already_exists")
    );
    assert_eq!(
        error.to_string(),
        "POST /card was refused: Payment method already exists (400 already_exists)"
    );

    let mut order = order(&prepared.address, &prepared.card, SEGFAULT, 1);
    order.card = "crd_none".to_owned();
    let error = client.create_order(&order).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().param.as_deref(), Some("cardID"));
    assert!(client.order("ord_none").await.unwrap_err().is_not_found());

    shop.faults().once("GET /card", Fault::Throttle(Some(7)));
    let error = client.cards().await.unwrap_err();
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(error, Error::Throttled { operation: LIST_CARDS, retry_after });
}

#[tokio::test]
async fn ids_that_would_reach_another_path_are_not_sent() {
    let shop = Shop::start().await.unwrap();
    let client = socket_client(&shop, "trm_test_a");
    for id in ["", ".", "..", "a/b", "../profile", "a?b", "a%2fb", "a b", "a#b"] {
        let error = client.delete_address(id).await.unwrap_err();
        assert!(matches!(error, Error::Unsendable { .. }), "{id:?}: {error}");
    }
    assert!(shop.log().is_empty());
}
