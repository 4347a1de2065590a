//! Environments that come up and go, one for each way to deploy.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::world::Team;

fn deployment(name: &str, image: &str) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": { "selector": { "matchLabels": { "app": name } }, "template": {
            "metadata": { "labels": { "app": name } }, "spec": { "containers": [{ "name": "app", "image": image }] },
        } },
    })
    .to_string()
}

const PHASES: [&str; 4] = ["Pending", "Provisioning", "Deploying", "Ready"];

/// Brings up the environment `pr-1`, and looks for `expect` (`kind/name`) in its namespace.
async fn comes_up(team: &Team, spec: &Value, expect: &str) -> Result<Value> {
    let mut watched = team.create(&team.environment("pr-1", spec)).await?;
    let status = watched.until_phase("Ready").await?;
    // The watch may begin after the first of them, and containers alone may run before anybody looks.
    let seen: Vec<_> = watched.phases.iter().map(String::as_str).collect();
    let in_order: Vec<_> = PHASES.into_iter().filter(|phase| seen.contains(phase)).collect();
    let has_job = status["commits"].is_object();
    ensure!(seen == in_order && seen.len() > 1 && (!has_job || seen.contains(&"Deploying")), "{seen:?}");
    let namespace = team.namespace("pr-1");
    ensure!(status["namespace"] == namespace.as_str(), "{status:#}");
    team.world.kubectl(&["get", expect, "-n", &namespace]).await?.ok()?;
    Ok(status)
}

/// Takes it away; nothing is left of it, wherever it might be.
async fn goes_away(team: &Team, status: &Value) -> Result<()> {
    team.delete("pr-1").await?;
    let all = "namespaces,clusterroles,clusterrolebindings,persistentvolumes";
    let marked = team.world.kubectl(&["get", all, "-l", "concierge.dev/owner-uid", "-o=name"]).await?.ok()?;
    ensure!(!marked.contains(&team.namespace("pr-1")), "{marked}");
    let uid = status["namespaceUid"].as_str().unwrap_or_default();
    let left =
        team.world.kubectl(&["get", "namespaces", "-o=jsonpath={.items[*].metadata.uid}"]).await?.ok()?;
    ensure!(!uid.is_empty() && !left.contains(uid), "{left}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kustomization_comes_up_follows_its_branch_and_goes() -> Result<()> {
    let team = Team::new("kites").await?;
    let web = deployment("web", "run");
    let files =
        [("base/kustomization.yaml", "namePrefix: one-\nresources: [web.yaml]"), ("base/web.yaml", &*web)];
    let commit = team.commit(&files).await?;
    team.project(json!({ "type": "kustomize", "sourceRef": "main", "path": "base" })).await?;
    let status = comes_up(&team, &json!({}), "deployment/one-web").await?;
    ensure!(status["commits"] == json!({ "main": commit }), "{status:#}");
    ensure!(status["url"] == "https://kites-shop-pr-1.example.com/", "{status:#}");
    goes_away(&team, &status).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_come_up_and_go() -> Result<()> {
    let team = Team::new("mules").await?;
    let commit = team.commit(&[("k8s/web.yaml", &deployment("web", "run"))]).await?;
    team.project(json!({ "type": "manifest", "sourceRef": "main", "path": "k8s" })).await?;
    let source = json!({ "name": "main", "commitSha": commit, "branch": "main" });
    let status = comes_up(&team, &json!({ "sources": [source] }), "deployment/web").await?;
    goes_away(&team, &status).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_comes_up_and_goes() -> Result<()> {
    let team = Team::new("hares").await?;
    let template = deployment("web", "{{ .Values.image }}");
    let files = [
        ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("chart/templates/web.yaml", &*template),
    ];
    team.commit(&files).await?;
    team.project(
        json!({ "type": "helm", "sourceRef": "main", "path": "chart", "values": { "image": "run" } }),
    )
    .await?;
    let status = comes_up(&team, &json!({}), "deployment/web").await?;
    goes_away(&team, &status).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compose_file_comes_up_and_goes() -> Result<()> {
    let team = Team::new("crows").await?;
    team.commit(&[("compose.yaml", "services: { front: { image: run, ports: ['8080:80'] } }")]).await?;
    team.project(json!({ "type": "docker-compose", "sourceRef": "main" })).await?;
    let status = comes_up(&team, &json!({}), "service/web").await?;
    goes_away(&team, &status).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_of_images_and_workspaces_come_up_and_go() -> Result<()> {
    let team = Team::new("doves").await?;
    team.project(json!({ "type": "", "config": { "image": "run", "ports": [{ "containerPort": 3000 }] } }))
        .await?;
    let status = comes_up(&team, &json!({ "deploymentMode": "development" }), "ingress/web").await?;
    goes_away(&team, &status).await?;
    let status = comes_up(&team, &json!({ "deploymentMode": "workspace" }), "deployment/workspace").await?;
    goes_away(&team, &status).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_that_leads_out_of_its_namespace_fails_with_a_remedy_and_its_environment_goes_all_the_same()
-> Result<()> {
    let team = Team::new("foxes").await?;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "foxes-takeover" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "name": "runner", "namespace": "foxes-shop-pr-1" }],
    });
    let binding = binding.to_string();
    let files = [
        ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("chart/templates/a.yaml", &*binding),
    ];
    team.commit(&files).await?;
    team.project(json!({ "type": "helm", "sourceRef": "main", "path": "chart" })).await?;
    let mut watched = team.create(&team.environment("pr-1", &json!({}))).await?;
    let message = watched.until_false("DeploymentReady", "Forbidden").await?;
    ensure!(message.contains("take that out") && message.contains("tried again at"), "{message}");
    let status = watched.until_phase("Failed").await?;
    let found = team.world.kubectl(&["get", "clusterrolebindings", "-o=name"]).await?.ok()?;
    ensure!(!found.contains("takeover"), "{found}");
    goes_away(&team, &status).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_can_not_be_changed_or_made_is_told_with_what_to_do() -> Result<()> {
    let team = Team::new("disks").await?;
    team.project(json!({ "type": "", "config": { "image": "run" } })).await?;
    let claim = |size: &str| json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } } });
    let services =
        |size: &str| json!([{ "name": "db", "container": { "image": "run" }, "storage": claim(size) }]);
    let spec = json!({ "deploymentMode": "production", "config": { "services": services("1Gi") } });
    let mut watched = team.create(&team.environment("pr-1", &spec)).await?;
    watched.until_phase("Ready").await?;
    let patch = async |config: Value| {
        let patch = json!({ "spec": { "config": config } }).to_string();
        team.kubectl(&["patch", "environment", "pr-1", "-n", "disks-shop", "--type=merge", "-p", &patch])
            .await?
            .ok()
    };
    patch(json!({ "services": services("2Gi") })).await?;
    let message = watched.until_false("Ready", "Refused").await?;
    ensure!(message.contains("set its storage back"), "{message}");
    let volume = json!({ "name": "data", "persistentVolumeClaim": claim("51Gi") });
    patch(json!({ "services": services("1Gi"), "volumes": [volume] })).await?;
    let message = watched.until_false("Ready", "Forbidden").await?;
    ensure!(message.contains("rules.catalyst.maxStorageGib"), "{message}");
    team.delete("pr-1").await
}
