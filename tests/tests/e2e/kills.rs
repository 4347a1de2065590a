//! The leader is killed, or frozen past its lease, at chosen instants of calls that cost money: nothing is lost, and nothing
//! is bought twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use concierge_tests::PATIENCE;
use concierge_tests::faults::{Fault, Gate, Pause, Rule};
use concierge_tests::process::Signal;
use concierge_tests::shop::{DARK_MODE, Plastic, SEGFAULT};
use concierge_tests::stack::Plan;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::Moment::{Answered, Arrived, Committed, Recorded, Vanished};
use crate::failover::leader;
use crate::shopping::{
    Objects, ShopCluster, bearer, coffee, is_held, is_placed, is_ready, order, place, purchase,
    waits_for_held,
};

const CUSTOMERS: [&str; 3] = ["ada", "bob", "cyd"];
/// The orders that are under way from the beginning.
const ORDERS: usize = 30;

/// An instant of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// The request is there; it takes effect after its sender's end.
    Arrived,
    /// The request is there, and never takes effect.
    Vanished,
    /// It has taken effect, and is not answered.
    Committed,
    /// The answer is on its way.
    Answered,
    /// The id is recorded; whatever else was to be done is not.
    Recorded,
}

/// What happens to the leader, and when.
const ROUNDS: [(&str, Moment, Signal); 18] = [
    ("POST /order", Arrived, Signal::Kill),
    ("POST /order", Vanished, Signal::Kill),
    ("POST /order", Committed, Signal::Kill),
    ("POST /order", Answered, Signal::Kill),
    ("POST /order", Recorded, Signal::Kill),
    ("POST /subscription", Arrived, Signal::Kill),
    ("POST /subscription", Vanished, Signal::Kill),
    ("POST /subscription", Committed, Signal::Kill),
    ("POST /subscription", Answered, Signal::Kill),
    ("POST /address", Committed, Signal::Kill),
    ("POST /card", Committed, Signal::Kill),
    ("GET /order", Arrived, Signal::Kill),
    ("POST /order", Answered, Signal::Kill),
    ("POST /order", Committed, Signal::Kill),
    ("GET /order", Arrived, Signal::Stop),
    ("POST /order", Arrived, Signal::Stop),
    ("POST /order", Committed, Signal::Stop),
    ("POST /subscription", Committed, Signal::Stop),
];

/// The cluster, the reconcilers that live, and how many objects of each kind there are.
struct Setup {
    cluster: ShopCluster,
    alive: Vec<usize>,
    orders: usize,
    subscriptions: usize,
    addresses: usize,
    cards: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn a_leader_killed_or_frozen_at_any_instant_loses_and_doubles_nothing() {
    let args = ["--lease-duration", "4s", "--request-timeout", "1s", "--settle-time", "2s"];
    let reconciler_args = args.map(str::to_owned).to_vec();
    let cluster =
        ShopCluster::open(&CUSTOMERS, Plan { reconcilers: 2, reconciler_args, ..Plan::default() }).await;
    let mut setup = Setup {
        cluster,
        alive: vec![0, 1],
        orders: ORDERS,
        subscriptions: 0,
        addresses: CUSTOMERS.len(),
        cards: CUSTOMERS.len(),
    };
    let began = Instant::now();
    setup.cluster.create((0..ORDERS).map(|number| order(CUSTOMERS[number % 3], number / 3)).collect()).await;
    for (operation, moment, signal) in ROUNDS {
        setup.misbehave();
        setup.strike(operation, moment, signal).await;
    }
    println!("{} leaders killed or frozen in {:.1?}", ROUNDS.len(), began.elapsed());
    setup.cluster.shop.faults().clear();
    setup.settle(began).await;
}

impl Setup {
    /// Some answers are late, and some never come.
    fn misbehave(&self) {
        let faults = self.cluster.shop.faults();
        faults.clear();
        faults.inject(Rule::any().chance(0.05), Fault::SlowAfter(Pause::For(Duration::from_millis(300))));
        // Only replies: a request that got lost would never come to the gate that the leader is killed at.
        faults.inject(Rule::any().chance(0.03), Fault::DropAfter);
    }

