//! A namespace is deleted with something of every kind in it, also what is stuck, whatever rights the chart gives.

use std::time::{Duration, Instant};

use concierge_shared::kind::KINDS;
use concierge_tests::PATIENCE;
use concierge_tests::faults::Fault;
use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::stack::Plan;
use futures::{StreamExt, stream};
use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::setup::{GROUPS, Iam, Services, is_settled};
use crate::shopping::{ShopCluster, bearer, coffee, condition, is_held, is_ready};
use crate::world::{Created, api, create, pet, with_others};

const TEAM: &str = "team";

/// How many clusters there are at a time.
const AT_ONCE: usize = 2;

struct Mode {
    name: &'static str,
    /// What the chart gets.
    values: &'static [&'static str],
    /// What the reconciler gets with that.
    args: &'static [&'static str],
    /// Whether Secrets can be read then.
    secrets: bool,
}

const MODES: [Mode; 4] = [
    Mode { name: "as it is", values: &[], args: &[], secrets: false },
    Mode {
        name: "for some namespaces",
        values: &["reconciler.namespaces={team}", "reconciler.secretNamespaces={team}"],
        args: &[
            "--namespaces",
            TEAM,
            "--keep-role-bindings",
            "team/concierge-secrets,team/concierge-reconciler",
        ],
        secrets: true,
    },
    Mode {
        name: "with Secrets of some",
        values: &["reconciler.secretNamespaces={team}"],
        args: &["--keep-role-bindings", "team/concierge-secrets"],
        secrets: true,
    },
    Mode {
        name: "with all Secrets",
        values: &["reconciler.clusterWideSecrets=true"],
        args: &[],
        secrets: true,
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn a_namespace_ends_with_all_that_is_in_it_whatever_rights_the_chart_gives() {
    let _turn = with_others().await;
    stream::iter(&MODES).for_each_concurrent(AT_ONCE, Mode::end_namespace).await;
}

impl Mode {
    async fn end_namespace(&self) {
        let Mode { name, values, args, secrets } = self;
        let args = [args, &["--settle-time", "500ms"][..]].concat();
        let reconciler_args = args.into_iter().map(str::to_owned).collect();
        let plan = Plan { reconciler_args, ..Plan::default() };
        let cluster = ShopCluster::start_in(None, &[TEAM], plan, values).await;
        let services = Services::start().await;
        create_everything(&cluster, &services, *secrets).await;
        let began = Instant::now();
        let kubectl = cluster.stack.plane.kubectl();
        kubectl.run(&["delete", "namespace", TEAM, "--wait=false"]).await.unwrap().ok().unwrap();
        let only_held = until_only_held(&cluster, name).await;
        for order in &only_held {
            cluster.annotate("CoffeeOrder", order, "concierge.dev/abandon", "true").await;
        }
        let gone = kubectl.run(&["wait", "--for=delete", "namespace/team", TIMEOUT]).await.unwrap();
        assert!(gone.status.success(), "{name}: {:#?}", left(&cluster).await);
        assert_eq!(only_held.len(), usize::from(*secrets), "{name}: what a person had to abandon");
        assert_nothing_remains(&cluster, &services, name);
        println!("installed {name}: the namespace was gone after {:.1?}", began.elapsed());
    }
}

fn assert_nothing_remains(cluster: &ShopCluster, services: &Services, name: &str) {
    let account = cluster.shop.account(&bearer(TEAM));
    let at_shop =
        [account.addresses().len(), account.cards().len(), account.tokens().len(), account.apps().len()];
    assert_eq!(at_shop, [0; 4], "{name}: addresses, cards, tokens and apps");
    let pets = services.petstore.pets();
    let buckets = services.buckets();
    assert!(buckets.is_empty(), "{name}: buckets {buckets:?}");
    assert!(pets.is_empty(), "{name}: pets {pets:?}");
    let documents = services.documents_kept();
    assert!(documents.is_empty(), "{name}: documents {documents:?}");
    assert_eq!(services.iam(), Iam::default(), "{name}");
}

/// Something of every kind, and what is stuck: an account without its Secret, a pet whose store does not answer, and, where
/// something can be bought, an order that is held.
async fn create_everything(cluster: &ShopCluster, services: &Services, secrets: bool) {
    cluster.add_customer(TEAM).await.unwrap();
    services.make_secrets(&cluster.stack.plane, TEAM).await;
    if secrets {
        let _ = cluster.until("CoffeeCard", 1, "ready", PATIENCE, |one, _| is_ready(one)).await;
        cluster.shop.faults().once("POST /order", Fault::DropBefore);
    }
    let dead = json!({
        "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
        "metadata": {"namespace": TEAM, "name": "dead"},
        "spec": {"name": "Dead", "endpoints": {"baseUrl": "http://127.0.0.1:9"}},
    });
    let mut lost = pet(TEAM, "lost", 4);
    lost["metadata"]["labels"] = json!({"petstore.example.com/store": "dead"});
    let key = json!({"name": "nowhere", "key": "token"});
    let locked = coffee("TerminalAccount", TEAM, "locked", json!({"tokenSecretRef": key}));
    let objects = GROUPS.iter().flat_map(|group| (group.objects)(cluster, services, TEAM));
    for object in objects.chain([dead, lost, locked]) {
        make(cluster, &object).await;
    }
    let until = Instant::now() + PATIENCE;
    let unseen = |one: &Value| !is_settled(one) && condition(one, "Ready").is_empty();
    while let Some(one) = left(cluster).await.into_iter().find(unseen) {
        assert!(Instant::now() < until, "nobody looked at {one:#}");
        sleep(Duration::from_millis(100)).await;
    }
    let _ = cluster.until("CoffeeOrder", 1, "held", PATIENCE, |one, _| !secrets || is_held(one)).await;
}

/// Waits until nothing is left but the order whose outcome nobody knows, with what it refers to; that order.
async fn until_only_held(cluster: &ShopCluster, name: &str) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    let needed = ["TerminalAccount", "CoffeeProfile", "CoffeeAddress", "CoffeeCard", "CoffeeProduct"];
    loop {
        let left = left(cluster).await;
        let others = left.iter().filter(|one| needed.iter().all(|kind| one["kind"] != *kind));
        let (held, stuck): (Vec<_>, Vec<_>) = others.cloned().partition(is_held);
        if stuck.is_empty() {
            return held;
        }
        assert!(Instant::now() < until, "{name}: stuck: {stuck:#?}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Creates `object`; what it refers to may have to be looked at first.
async fn make(cluster: &ShopCluster, object: &Value) {
    let until = Instant::now() + PATIENCE;
    loop {
        match create(&cluster.client, object, "none", false).await {
            Created::Stored => return,
            other => assert!(Instant::now() < until, "{}: {other:?}", object["kind"]),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// All objects of ours in the namespace.
async fn left(cluster: &ShopCluster) -> Vec<Value> {
    let mut left = Vec::new();
    for kind in KINDS {
        for object in
            api(&cluster.client, kind.name, Some(TEAM)).list(&ListParams::default()).await.unwrap().items
        {
            let mut object = serde_json::to_value(object).unwrap();
            object["kind"] = kind.name.into();
            left.push(object);
        }
    }
    left
}
