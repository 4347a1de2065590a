//! Five hundred orders of three customers, while a tenth of the shop's calls goes wrong: each is charged once or left to
//! a person.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use concierge_tests::faults::{Fault, Pause, Rule};
use concierge_tests::stack::Plan;
use serde_json::Value;

use crate::shopping::{Objects, ShopCluster, is_held, is_placed, order, waits_for_held};

const CUSTOMERS: [&str; 3] = ["ada", "bob", "cyd"];
const ORDERS: usize = 500;
/// The part of the shop's calls that goes wrong.
const BAD: f64 = 0.1;
/// Several times what a quiet machine needs: other tests use the processors too, and each call that is late is one more.
const MOST: Duration = Duration::from_secs(900);
/// How long a call may take.
const CALL: Duration = Duration::from_secs(1);

/// All that may happen to a call, each as likely as the others.
fn faults() -> [Fault; 9] {
    [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::StatusBefore(500),
        Fault::StatusAfter(500),
        Fault::Throttle(Some(1)),
        Fault::SlowBefore(Pause::For(CALL / 2)),
        Fault::SlowAfter(Pause::For(CALL * 3 / 2)),
        Fault::Garbage,
        Fault::Cut,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn five_hundred_orders_are_charged_once_each_or_held() {
    let reconciler_args = ["--request-timeout", "1s", "--settle-time", "3s"].map(str::to_owned).to_vec();
    let cluster =
        ShopCluster::open(&CUSTOMERS, Plan { reconcilers: 2, reconciler_args, ..Plan::default() }).await;
    for fault in faults() {
        cluster.shop.faults().inject(Rule::any().chance(BAD / faults().len() as f64), fault);
    }
    let began = Instant::now();
    cluster.create((0..ORDERS).map(|number| order(CUSTOMERS[number % 3], number / 3)).collect()).await;
    println!("{ORDERS} orders created in {:.1?}", began.elapsed());

    let settled = |one: &_, all: &Objects| is_placed(one) || is_held(one) || waits_for_held(one, all);
    let orders = cluster.until("CoffeeOrder", ORDERS, "settled", MOST, settled).await;
    report("settled", &cluster, &orders, began.elapsed());
    report_by_account(&cluster, began.elapsed());
    let placed = orders.values().filter(|one| is_placed(one)).count();
    cluster.assert_books_agree(&orders);
    assert_eq!(cluster.shop.charges().len(), placed, "what is held was not charged");

    // Somebody looks at the shop, finds nothing, and says so; by now the shop is well.
    cluster.shop.faults().clear();
    let again = Instant::now();
    let all = async {
        let orders = cluster.until("CoffeeOrder", ORDERS, "placed", MOST, |one, _| is_placed(one));
        orders.await
    };
    let (orders, ()) = tokio::join!(all, cluster.retry_held("CoffeeOrder", &orders));
    report("resolved", &cluster, &orders, again.elapsed());
    cluster.assert_books_agree(&orders);
    assert_eq!(cluster.shop.charges().len(), ORDERS);
}

fn report(what: &str, cluster: &ShopCluster, orders: &Objects, took: Duration) {
    let count = |is: fn(&Value) -> bool| orders.values().filter(|one| is(one)).count();
    let (placed, held) = (count(is_placed), count(is_held));
    let wait = orders.len() - placed - held;
    let calls = cluster.shop.log().len();
    let each = calls as f64 / orders.len() as f64;
    println!("{what} after {took:.1?}: {placed} ordered, {held} held, {wait} wait for one that is held");
    println!("calls of the shop: {calls}, {each:.1} for each order");
}

fn report_by_account(cluster: &ShopCluster, took: Duration) {
    let mut accounts: BTreeMap<_, u32> = BTreeMap::new();
    cluster.shop.charges().into_iter().for_each(|charge| *accounts.entry(charge.account).or_default() += 1);
    let minutes = took.as_secs_f64() / 60.0;
    let rates: Vec<_> =
        accounts.values().map(|count| format!("{:.0}", f64::from(*count) / minutes)).collect();
    println!("orders a minute, by account: {}", rates.join(", "));
    let mut operations: BTreeMap<_, usize> = BTreeMap::new();
    cluster.shop.log().iter().for_each(|one| *operations.entry(one.operation).or_default() += 1);
    println!("calls by operation: {operations:?}");
}
