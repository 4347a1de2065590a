//! What the tests about coffee share: customers of a fake shop, and whether the cluster and the shop's records agree.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use concierge_tests::controlplane::User;
use concierge_tests::shop::{DARK_MODE, MUG, Plastic, SEGFAULT, Served, Shop};
use concierge_tests::stack::{Plan, Stack};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::world::{Created, Turn, alone, api, create, namespaces, ordinary_user};

/// Objects as they are stored, by `namespace/name`.
pub(crate) type Objects = BTreeMap<String, Value>;

/// The kinds of which a customer has one object each.
const EACH_HAS: [&str; 4] = ["TerminalAccount", "CoffeeProfile", "CoffeeAddress", "CoffeeCard"];
/// What the shop sells once.
const VARIANTS: [&str; 3] = [SEGFAULT, DARK_MODE, MUG];
/// How many quantities of a variant are ordered before an order is like an earlier one.
const QUANTITIES: usize = 50;
/// How many creates are under way at a time.
const CREATES: usize = 16;

/// A cluster with Concierge, a shop, and an ordinary user who buys there for several customers.
pub(crate) struct ShopCluster {
    pub(crate) stack: Stack,
    pub(crate) shop: Arc<Served>,
    pub(crate) user: User,
    pub(crate) client: Client,
    _turn: Option<Turn>,
}

impl ShopCluster {
    /// Starts everything, and sets `customers` up: all that they have is in order.
    pub(crate) async fn open(customers: &[&str], plan: Plan) -> ShopCluster {
        ShopCluster::open_in(alone().await, customers, plan).await
    }

    /// The same in a turn that the test has taken.
    pub(crate) async fn open_in(turn: Turn, customers: &[&str], plan: Plan) -> ShopCluster {
        let secrets = format!("reconciler.secretNamespaces={{{}}}", customers.join(","));
        let cluster = ShopCluster::start_in(Some(turn), customers, plan, &[&secrets]).await;
        for customer in customers {
            cluster.add_customer(customer).await.unwrap();
        }
        for kind in EACH_HAS {
            cluster
                .until(kind, customers.len(), "ready", Duration::from_secs(60), |one, _| is_ready(one))
                .await;
        }
        cluster
    }

    /// Starts everything; `customers` are namespaces with nothing in them, in which the reconciler may use Secrets.
    pub(crate) async fn start(customers: &[&str], plan: Plan) -> ShopCluster {
        let secrets = format!("reconciler.secretNamespaces={{{}}}", customers.join(","));
        ShopCluster::start_with(customers, plan, &[&secrets]).await
    }

    /// The same with the rights that these values of the chart give.
    pub(crate) async fn start_with(customers: &[&str], plan: Plan, values: &[&str]) -> ShopCluster {
        ShopCluster::start_in(Some(alone().await), customers, plan, values).await
    }

    /// The same in a turn that the test has taken; none when it keeps it itself.
    pub(crate) async fn start_in(
        turn: Option<Turn>,
        customers: &[&str],
        plan: Plan,
        values: &[&str],
    ) -> ShopCluster {
        rustls::crypto::ring::default_provider().install_default().ok();
        let shop = Arc::new(Shop::start().await.unwrap());
        ShopCluster::around(shop, turn, customers, plan, values).await
    }

    /// A cluster in another cluster, at the same shop.
    pub(crate) async fn beside(other: &ShopCluster, customers: &[&str], plan: Plan) -> ShopCluster {
        let secrets = format!("reconciler.secretNamespaces={{{}}}", customers.join(","));
        ShopCluster::around(Arc::clone(&other.shop), None, customers, plan, &[&secrets]).await
    }

    async fn around(
        shop: Arc<Served>,
        turn: Option<Turn>,
        customers: &[&str],
        plan: Plan,
        values: &[&str],
    ) -> ShopCluster {
        let stack = Stack::start(plan).await.unwrap();
        let user = ordinary_user(&stack).await.unwrap();
        let client = user.client().await.unwrap();
        let names: Vec<_> = customers.iter().map(|name| (*name).to_owned()).collect();
        namespaces(&stack, &names).await.unwrap();
        stack.install(values).await.unwrap();
        ShopCluster { stack, shop, user, client, _turn: turn }
    }

