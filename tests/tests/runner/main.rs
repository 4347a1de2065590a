//! What deploys into an environment's namespace, at a real API server with its controllers: git, helm, kubectl and our own programs really run,
//! with the rights and the token of the pod that they would be containers of. What is missing is the container.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod attacks;
mod fates;
mod private;
mod world;

use anyhow::{Result, ensure};
use concierge_reconciler::catalyst::runner::JobOutcome;
use concierge_shared::catalyst::DeploymentMode;
use serde_json::json;

use world::Environment;

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 0.1.0\n";
const CHART_DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: { name: "{{ .Release.Name }}-web" }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: "{{ .Values.global.images.web.repository }}:{{ .Values.global.images.web.tag }}"
          env: [{ name: GREETING, value: {{ .Values.greeting | quote }} }]
"#;

/// Of a plain Deployment.
fn deployment(name: &str, image: &str) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": { "selector": { "matchLabels": { "app": name } }, "template": {
            "metadata": { "labels": { "app": name } }, "spec": { "containers": [{ "name": "app", "image": image }] },
        } },
    })
    .to_string()
}

fn config_map(name: &str) -> String {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } }).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_is_installed_and_upgraded_with_its_values_and_images() -> Result<()> {
    let mut environment = Environment::new("helm-mode", DeploymentMode::Helm, "deploy/chart").await?;
    environment.images = [("web".to_owned(), "registry.example.com/shop/web:1".to_owned())].into();
    let files = [("deploy/chart/Chart.yaml", CHART), ("deploy/chart/templates/web.yaml", CHART_DEPLOYMENT)];
    let image = "-o=jsonpath={.spec.template.spec.containers[0]['image','env']}";
    for greeting in ["hello", "good bye"] {
        environment.values = json!({ "greeting": greeting });
        let outcome = environment.deploy(&files).await?;
        ensure!(outcome == JobOutcome::Deployed, "{outcome:?}");
        let found = environment.world.get_all("helm-mode", &["deployment", "main-web", image]).await?;
        ensure!(found.contains("registry.example.com/shop/web:1") && found.contains(greeting), "{found}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kustomize_makes_of_a_folder_is_applied_with_the_images_that_were_built() -> Result<()> {
    let mut environment =
        Environment::new("kustomize-mode", DeploymentMode::Kustomize, "overlays/main").await?;
    environment.images = [("web".to_owned(), "registry.example.com/shop/web:1".to_owned())].into();
    let files = [
        ("base/kustomization.yaml", "resources: [web.yaml]"),
        ("base/web.yaml", &deployment("web", "web")),
        (
            "overlays/main/kustomization.yaml",
            "resources: [../../base]\nnamePrefix: main-\nconfigMapGenerator: [{ name: settings, literals: [a=b] }]",
        ),
    ];
    let outcome = environment.deploy(&files).await?;
    ensure!(outcome == JobOutcome::Deployed, "{outcome:?}");
    let image = "-o=jsonpath={.spec.template.spec.containers[0].image}";
    let found = environment.world.get_all("kustomize-mode", &["deployment", "main-web", image]).await?;
    ensure!(found == "registry.example.com/shop/web:1", "{found}");
    let maps = environment.world.get_all("kustomize-mode", &["configmaps", "-o=name"]).await?;
    ensure!(maps.contains("configmap/main-settings-"), "{maps}");
    Ok(())
}

/// The runner itself is held to the strictest profile here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_are_applied_and_those_that_are_gone_from_the_source_are_deleted() -> Result<()> {
    let mode = DeploymentMode::Manifest;
    let environment = Environment::within("manifest-mode", mode, "k8s", "restricted", "2").await?;
    let (one, two) = (config_map("one"), config_map("two"));
    let outcome = environment
        .deploy(&[("k8s/one.yaml", &one), ("k8s/two \"$(id)\".yml", &two), ("README", "")])
        .await?;
    ensure!(outcome == JobOutcome::Deployed, "{outcome:?}");
    let maps = environment.world.get_all("manifest-mode", &["configmaps", "-o=name"]).await?;
    ensure!(maps.contains("configmap/one\n") && maps.contains("configmap/two\n"), "{maps}");
    let outcome = environment.deploy(&[("k8s/one.yaml", &one)]).await?;
    ensure!(outcome == JobOutcome::Deployed, "{outcome:?}");
    let maps = environment.world.get_all("manifest-mode", &["configmaps", "-o=name"]).await?;
    ensure!(maps.contains("configmap/one\n") && !maps.contains("configmap/two"), "{maps}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compose_file_is_deployed_and_its_mistakes_are_told_with_their_place() -> Result<()> {
    let environment = Environment::new("compose-mode", DeploymentMode::DockerCompose, "").await?;
    let good = "services:\n  front:\n    image: run\n    ports: ['127.0.0.1:9229:9229', '8080:80/tcp']\n  db:\n    image: run-db\n    volumes: ['data:/data']\nvolumes: { data: }\n";
    let outcome = environment.deploy(&[("docker-compose.yml", good)]).await?;
    ensure!(outcome == JobOutcome::Deployed, "{outcome:?}");
    let found = environment
        .world
        .get_all("compose-mode", &["deployments,services,persistentvolumeclaims", "-o=name"])
        .await?;
    let expect = [
        "deployment.apps/db",
        "deployment.apps/front",
        "service/db",
        "service/front",
        "service/web",
        "persistentvolumeclaim/data",
    ];
    ensure!(expect.iter().all(|one| found.lines().any(|line| line == *one)), "{found}");

    let bad = "services:\n  front:\n    image: run\n    ports: ['eighty']\n";
    let outcome = environment.deploy(&[("docker-compose.yml", bad)]).await?;
    let JobOutcome::Failed { reason: "InvalidComposeFile", message, .. } = &outcome else {
        anyhow::bail!("{outcome:?}")
    };
    ensure!(
        message.contains("docker-compose.yml:4:13: services.front.ports[0] \"eighty\" is no port"),
        "{message}"
    );
    Ok(())
}
