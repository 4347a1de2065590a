use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, ResourceQuota, Secret, Service},
    networking::v1::NetworkPolicy,
};
use serde_json::json;

use super::*;

fn told<T: k8s_openapi::Resource + k8s_openapi::Metadata<Ty = kube::core::ObjectMeta>>(
    wanted: Value,
    found: Value,
) -> Vec<String> {
    differences(Child::of::<T>(), &wanted, &found).iter().map(ToString::to_string).collect()
}

#[test]
fn what_others_add_and_what_is_defaulted_is_no_difference() {
    let wanted = json!({ "metadata": { "name": "web", "labels": { "a": "1" } },
        "spec": { "replicas": 1, "template": { "spec": { "containers": [
            { "name": "app", "image": "x", "ports": [{ "containerPort": 80 }], "env": [{ "name": "A", "value": "" }] } ] } } } });
    let found = json!({ "metadata": { "name": "web", "labels": { "a": "1", "b": "2" }, "uid": "u" },
        "spec": { "replicas": 1, "strategy": { "type": "RollingUpdate" }, "template": { "spec": { "restartPolicy": "Always", "containers": [
            { "name": "side", "image": "y" },
            { "name": "app", "image": "x", "imagePullPolicy": "Always", "env": [{ "name": "A" }],
              "ports": [{ "containerPort": 80, "protocol": "TCP" }] } ] } } }, "status": { "replicas": 1 } });
    assert!(told::<Deployment>(wanted, found).is_empty());
}

#[test]
fn a_changed_and_a_missing_field_are_told_by_name() {
    let wanted = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "baseline" } },
        "spec": { "replicas": 1, "paused": true } });
    let found = json!({ "metadata": { "labels": {} }, "spec": { "replicas": 3 } });
    let expect = [
        "metadata.labels[pod-security.kubernetes.io/enforce] absent -> baseline",
        "spec.paused absent -> true",
        "spec.replicas 3 -> 1",
    ];
    assert_eq!(told::<Namespace>(wanted, found), expect);
}

#[test]
fn quantities_are_numbers_and_other_texts_are_not() {
    let hard = |cpu: &str| json!({ "spec": { "hard": { "limits.cpu": cpu } } });
    assert!(told::<ResourceQuota>(hard("4000m"), hard("4")).is_empty());
    assert_eq!(told::<ResourceQuota>(hard("4"), hard("5")), ["spec.hard[limits.cpu] 5 -> 4"]);
    let image = |tag: &str| json!({ "spec": { "type": tag } });
    assert_eq!(told::<Service>(image("1.0"), image("1")).len(), 1);
    let data = |text: &str| json!({ "data": { "storage": text } });
    assert_eq!(told::<Secret>(data("1000m"), data("1")).len(), 1);
}

#[test]
fn a_network_policy_that_lets_more_through_differs() {
    let policy = |spec: Value| json!({ "spec": spec });
    let wanted = || {
        policy(json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
        "egress": [{ "to": [{ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"] } }] }] }))
    };
    let differs = |change: &dyn Fn(&mut Value)| {
        let mut found = wanted();
        change(&mut found["spec"]);
        told::<NetworkPolicy>(wanted(), found)
    };
    assert!(differs(&|_| {}).is_empty());
    let narrower = differs(&|spec| spec["podSelector"] = json!({ "matchLabels": { "app": "web" } }));
    assert_eq!(narrower, ["spec.podSelector.matchLabels (something) -> absent"]);
    let more = differs(&|spec| spec["egress"].as_array_mut().unwrap().push(json!({})));
    assert_eq!(more, ["spec.egress 2 items -> 1 items"]);
    let wider = differs(&|spec| spec["egress"][0]["to"][0]["ipBlock"] = json!({ "cidr": "10.0.0.0/8" }));
    assert_eq!(wider, ["spec.egress[0].to[0].ipBlock.except 0 items -> 1 items"]);
    let to_all = differs(&|spec| spec["egress"][0] = json!({}));
    assert_eq!(to_all, ["spec.egress[0].to 0 items -> 1 items"]);
    let one_way = differs(&|spec| spec["policyTypes"] = json!(["Ingress"]));
    assert_eq!(one_way, ["spec.policyTypes 1 items -> 2 items"]);
}

#[test]
fn values_that_may_be_secret_are_not_told() {
    let secret = |text: &str| json!({ "data": { "password": text } });
    let expect = ["data.password (another value) -> (the wanted value)"];
    assert_eq!(told::<Secret>(secret("aHVudGVyMg=="), secret("aHVudGVyMw==")), expect);
    let pod = |value: &str| {
        json!({ "spec": { "template": { "spec": { "containers": [{ "name": "app",
        "env": [{ "name": "TOKEN", "value": value }], "args": [value], "command": ["x", value] }] } } } })
    };
    let all =
        [told::<Deployment>(pod("hunter2"), pod("hunter3")), told::<Deployment>(pod("hunter2"), json!({}))];
    assert_eq!(all[0].len(), 3);
    assert!(!all.concat().join(" ").contains("hunter"), "{all:?}");
}

#[test]
fn ports_are_told_apart_by_number_and_protocol() {
    let service = |ports: Value| json!({ "spec": { "ports": ports } });
    let wanted = || service(json!([{ "port": 53, "protocol": "UDP" }, { "port": 53 }]));
    let found = service(
        json!([{ "port": 53, "protocol": "TCP", "targetPort": 53 }, { "port": 53, "protocol": "UDP" }]),
    );
    assert!(told::<Service>(wanted(), found).is_empty());
    assert_eq!(
        told::<Service>(wanted(), service(json!([{ "port": 53 }]))),
        ["spec.ports[53/UDP] absent -> (something)"]
    );
}

#[test]
fn a_field_that_is_empty_need_not_be_stored() {
    let wanted = json!({ "spec": { "hostNetwork": false, "name": "", "list": [], "map": {}, "none": null } });
    assert!(told::<Deployment>(wanted, json!({})).is_empty());
    let differs = told::<Deployment>(
        json!({ "spec": { "hostNetwork": false } }),
        json!({ "spec": { "hostNetwork": true } }),
    );
    assert_eq!(differs, ["spec.hostNetwork true -> false"]);
}