    /// An account, whose token and whose card's token are in a Secret; a profile, an address and the card.
    pub(crate) async fn add_customer(&self, customer: &str) -> Result<()> {
        let (token, card) = (bearer(customer), card_token(customer));
        self.shop.account(&token);
        self.shop.issue(&card, Plastic::new("visa", "4242", &card));
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"namespace": customer, "name": "terminal"},
            "stringData": {"token": token, "card": card},
        });
        // Not `apply`, which would keep the secrets in an annotation.
        let create = ["create", "-f", "-"];
        self.stack.plane.kubectl().run_with_input(&create, &secret.to_string()).await?.ok()?;
        let key = |key: &str| json!({"name": "terminal", "key": key});
        let account = json!({"baseUrl": self.shop.url(), "tokenSecretRef": key("token")});
        let profile = json!({"name": customer, "email": format!("{customer}@example.com")});
        let items = [
            coffee("TerminalAccount", customer, "default", account),
            coffee("CoffeeProfile", customer, "default", profile),
            coffee("CoffeeAddress", customer, "default", place(customer, 1)),
            coffee("CoffeeCard", customer, "default", json!({"cardTokenSecretRef": key("card")})),
        ];
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        self.user.kubectl().run_with_input(&create, &list.to_string()).await?.ok()?;
        Ok(())
    }

    /// Creates objects through the webhook, as the ordinary user does, several at a time.
    pub(crate) async fn create(&self, objects: Vec<Value>) {
        let each = |object: Value| async move {
            match create(&self.client, &object, "none", false).await {
                Created::Stored => Ok(()),
                other => Err(format!("{other:?}")),
            }
        };
        let all = stream::iter(objects).map(each).buffer_unordered(CREATES);
        all.try_collect::<()>().await.unwrap();
    }

    /// Waits until there are `count` objects of `kind` and `is` holds of each, told by a watch; fails after `most`.
    pub(crate) async fn until(
        &self,
        kind: &str,
        count: usize,
        what: &str,
        most: Duration,
        is: impl Fn(&Value, &Objects) -> bool,
    ) -> Objects {
        let deadline = Instant::now() + most;
        let mut events = pin!(watcher(api(&self.client, kind, None), watcher::Config::default()));
        let mut objects = Objects::new();
        while let Ok(Some(event)) = timeout_at(deadline, events.next()).await {
            match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => keep(&mut objects, &object),
                Ok(Event::Delete(object)) => drop(objects.remove(&name(&object))),
                Ok(Event::Init) => objects.clear(),
                Ok(Event::InitDone) => {}
                Err(error) => eprintln!("the watch of {kind} begins anew: {error}"),
            }
            if objects.len() == count && objects.values().all(|one| is(one, &objects)) {
                return objects;
            }
        }
        let not: Vec<_> = objects.values().filter(|one| !is(one, &objects)).collect();
        let first = not
            .first()
            .map(|one| format!("{} {:#}", one["metadata"]["name"], one["status"]))
            .unwrap_or_default();
        panic!(
            "{} of {count} {kind} are there, {} not {what} after {most:?}: {first}",
            objects.len(),
            not.len()
        );
    }

    /// Says for every object of `kind` that is held what a person says who has found nothing at the shop.
    pub(crate) async fn retry_held(&self, kind: &str, objects: &Objects) {
        for object in objects.values().filter(|one| is_held(one)) {
            self.annotate(kind, object, "concierge.dev/resolve-unknown", "retry").await;
        }
    }

    /// Sets an annotation.
    pub(crate) async fn annotate(&self, kind: &str, object: &Value, key: &str, value: &str) {
        let api = api(&self.client, kind, object["metadata"]["namespace"].as_str());
        let patch = Patch::Merge(json!({"metadata": {"annotations": {key: value}}}));
        api.patch(object["metadata"]["name"].as_str().unwrap(), &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Fails unless every charge is recorded by the one order that asked for it, and every order with an id was charged.
    pub(crate) fn assert_books_agree(&self, orders: &Objects) {
        let mut charges: BTreeMap<_, _> =
            self.shop.charges().into_iter().map(|charge| (charge.order.clone(), charge)).collect();
        for (name, order) in orders {
            let (spec, status) = (&order["spec"], &order["status"]);
            let Some(id) = status["orderId"].as_str() else { continue };
            let charge =
                charges.remove(id).unwrap_or_else(|| panic!("{name} has {id}, as another or nobody"));
            let variant = spec["productVariantId"].as_str().unwrap().to_owned();
            assert_eq!(
                charge.variants,
                BTreeMap::from([(variant, spec["quantity"].as_i64().unwrap())]),
                "{name}"
            );
            let namespace = order["metadata"]["namespace"].as_str().unwrap();
            let account = self.shop.account(&bearer(namespace));
            assert_eq!(charge.account, account.id(), "{name}");
            let placed = account.orders().into_iter().find(|one| one.id == id).unwrap();
            assert_eq!(placed.shipping.street1.to_lowercase(), street_of(order).to_lowercase(), "{name}");
        }
        assert!(charges.is_empty(), "charged, and no object knows: {charges:#?}");
    }
}

/// The token that opens the account of `customer`.
pub(crate) fn bearer(customer: &str) -> String {
    format!("trm_test_{customer}_5f3759df")
}

/// The token of the card of `customer`.
pub(crate) fn card_token(customer: &str) -> String {
    format!("tok_{customer}_0badcafe")
}

/// An object of the coffee group.
pub(crate) fn coffee(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "coffee.terminal.sh/v1alpha1",
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
    })
}

