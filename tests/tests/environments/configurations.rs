//! A Configuration at a real API server, with the rights that the chart gives: published, set back, looked for at a Deployment, and gone.

use anyhow::{Context, Result, ensure};
use concierge_shared::common::words::hex;
use concierge_tests::{PATIENCE, kubectl::TIMEOUT};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::PatchParams, runtime::wait};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::world::World;

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: lakes}
---
apiVersion: orasi.io/v1alpha1
kind: Storage
metadata: {name: lake, namespace: lakes}
spec: {type: Hudi, hudi: {storagePath: /lakes/tables, tableType: COPY_ON_WRITE}}
---
apiVersion: orasi.io/v1alpha1
kind: Connector
metadata: {name: hudi, namespace: lakes}
spec: {type: Hudi}
---
apiVersion: orasi.io/v1alpha1
kind: Pipeline
metadata: {name: spans, namespace: lakes, labels: {team: web}}
spec: {connectorRef: {name: hudi}, storageRef: {name: lake}, table: spans}
---
apiVersion: orasi.io/v1alpha1
kind: Configuration
metadata: {name: bridge, namespace: lakes}
spec:
  pipelines: {matchLabels: {team: web}}
  rollout: {deploymentRef: {name: bridge-api}}
";

fn text(map: &ConfigMap) -> Option<&String> {
    map.data.as_ref()?.get("bridge.json")
}

/// Starts the bridge with the configuration that has this hash, and waits until its pods run.
async fn roll_out(world: &World, hash: &str) -> Result<()> {
    let container = json!({ "name": "bridge", "image": "run", "volumeMounts": [{ "name": "config", "mountPath": "/config" }] });
    let template = json!({
        "metadata": { "labels": { "app": "bridge" }, "annotations": { "orasi.io/config-sha256": hash } },
        "spec": { "containers": [container], "volumes": [{ "name": "config", "configMap": { "name": "bridge-config" } }] },
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "bridge-api", "namespace": "lakes" },
        "spec": { "selector": { "matchLabels": { "app": "bridge" } }, "template": template },
    });
    world.stack.plane.kubectl().apply_text(&deployment.to_string()).await?.ok()?;
    world.kubectl(&["rollout", "status", "deployment/bridge-api", "-n", "lakes", TIMEOUT]).await?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_is_published_rolled_out_and_goes() -> Result<()> {
    let world = World::get().await?;
    world.stack.plane.kubectl().apply_text(OBJECTS).await?.ok()?;
    let wait_for = async |condition: &str| {
        let args = ["wait", "configuration/bridge", "-n", "lakes", condition, TIMEOUT];
        world.kubectl(&args).await?.ok()
    };
    wait_for("--for=condition=Ready").await?;
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), "lakes");
    let published = maps.get("bridge-config").await?;
    let published = text(&published).context("nothing is published")?.clone();
    let hash = hex(&Sha256::digest(&published));
    wait_for(&format!("--for=jsonpath={{.status.hash}}={hash}")).await?;
    wait_for("--for=condition=RolledOut=false").await?;

    roll_out(world, &hash).await?;
    let again = ["annotate", "configuration/bridge", "-n", "lakes", "concierge.dev/reconcile-at=now"];
    world.kubectl(&again).await?.ok()?;
    wait_for("--for=condition=RolledOut").await?;

    let edit = kube::api::Patch::Merge(json!({ "data": { "bridge.json": "{}" } }));
    maps.patch("bridge-config", &PatchParams::default(), &edit).await?;
    let is_back = |map: Option<&ConfigMap>| map.and_then(text) == Some(&published);
    let back = wait::await_condition(maps.clone(), "bridge-config", is_back);
    tokio::time::timeout(PATIENCE, back).await.context("it is not set back")??;

    world.kubectl(&["delete", "configuration", "bridge", "-n", "lakes", TIMEOUT]).await?.ok()?;
    ensure!(maps.get_opt("bridge-config").await?.is_none(), "the ConfigMap is left");
    Ok(())
}
