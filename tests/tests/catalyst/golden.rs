//! What is made for an environment, object by object: the files beside this one. What a cluster's network makes of it is not shown here.

use std::{fs, path::PathBuf};

use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{HOME, World};

/// Set to write the files anew; then look at what has changed.
const RENEW: &str = "CONCIERGE_RENEW_GOLDEN";

/// What was made, without what differs from one run to another.
fn made(world: &World) -> Vec<Value> {
    let kinds = [
        "Namespace",
        "LimitRange",
        "ResourceQuota",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Secret",
        "StatefulSet",
        "Deployment",
        "Service",
        "Ingress",
    ];
    let all = kinds.iter().flat_map(|kind| world.server.of_kind(kind));
    let own =
        all.filter(|object| object["metadata"]["namespace"] == HOME || object["metadata"]["name"] == HOME);
    own.map(plain).collect()
}

fn plain(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
    metadata["annotations"].as_object_mut().unwrap().remove("concierge.dev/applied");
    if let Some(data) = object["data"].as_object_mut() {
        data.values_mut().for_each(|value| *value = "(base64)".into());
    }
    let digest = "/spec/template/metadata/annotations/catalyst.dev~1secrets-digest";
    if let Some(digest) = object.pointer_mut(digest) {
        *digest = "(digest)".into();
    }
    object
}

fn assert_golden(name: &str, world: &World) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/catalyst/golden/{name}.json"));
    let found = format!("{:#}\n", Value::from(made(world)));
    if std::env::var_os(RENEW).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &found).unwrap();
    }
    let expect = fs::read_to_string(&path).unwrap();
    assert!(
        found == expect,
        "{name}.json differs; {RENEW}=1 writes it anew, then git shows how. Found:\n{found}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_made_for_a_workspace() {
    let mut world = World::new();
    world.rules.catalyst.egress_internal = vec!["10.0.8.0/24".into(), "169.254.169.254/32".into()];
    world.rules.catalyst.egress_ports = vec!["443".into()];
    let _process = world.healthy().await;
    world.workspace().await;
    assert_golden("workspace", &world);
}

#[tokio::test(start_paused = true)]
async fn what_is_made_for_a_development_environment() {
    let mut world = World::new();
    world.rules.catalyst.ingress_issuer = "letsencrypt".into();
    world.services.push("acme/shop.git", "main", crate::world::COMMIT);
    let _process = world.healthy().await;
    let volume =
        json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    world.project(json!({ "templates": { "development": { "type": "", "config": {
        "image": "node:22-slim",
        "workingDir": "/code",
        "command": ["npm", "run", "dev"],
        "ports": [{ "containerPort": 3000, "name": "http" }],
        "env": [
            { "name": "NODE_ENV", "value": "development" },
            { "name": "CPUS", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu", "divisor": 1 } } },
        ],
        "resources": { "limits": { "cpu": 1, "memory": "2Gi" }, "requests": { "cpu": "200m" } },
        "readinessProbe": { "httpGet": { "path": "/health", "port": 3000 } },
        "volumeMounts": [{ "name": "code", "mountPath": "/code" }],
        "volumes": [{ "name": "code", "persistentVolumeClaim": volume }],
        "initContainers": [{ "name": "install", "command": ["npm", "ci"] }],
        "services": [
            { "name": "db", "database": "shop", "container": { "image": "postgres:16" }, "storage": volume },
            { "name": "cache", "container": { "image": "redis:7.4", "ports": [{ "containerPort": 6379 }] } },
        ],
    } } } }));
    world.environment(json!({ "deploymentMode": "development", "host": "shop-pr-1" }));
    sleep(MINUTE).await;
    assert_golden("development", &world);
}

#[tokio::test(start_paused = true)]
async fn what_is_made_for_a_production_environment() {
    let world = World::new();
    let _process = world.healthy().await;
    world.project(json!({ "templates": { "production": { "type": "" } } }));
    let config = json!({ "image": "registry.example.com/shop:1.2", "ports": [{ "containerPort": 8080 }] });
    world.environment(json!({ "type": "production", "config": config }));
    sleep(MINUTE).await;
    assert_golden("production", &world);
}
