//! The source in mode development: really fetched by git, and put onto a volume that outlives the pods.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use concierge_tests::kubectl::TIMEOUT;
use serde_json::{Value, json};

use crate::world::{Team, Watched};

/// For the claim `code` in a namespace: nobody makes volumes here.
fn volume(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": namespace },
        "spec": {
            "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"], "hostPath": { "path": "/nowhere" },
            "claimRef": { "namespace": namespace, "name": "code" },
        },
    })
}

async fn with_source(name: &'static str) -> Result<(Team, String)> {
    let team = Team::new(name).await?;
    team.world.stack.plane.kubectl().apply_text(&volume(&team.namespace("pr-1")).to_string()).await?.ok()?;
    let commit = team.commit(&[("web.txt", "one")]).await?;
    let claim =
        json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    let config = json!({
        "image": "run",
        "ports": [{ "containerPort": 3000 }],
        "volumeMounts": [{ "name": "code", "mountPath": "/code" }],
        "volumes": [{ "name": "code", "persistentVolumeClaim": claim }],
    });
    team.project(json!({ "type": "", "config": config })).await?;
    Ok((team, commit))
}

/// Commits, and waits until pods of that commit run.
async fn goes_on(team: &Team, watched: &mut Watched, text: &str) -> Result<()> {
    let commit = team.commit(&[("web.txt", text)]).await?;
    let home = format!("{}-shop", team.name);
    let now = format!("concierge.dev/reconcile-at={commit}");
    team.kubectl(&["annotate", "--overwrite", "environment", "pr-1", "-n", &home, &now]).await?.ok()?;
    let runs = |status: &Value| status["commits"]["main"] == commit.as_str() && status["phase"] == "Ready";
    watched.until(runs).await?;
    let rollout = ["rollout", "status", "deployment/web", "-n", &team.namespace("pr-1"), TIMEOUT];
    team.world.kubectl(&rollout).await?.ok()?;
    Ok(())
}

/// Leaves of a volume what a container that is killed in the midst of it leaves.
fn is_stopped_halfway(file: &Path) -> Result<()> {
    let folder = file.parent().context("no folder")?;
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "safe.directory=*", "update-ref", "refs/concierge/going", "HEAD"]);
    ensure!(git.status()?.success());
    std::fs::write(folder.join(".git/index.lock"), "")?;
    Ok(std::fs::write(file, "t")?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_comes_and_follows_its_branch_until_somebody_works_there() -> Result<()> {
    let (team, commit) = with_source("newts").await?;
    let mut watched = team.create(&team.environment("pr-1", &json!({}))).await?;
    let status = watched.until_phase("Ready").await?;
    ensure!(status["commits"] == json!({ "main": commit }), "{status:#}");
    let file = team.world.kubelet.claim(&team.namespace("pr-1"), "code").join("web.txt");
    ensure!(std::fs::read_to_string(&file)? == "one");
    goes_on(&team, &mut watched, "two").await?;
    ensure!(std::fs::read_to_string(&file)? == "two");
    is_stopped_halfway(&file)?;
    goes_on(&team, &mut watched, "three").await?;
    ensure!(std::fs::read_to_string(&file)? == "three", "what was begun is not finished");
    std::fs::write(&file, "mine")?;
    goes_on(&team, &mut watched, "four").await?;
    ensure!(std::fs::read_to_string(&file)? == "mine", "somebody's work is lost");
    team.delete("pr-1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_not_there_is_told() -> Result<()> {
    let (team, _) = with_source("toads").await?;
    let source =
        json!({ "name": "main", "commitSha": "0123456789012345678901234567890123456789", "branch": "main" });
    let mut watched = team.create(&team.environment("pr-1", &json!({ "sources": [source] }))).await?;
    let message = watched.until_false("SourceReady", "CommitNotFound").await?;
    ensure!(message.contains("git-clone") && message.contains("was it pushed"), "{message}");
    team.delete("pr-1").await
}
