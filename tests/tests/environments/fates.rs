//! What becomes of environments, for each way to deploy, and what people are told to do: the cases of `tests/tests/catalyst/fates.rs` at a real API
//! server, many at a time. The two that are not here, a chart and a compose file that hang, are in `tests/tests/runner/fates.rs`: here they take ten minutes.

use anyhow::{Context, Result, ensure};
use concierge_tests::PATIENCE;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::wait::await_condition;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::world::Team;

const AT_A_TIME: usize = 8;
/// Those whose configuration alone says what runs.
const CONFIGURED: [&str; 3] = ["workspace", "development", "production"];
/// Those of which a source says it.
const OF_SOURCE: [&str; 2] = ["helm", "docker-compose"];
/// What a fake kubelet makes of an image.
const WORDS: [&str; 5] = ["run", "nopull", "fail", "hang", "noconfig"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Ready,
    ImageNotPulled,
    Exits,
    Hangs,
    QuotaTooSmall,
    Wrong,
    ProjectMissing,
}

impl Fate {
    /// What the image is called, and the folder of the source.
    fn word(self) -> &'static str {
        match self {
            Fate::Ready | Fate::QuotaTooSmall | Fate::ProjectMissing => "run",
            Fate::ImageNotPulled => "nopull",
            Fate::Exits => "fail",
            Fate::Hangs => "hang",
            Fate::Wrong => "noconfig",
        }
    }
}

/// The reason, and what has to be in the message.
fn expected(mode: &str, fate: Fate) -> (&'static str, &'static str) {
    match (fate, mode) {
        (Fate::Ready | Fate::ProjectMissing, _) => ("", ""),
        (Fate::ImageNotPulled, _) => ("ImageNotPulled", "correct its name"),
        (Fate::Exits, _) => ("ContainerExited", "kubectl logs"),
        (Fate::Hangs, _) => ("NotReadyInTime", "readiness"),
        (Fate::QuotaTooSmall, _) => ("QuotaExceeded", "raise resources.defaultQuota"),
        (Fate::Wrong, "helm") => ("ChartFailed", "correct the chart"),
        (Fate::Wrong, "docker-compose") => ("InvalidComposeFile", "correct the compose file"),
        (Fate::Wrong, _) => ("ContainerNotStarted", "correct its configuration"),
    }
}

/// The name of the template by which this mode deploys this word.
fn template(mode: &str, word: &str) -> String {
    if OF_SOURCE.contains(&mode) { format!("{mode}-{word}") } else { format!("config-{word}") }
}

fn templates() -> Value {
    let mut all = serde_json::Map::new();
    for word in WORDS {
        let config = json!({ "image": word, "ports": [{ "containerPort": 80 }] });
        all.insert(template("production", word), json!({ "type": "", "config": config }));
        for mode in OF_SOURCE {
            let path = format!("{mode}/{word}");
            all.insert(template(mode, word), json!({ "type": mode, "sourceRef": "main", "path": path }));
        }
    }
    all.into()
}

/// A chart and a compose file of each word. Their containers ask for a whole CPU.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for word in WORDS {
        let container = json!({ "name": "app", "image": word, "resources": { "limits": { "cpu": 1 }, "requests": { "cpu": 1 } } });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "app" },
            "spec": { "selector": { "matchLabels": { "app": "app" } }, "template": {
                "metadata": { "labels": { "app": "app" } }, "spec": { "containers": [container] },
            } },
        });
        let (chart, compose) = match word {
            "noconfig" => (
                "{{ .Values.missing.name }}".to_owned(),
                "services: { app: { image: run, ports: [eighty] } }".to_owned(),
            ),
            _ => (
                deployment.to_string(),
                format!(
                    "services:\n  app:\n    image: {word}\n    deploy: {{ resources: {{ reservations: {{ cpus: '1' }}, limits: {{ cpus: '1' }} }} }}\n"
                ),
            ),
        };
        files.push((
            format!("helm/{word}/Chart.yaml"),
            "apiVersion: v2\nname: shop\nversion: 0.1.0\n".to_owned(),
        ));
        files.push((format!("helm/{word}/templates/app.yaml"), chart));
        files.push((format!("docker-compose/{word}/compose.yaml"), compose));
    }
    files
}

