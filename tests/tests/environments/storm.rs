//! Many environments at a time, beside namespaces that are none.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use concierge_tests::soak::sample;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use crate::world::Team;

const ENVIRONMENTS: usize = 200;
const SAMPLE: usize = 60;
const AT_A_TIME: usize = 20;
const DECOYS: usize = 10;

/// Half of them with the labels that an environment's namespace has.
async fn decoys(team: &Team) -> Result<String> {
    let labels = json!({ "catalyst.dev/team": team.name, "catalyst.dev/namespace-type": "environment" });
    let decoy = |number: usize| {
        let labels = if number.is_multiple_of(2) { labels.clone() } else { json!({}) };
        let name = team.namespace(&format!("decoy-{number}"));
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })
    };
    let items: Vec<_> = (0..DECOYS).map(decoy).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    team.world.stack.plane.kubectl().apply_text(&list.to_string()).await?.ok()?;
    seen(team).await
}

/// The namespaces of the team's environments, and the decoys: what they are, and when they were changed last.
async fn seen(team: &Team) -> Result<String> {
    let columns =
        "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.metadata.resourceVersion}{'\\n'}{end}";
    let all = team.world.kubectl(&["get", "namespaces", "-o", columns]).await?.ok()?;
    let own = all.lines().filter(|line| line.starts_with(&team.namespace("")));
    Ok(own.map(|line| format!("{line}\n")).collect())
}

/// How long one takes to Ready, and how long to be gone.
async fn one(team: &Team, name: &str) -> Result<[Duration; 2]> {
    let environment = team.environment(name, &json!({ "deploymentMode": "workspace" }));
    let began = Instant::now();
    team.create(&environment).await?.until_phase("Ready").await?;
    let ready = began.elapsed();
    let began = Instant::now();
    team.delete(name).await?;
    Ok([ready, began.elapsed()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn many_environments_come_and_go_and_no_other_namespace_is_touched() -> Result<()> {
    let team = Team::new("storms").await?;
    team.project(json!({ "type": "" })).await?;
    let before = decoys(&team).await?;
    let names: Vec<_> = (0..ENVIRONMENTS).map(|number| format!("e-{number}")).collect();
    let all = stream::iter(sample("environments", &names, SAMPLE))
        .map(|name| one(&team, name))
        .buffer_unordered(AT_A_TIME);
    let times: Vec<_> = all.try_collect().await?;
    for (nth, what) in ["Ready", "gone"].iter().enumerate() {
        let mut all: Vec<_> = times.iter().map(|times| times[nth]).collect();
        all.sort_unstable();
        let (p50, p99) = (all[all.len() / 2], all[all.len() * 99 / 100]);
        eprintln!(
            "{} environments, {AT_A_TIME} at a time: {what} after {p50:.1?} (p50), {p99:.1?} (p99)",
            all.len()
        );
    }
    let after = seen(&team).await?;
    ensure!(after == before, "before:\n{before}after:\n{after}");
    Ok(())
}