    /// Has something bought, and sends `signal` to the leader at that `moment` of the `operation`.
    async fn strike(&mut self, operation: &str, moment: Moment, signal: Signal) {
        let gate = Gate::new();
        for fault in faults(moment, &gate) {
            self.cluster.shop.faults().once(operation, fault);
        }
        let object = self.buy(operation);
        self.cluster.create(vec![object.clone()]).await;
        match moment {
            Recorded => self.recorded(&object).await,
            _ if timeout(PATIENCE, gate.reached(1)).await.is_err() => self.explain(operation),
            _ => {}
        }
        let victim = leader(&self.cluster.stack, &self.alive).await;
        if moment == Answered {
            gate.open();
        }
        self.cluster.stack.reconciler(victim, |program| program.process.signal(signal)).unwrap();
        gate.open();
        self.replace(victim, signal).await;
    }

    /// Fails with what the processes that live have said last.
    fn explain(&self, operation: &str) -> ! {
        let said =
            |number: &usize| self.cluster.stack.reconciler(*number, |program| program.process.log_tail(30));
        let said: Vec<_> = self.alive.iter().map(said).collect();
        panic!("no {operation} came within {PATIENCE:?}:\n{}", said.join("\n\n"));
    }

    /// Starts another process in the place of one that was killed; lets one that was frozen go on once another leads.
    async fn replace(&mut self, victim: usize, signal: Signal) {
        self.alive.retain(|number| *number != victim);
        if signal == Signal::Kill {
            return self.alive.push(self.cluster.stack.add_reconciler().await.unwrap());
        }
        leader(&self.cluster.stack, &self.alive).await;
        self.cluster.stack.reconciler(victim, |program| program.process.signal(Signal::Cont)).unwrap();
        self.alive.push(victim);
    }

    /// An object that makes the reconciler call `operation`.
    fn buy(&mut self, operation: &str) -> Value {
        let next = |count: &mut usize| {
            *count += 1;
            *count - 1
        };
        match operation {
            "POST /subscription" => subscription(next(&mut self.subscriptions)),
            "POST /address" => {
                let number = next(&mut self.addresses);
                coffee("CoffeeAddress", "ada", &format!("address-{number}"), place("ada", 1000 + number))
            }
            "POST /card" => {
                let token = format!("tok_ada_{}", next(&mut self.cards));
                self.cluster.shop.issue(&token, Plastic::new("visa", "4242", &token));
                let name = format!("card-{}", self.cards);
                coffee("CoffeeCard", "ada", &name, json!({"cardToken": token}))
            }
            _ => {
                let number = next(&mut self.orders);
                order(CUSTOMERS[number % 3], number / 3)
            }
        }
    }

    async fn recorded(&self, order: &Value) {
        let is_it = |one: &Value| one["metadata"]["name"] == order["metadata"]["name"];
        let ours = |one: &Value| is_it(one) && one["metadata"]["namespace"] == order["metadata"]["namespace"];
        let recorded = |one: &Value, _: &Objects| !ours(one) || one["status"]["orderId"].is_string();
        self.cluster.until("CoffeeOrder", self.orders, "recorded", PATIENCE, recorded).await;
    }

    /// Waits until every doubt is settled or held, resolves what is held, and compares with the shop's records.
    async fn settle(&self, began: Instant) {
        let Setup { cluster, orders, subscriptions, addresses, cards, .. } = self;
        let settled = |one: &Value, all: &Objects| is_placed(one) || is_held(one) || waits_for_held(one, all);
        let placed = cluster.until("CoffeeOrder", *orders, "settled", PATIENCE, settled).await;
        cluster.assert_books_agree(&placed);
        let active = |one: &Value, _: &Objects| is_ready(one) || is_held(one);
        let running = cluster.until("CoffeeSubscription", *subscriptions, "settled", PATIENCE, active).await;
        self.report(began, &placed, &running).await;
        cluster.retry_held("CoffeeOrder", &placed).await;
        cluster.retry_held("CoffeeSubscription", &running).await;
        let ready = |one: &Value, _: &Objects| is_ready(one);
        let placed = cluster.until("CoffeeOrder", *orders, "placed", PATIENCE, ready).await;
        let running = cluster.until("CoffeeSubscription", *subscriptions, "active", PATIENCE, ready).await;
        let homes = cluster.until("CoffeeAddress", *addresses, "ready", PATIENCE, ready).await;
        self.name_cards().await;
        let plastic = cluster.until("CoffeeCard", *cards, "ready", PATIENCE, ready).await;
        cluster.assert_books_agree(&placed);
        assert_eq!(cluster.shop.charges().len(), *orders);
        self.assert_each_once("subscriptionId", &running, |account| {
            ids(account.subscriptions(), |one| one.id)
        });
        self.assert_each_once("cardId", &plastic, |account| ids(account.cards(), |one| one.id));
        // An order's own address is in the account's book too.
        let own = placed.values().filter(|one| one["spec"]["address"].is_object());
        let homes = homes.values().chain(own).enumerate().map(|(at, one)| (at.to_string(), one.clone()));
        self.assert_each_once("addressId", &homes.collect(), |account| {
            ids(account.addresses(), |one| one.id)
        });
    }