/// A team whose environments may use this much of a CPU.
async fn team(name: &'static str, cpu: Option<&str>) -> Result<Team> {
    let team = Team::new(name).await?;
    let files = files();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    team.commit(&files).await?;
    let quota = cpu.map(|cpu| json!({ "defaultQuota": { "cpu": cpu, "memory": "8Gi" } }));
    team.project_with("shop", json!({ "templates": templates(), "resources": quota })).await?;
    Ok(team)
}

/// The controller of Deployments loses patience at once, and not after ten minutes.
async fn be_impatient(team: &Team, mode: &str, name: &str) -> Result<()> {
    let deployments = Api::<Deployment>::namespaced(team.world.client.clone(), &team.namespace(name));
    let deployment = if mode == "workspace" { "workspace" } else { "web" };
    let is_there = |found: Option<&Deployment>| found.is_some();
    let made = await_condition(deployments.clone(), deployment, is_there);
    tokio::time::timeout(PATIENCE, made).await.context("it is not made")??;
    let patch = Patch::Merge(json!({ "spec": { "progressDeadlineSeconds": 1 } }));
    deployments.patch(deployment, &PatchParams::default(), &patch).await?;
    Ok(())
}

fn condition(status: &Value, kind: &str) -> Value {
    let all = status["conditions"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["type"] == kind).unwrap_or_default()
}

async fn play(team: &Team, mode: &str, fate: Fate) -> Result<()> {
    let name = format!("{mode}-{}", fate.word());
    let spec = json!({ "type": template(mode, fate.word()), "deploymentMode": mode });
    let mut environment = team.environment(&name, &spec);
    if fate == Fate::ProjectMissing {
        environment["spec"]["projectRef"]["name"] = "none".into();
        let told = team.refused(&environment).await?;
        ensure!(
            told.contains("catalyst.environment.project-exists") && told.contains("create it first"),
            "{told}"
        );
        return Ok(());
    }
    let mut watched = team.create(&environment).await?;
    if fate == Fate::Hangs {
        be_impatient(team, mode, &name).await?;
    }
    let (reason, remedy) = expected(mode, fate);
    if fate == Fate::Ready {
        watched.until_phase("Ready").await?;
    } else {
        let failed = |status: &Value| {
            status["phase"] == "Failed" && condition(status, "DeploymentReady")["reason"] == reason
        };
        let message = condition(&watched.until(failed).await?, "Ready")["message"].to_string();
        ensure!(message.contains(remedy), "{message}");
    }
    team.delete(&name).await
}

/// Plays these fates of a mode, each where it meets it.
async fn play_all(cases: Vec<(&Team, &str, Fate)>) -> Result<()> {
    let all = stream::iter(cases).map(|(team, mode, fate)| async move {
        play(team, mode, fate).await.with_context(|| format!("{mode}, {fate:?}"))
    });
    all.buffer_unordered(AT_A_TIME).try_for_each(|()| std::future::ready(Ok(()))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn environments_come_up_or_say_why_not_and_what_to_do_and_go() -> Result<()> {
    let (usual, tight) = (team("fates", None).await?, team("tight", Some("200m")).await?);
    let mut cases = Vec::new();
    for mode in CONFIGURED.into_iter().chain(OF_SOURCE) {
        cases.extend([Fate::Ready, Fate::Wrong, Fate::ProjectMissing].map(|fate| (&usual, mode, fate)));
    }
    for mode in CONFIGURED {
        cases.extend([Fate::ImageNotPulled, Fate::Exits, Fate::Hangs].map(|fate| (&usual, mode, fate)));
        cases.push((&tight, mode, Fate::QuotaTooSmall));
    }
    play_all(cases).await
}

/// What is in the way has to be there for a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn what_a_source_says_and_does_not_run_is_told_with_a_remedy_and_goes() -> Result<()> {
    // The runner itself has room, and nothing that it deploys.
    let (usual, tight) = (team("fated", None).await?, team("taut", Some("600m")).await?);
    let mut cases = Vec::new();
    for mode in OF_SOURCE {
        cases.extend([Fate::ImageNotPulled, Fate::Exits].map(|fate| (&usual, mode, fate)));
        cases.push((&tight, mode, Fate::QuotaTooSmall));
    }
    play_all(cases).await
}
