use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::Job,
    core::v1::{Namespace, Pod, ResourceQuota},
};
use serde_json::{Value, json};

use super::*;

const NAMESPACE: Child = Child::of::<Namespace>();

fn object(kind: &str, metadata: Value, rest: Value) -> Value {
    let mut object = json!({ "kind": kind, "metadata": { "name": "web", "uid": "u1",
        "labels": { OWNER_UID_LABEL: "uid-1" }, "annotations": { "concierge.dev/owner": "Toy default/bear" } } });
    object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

fn seen(resource: Child, object: &Value) -> ChildSeen {
    project(resource, object).unwrap().1
}

fn health(resource: Child, rest: Value) -> ChildHealth {
    seen(resource, &object(resource.kind, json!({ "generation": 2 }), rest)).health
}

fn failed(reason: &str, message: &str) -> ChildHealth {
    ChildHealth::Failed { reason: reason.into(), message: message.into() }
}

#[test]
fn what_bears_no_mark_is_not_kept() {
    let mut plain = object("Namespace", json!({}), json!({}));
    plain["metadata"]["labels"] = json!({});
    assert_eq!(project(NAMESPACE, &plain), None);
}

#[test]
fn of_an_owner_no_more_is_kept_than_a_name_has() {
    let longest = format!("{} {}/{}", "K".repeat(63), "n".repeat(63), "o".repeat(253));
    for (owner, kept) in [(longest.clone(), longest), ("x".repeat(200 << 10), String::new())] {
        let child =
            object("Namespace", json!({ "annotations": { "concierge.dev/owner": owner } }), json!({}));
        assert_eq!(seen(NAMESPACE, &child).owner, kept);
    }
}

#[test]
fn a_new_version_alone_is_no_change_and_a_quotas_use_is_none_either() {
    let quota = Child::of::<ResourceQuota>();
    let of = |version: &str, hard: &str, used: &str| {
        let rest = json!({ "spec": { "hard": { "pods": hard } }, "status": { "used": { "pods": used } } });
        let metadata = json!({ "resourceVersion": version, "managedFields": [{ "time": version }] });
        seen(quota, &object("ResourceQuota", metadata, rest)).digest
    };
    assert_eq!(of("1", "20", "0"), of("2", "20", "7"));
    assert_ne!(of("1", "20", "0"), of("1", "21", "0"));
}

#[test]
fn a_deployment_is_ready_when_all_its_pods_are_new_and_ready() {
    let of = |status: Value| {
        health(Child::of::<Deployment>(), json!({ "spec": { "replicas": 2 }, "status": status }))
    };
    let status = |observed: i64, updated: i64, ready: i64| json!({ "observedGeneration": observed, "replicas": 2, "updatedReplicas": updated, "readyReplicas": ready });
    assert_eq!(of(status(2, 2, 2)), ChildHealth::Ready);
    assert_eq!(of(status(1, 2, 2)), ChildHealth::Progressing("its controller has not seen it yet".into()));
    assert_eq!(of(status(2, 1, 2)), ChildHealth::Progressing("1 of 2 pods are ready".into()));
    let mut refused = status(2, 0, 0);
    refused["conditions"] =
        json!([{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota" }]);
    assert_eq!(of(refused), failed("FailedCreate", "quota"));
    let mut late = status(2, 1, 0);
    late["conditions"] = json!([{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late" }]);
    assert_eq!(of(late), failed("ProgressDeadlineExceeded", "late"));
}

#[test]
fn a_stateful_set_is_ready_when_its_pods_are() {
    let status = json!({ "observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a" });
    assert!(
        health(Child::of::<StatefulSet>(), json!({ "spec": { "replicas": 1 }, "status": status })).is_ready()
    );
    let status =
        json!({ "observedGeneration": 2, "replicas": 1, "currentRevision": "a", "updateRevision": "a" });
    assert!(
        !health(Child::of::<StatefulSet>(), json!({ "spec": { "replicas": 1 }, "status": status }))
            .is_ready()
    );
}

#[test]
fn a_job_runs_until_it_ends_one_way_or_the_other() {
    let job =
        |conditions: Value| health(Child::of::<Job>(), json!({ "status": { "conditions": conditions } }));
    assert_eq!(job(json!(null)), ChildHealth::Progressing("it runs".into()));
    assert!(job(json!([{ "type": "Complete", "status": "True" }])).is_ready());
    let failure =
        json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "again" }]);
    assert_eq!(job(failure), failed("BackoffLimitExceeded", "again"));
}

#[test]
fn a_pod_whose_image_cannot_be_pulled_has_failed_and_says_why() {
    let waits = |reason: &str| {
        json!({ "status": { "phase": "Pending", "containerStatuses": [
        { "state": { "waiting": { "reason": reason, "message": "no such image" } } } ] } })
    };
    let pod = Child::of::<Pod>();
    assert_eq!(health(pod, waits("ImagePullBackOff")), failed("ImagePullBackOff", "no such image"));
    assert_eq!(
        health(pod, waits("ContainerCreating")),
        ChildHealth::Progressing("it is not ready yet".into())
    );
}

#[test]
fn a_child_is_told_of_to_its_owner_and_when_it_is_gone_as_well() {
    let children = Arc::new(Children::new([NAMESPACE]));
    let mut changes = children.changes();
    let mut sink = OfResource { resource: NAMESPACE, all: children.clone(), unseen: HashSet::new() };
    let made = serde_json::from_value(object("Namespace", json!({}), json!({}))).unwrap();
    sink.begin();
    sink.listed(made);
    sink.complete();
    let told = changes.try_recv().unwrap();
    assert_eq!((told.owner.as_str(), told.digest.is_some()), ("Toy default/bear", true));
    assert_eq!(children.of("uid-1").len(), 1);
    // A list that does not bring it again.
    sink.begin();
    sink.complete();
    assert_eq!(changes.try_recv().unwrap().digest, None);
    assert!(children.of("uid-1").is_empty());
}

#[test]
fn an_owner_that_loses_a_child_to_another_hears_of_it() {
    let children = Arc::new(Children::new([NAMESPACE]));
    let mut changes = children.changes();
    let mut sink = OfResource { resource: NAMESPACE, all: children, unseen: HashSet::new() };
    let read = |owner: &str| {
        let metadata = json!({ "annotations": { "concierge.dev/owner": owner } });
        serde_json::from_value::<Read<DynamicObject>>(object("Namespace", metadata, json!({}))).unwrap()
    };
    sink.apply(read("Toy default/bear"));
    sink.apply(read("Toy default/wolf"));
    let owners: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).map(|change| change.owner).collect();
    assert_eq!(owners, ["Toy default/bear", "Toy default/bear", "Toy default/wolf"]);
}

#[test]
fn a_resource_that_is_not_watched_or_not_listed_yet_is_not_believed() {
    let children = Children::new([NAMESPACE]);
    assert!(!children.believes(NAMESPACE) && !children.believes(Child::of::<Pod>()));
    assert_eq!(children.check(), Err("Namespace not listed yet".to_owned()));
}