    /// Does what a person is told to do about a card that is at the shop already: names it. It is never taken for being new.
    async fn name_cards(&self) {
        let named = |one: &Value| {
            let told = one["status"]["message"].as_str()?.split_once("(no object has: ")?.1;
            told.split_whitespace().next().map(str::to_owned)
        };
        let known = |one: &Value, _: &Objects| is_ready(one) || named(one).is_some();
        for card in self.cluster.until("CoffeeCard", self.cards, "known", PATIENCE, known).await.values() {
            if let Some(id) = named(card) {
                self.cluster.annotate("CoffeeCard", card, "coffee.terminal.sh/card-id", &id).await;
            }
        }
    }

    /// Fails unless the ids that objects have recorded are those that the shop has, each once.
    fn assert_each_once(
        &self,
        field: &str,
        objects: &Objects,
        at_shop: impl Fn(&concierge_tests::shop::Account) -> Vec<String>,
    ) {
        let recorded: Vec<_> = objects.values().filter_map(|one| one["status"][field].as_str()).collect();
        let accounts = CUSTOMERS.map(|customer| self.cluster.shop.account(&bearer(customer)));
        let shop: Vec<_> = accounts.iter().flat_map(at_shop).collect();
        assert_eq!((recorded.len(), shop.len()), (objects.len(), objects.len()), "{field}: {shop:#?}");
        assert_eq!(
            recorded.into_iter().collect::<BTreeSet<_>>(),
            shop.iter().map(String::as_str).collect::<BTreeSet<_>>()
        );
    }

    async fn report(&self, began: Instant, orders: &Objects, subscriptions: &Objects) {
        let held = orders.values().chain(subscriptions.values()).filter(|one| is_held(one)).count();
        let adopted = ["get", "events", "-A", "-o", "name", "--field-selector", "reason=Adopted"];
        let adopted = self.cluster.stack.plane.kubectl().run(&adopted).await.unwrap().ok().unwrap();
        println!(
            "settled after {:.1?}: {} orders, {} subscriptions; {} doubts ended in adoption, {held} are held",
            began.elapsed(),
            orders.len(),
            subscriptions.len(),
            adopted.lines().count(),
        );
    }
}

/// What makes a call stand still at that moment.
fn faults(moment: Moment, gate: &Gate) -> Vec<Fault> {
    let until = Pause::Until(gate.clone());
    match moment {
        Arrived => vec![Fault::SlowBefore(until)],
        Vanished => vec![Fault::SlowBefore(until), Fault::DropBefore],
        Committed | Answered => vec![Fault::SlowAfter(until)],
        Recorded => Vec::new(),
    }
}

/// The subscription number `number`: a customer can have one to each of two coffees.
fn subscription(number: usize) -> Value {
    let mut spec = purchase([SEGFAULT, DARK_MODE][number / CUSTOMERS.len()]);
    spec["schedule"] = json!({"type": "weekly", "interval": 2});
    coffee("CoffeeSubscription", CUSTOMERS[number % CUSTOMERS.len()], &format!("weekly-{number}"), spec)
}

fn ids<T>(things: Vec<T>, id: fn(T) -> String) -> Vec<String> {
    things.into_iter().map(id).collect()
}