/// The order number `number` of `customer`. Every twentieth has an address of its own; from the 151st on they repeat
/// what was ordered before.
pub(crate) fn order(customer: &str, number: usize) -> Value {
    let mut spec = purchase(VARIANTS[number % VARIANTS.len()]);
    spec["quantity"] = json!(1 + number / VARIANTS.len() % QUANTITIES);
    if number % 20 == 19 {
        spec["address"] = place(customer, number);
        spec.as_object_mut().unwrap().remove("addressRef");
    }
    coffee("CoffeeOrder", customer, &format!("order-{number}"), spec)
}

/// What an order and a subscription of a customer have in common.
pub(crate) fn purchase(variant: &str) -> Value {
    let default = json!({"name": "default"});
    json!({
        "productVariantId": variant, "quantity": 1,
        "profileRef": default, "addressRef": default, "cardRef": default,
    })
}

/// A place, another for each number.
pub(crate) fn place(customer: &str, number: usize) -> Value {
    json!({
        "name": customer, "street1": street(number), "city": "Springfield",
        "province": "IL", "zip": "62701", "country": "US",
    })
}

fn street(number: usize) -> String {
    format!("{number} Main Street")
}

fn street_of(order: &Value) -> String {
    order["spec"]["address"]["street1"].as_str().map_or_else(|| street(1), str::to_owned)
}

/// A condition of an object as `status reason: message`; empty when there is none.
pub(crate) fn condition(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|one| one["type"] == kind));
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    found.map_or(String::new(), |one| {
        format!("{} {}: {}", text(one, "status"), text(one, "reason"), text(one, "message"))
    })
}

/// Whether it is what its spec says.
pub(crate) fn is_ready(object: &Value) -> bool {
    condition(object, "Ready").starts_with("True ")
}

/// Whether it is placed: charged, and the id recorded.
pub(crate) fn is_placed(object: &Value) -> bool {
    object["status"]["orderId"].is_string() && object["status"]["phase"] == "Ordered"
}

/// Whether it is left to a person, who is told what to do.
pub(crate) fn is_held(object: &Value) -> bool {
    let unknown = condition(object, "Unknown");
    unknown.starts_with("True Held: ") && unknown.contains("set the annotation concierge.dev/resolve-unknown")
}

/// Whether it waits for an object that is held and asks for the same.
pub(crate) fn waits_for_held(object: &Value, objects: &Objects) -> bool {
    let ready = condition(object, "Ready");
    let waits = ready.strip_prefix("False Reconciling: waits for CoffeeOrder ");
    let holder = waits.and_then(|waits| waits.split(',').next()).and_then(|name| objects.get(name));
    holder.is_some_and(is_held)
}

fn keep(objects: &mut Objects, object: &DynamicObject) {
    objects.insert(name(object), serde_json::to_value(object).unwrap());
}

fn name(object: &DynamicObject) -> String {
    let meta = &object.metadata;
    format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}
