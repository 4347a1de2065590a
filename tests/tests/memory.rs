//! How much memory reading many objects takes.

#![allow(clippy::unwrap_used, reason = "a test fails where it finds something wrong")]

use std::{collections::HashSet, fs, sync::LazyLock};

use axum::{Router, http::Uri, routing::get};
use concierge_reconciler::engine::cluster::{Cluster, kubernetes::Kubernetes, resource_of};
use concierge_runtime::clock::ServerClock;
use concierge_shared::coffee::CoffeeOrder;
use serde_json::{Value, json};
use url::form_urlencoded;

/// How many orders are stored.
const ORDERS: usize = 10_000;
/// What reading all of them may take, in KiB.
const MOST: usize = 64 << 10;

#[tokio::test]
async fn ten_thousand_orders_are_read_in_less_than_64_mib() {
    let api = Router::new().route("/apis/coffee.terminal.sh/v1alpha1/coffeeorders", get(page));
    let cluster =
        Kubernetes::new(kube::Client::new(api, "default"), ServerClock::default(), Vec::new(), "test".into());
    let before = kib("VmRSS");

    let mut ids = HashSet::new();
    let mut visit = |order: Value| {
        let order: CoffeeOrder = serde_json::from_value(order).unwrap();
        ids.extend(order.status.unwrap().order_id);
    };
    cluster.for_each(&resource_of::<CoffeeOrder>(), "", &mut visit).await.unwrap();

    // The API server of this test is in it: one page more.
    let peak = kib("VmHWM") - before;
    println!("{} orders: {peak} KiB at most", ids.len());
    assert_eq!(ids.len(), ORDERS);
    assert!(peak < MOST, "{peak} KiB");
}

/// What the kernel says of the memory of this process.
fn kib(what: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

async fn page(uri: Uri) -> String {
    let params: Vec<_> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
    let number =
        |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.parse().unwrap());
    let from = number("continue").unwrap_or(0);
    let until = (from + number("limit").unwrap_or(ORDERS)).min(ORDERS);
    let next = if until < ORDERS { until.to_string() } else { String::new() };
    static ORDER: LazyLock<String> = LazyLock::new(|| order().to_string());
    let items: Vec<_> = (from..until).map(|n| ORDER.replace(NUMBER, &format!("{n:012}"))).collect();
    let head = r#""apiVersion":"coffee.terminal.sh/v1alpha1","kind":"CoffeeOrderList""#;
    let metadata = json!({ "resourceVersion": "1", "continue": next });
    format!(r#"{{{head},"metadata":{metadata},"items":[{}]}}"#, items.join(","))
}

/// What stands for an order's number.
const NUMBER: &str = "NUMBER";

/// An order as it is stored after it was placed: 3.7 KB.
fn order() -> Value {
    let fields = |count: usize| -> Value {
        let field = |n| (format!("f:field{n}"), json!({ "f:name": {}, "f:namespace": {} }));
        (0..count).map(field).collect::<serde_json::Map<_, _>>().into()
    };
    let condition = |kind: &&str| {
        json!({
            "type": kind, "status": "True", "reason": "Reconciled", "observedGeneration": 1,
            "message": "placed as ord_01M7YZQ0K84E1HEN1TWPSTAWDR", "lastTransitionTime": "2026-11-21T12:01:21Z",
        })
    };
    let conditions = ["Ready", "Synced", "Valid", "ReferencesResolved", "Placed", "Present", "Tracking"];
    let managed = |manager: &str, fields: Value| {
        json!({
            "manager": manager, "operation": "Apply", "apiVersion": "v1", "time": "2026-11-21T12:01:21Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    };
    json!({
        "apiVersion": "coffee.terminal.sh/v1alpha1",
        "kind": "CoffeeOrder",
        "metadata": {
            "name": format!("order-{NUMBER}"), "namespace": "team", "generation": 1, "resourceVersion": "123456",
            "uid": format!("1e1d8a3c-5a3f-4d55-a6d1-{NUMBER}"), "creationTimestamp": "2026-11-21T12:01:21Z",
            "finalizers": ["concierge.dev/finalizer"],
            "managedFields": [managed("kubectl", fields(7)), managed("concierge", fields(25))],
        },
        "spec": {
            "productVariantId": "var_01J1JFDMNBXB5GJCQF6C3AEBCQ", "quantity": 1,
            "profileRef": { "name": "default" }, "addressRef": { "name": "default" }, "cardRef": { "name": "default" },
        },
        "status": {
            "phase": "Ordered", "orderId": format!("ord_{NUMBER}"), "fingerprint": "0".repeat(64),
            "conditions": conditions.iter().map(condition).collect::<Vec<_>>(),
            "account": { "name": "team/default", "baseUrl": "https://api.terminal.shop", "userId": "usr_1" },
        },
    })
}
