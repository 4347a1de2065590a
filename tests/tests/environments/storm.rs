//! Many environments at a time, beside namespaces that are none.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use concierge_shared::catalyst::Environment;
use concierge_shared::child::Child;
use concierge_shared::kind::Kind;
use concierge_tests::PATIENCE;
use concierge_tests::process::Signal;
use concierge_tests::soak::sample;
use concierge_tests::stack::get;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::ResourceQuota;
use serde_json::{Value, json};

use crate::world::Team;

const ENVIRONMENTS: usize = 200;
const SAMPLE: usize = 60;
const AT_A_TIME: usize = 20;
const DECOYS: usize = 10;
/// How many stay while another reconciler looks at all anew.
const STAYING: usize = 10;

/// The type of environments, and how they are deployed.
type Template = (&'static str, fn() -> Value);

const MODES: [Template; 5] = [
    ("sandbox", || json!({ "type": "" })),
    ("staging", || {
        let services = json!([{ "name": "db", "container": { "image": "run" } }]);
        json!({ "type": "", "config": { "image": "run", "ports": [{ "containerPort": 80 }], "services": services } })
    }),
    ("charted", || json!({ "type": "helm", "sourceRef": "main", "path": "chart" })),
    ("composed", || json!({ "type": "docker-compose", "sourceRef": "main" })),
    ("plain", || json!({ "type": "manifest", "sourceRef": "main", "path": "k8s" })),
];

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

/// What there is of environments, and when it was changed last. The status of a quota follows its own controller's clock: of it, when
/// we have written it last.
async fn versions(team: &Team) -> Result<String> {
    let own = "environments.catalyst.catalyst.dev";
    let quota = Child::of::<ResourceQuota>();
    let children = Environment::CHILDREN.iter().filter(|child| **child != quota);
    // As kubectl writes a resource of a certain version; that of the core group ends in a dot.
    let children = children.map(|child| format!("{}.{}.{}", child.plural, child.version, child.group));
    let children = children.collect::<Vec<_>>().join(",");
    let columns = "jsonpath={range .items[*]}{.kind} {.metadata.namespace} {.metadata.name} {.metadata.resourceVersion}{'\\n'}{end}";
    let mut all = team.world.kubectl(&["get", own, "-A", "-o", columns]).await?.ok()?;
    let marked = ["get", &children, "-A", "-l", "concierge.dev/owner-uid", "-o", columns];
    all.push_str(&team.world.kubectl(&marked).await?.ok()?);
    let written = "jsonpath={range .items[*]}{.kind} {.metadata.namespace} {.metadata.managedFields[?(@.manager=='concierge')].time}{'\\n'}{end}";
    let quotas =
        ["get", quota.plural, "-A", "-l", "concierge.dev/owner-uid", "--show-managed-fields", "-o", written];
    all.push_str(&team.world.kubectl(&quotas).await?.ok()?);
    Ok(all.lines().filter(|line| line.contains(team.name)).map(|line| format!("{line}\n")).collect())
}

/// Ends the reconciler, and waits until another one has looked at as many environments as there are.
async fn hand_over(team: &Team, environments: usize) -> Result<()> {
    let stack = &team.world.stack;
    let next = stack.add_reconciler().await?;
    stack.reconciler(next - 1, |program| program.process.signal(Signal::Term))?;
    let (admin, until) = (stack.reconciler(next, |program| program.admin), Instant::now() + PATIENCE);
    let is_run = |line: &&str| line.starts_with("concierge_reconcile_total{kind=\"Environment\"");
    loop {
        let metrics = get(admin, "/metrics").await?;
        let runs =
            metrics.lines().filter(is_run).filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok());
        if runs.sum::<usize>() >= environments {
            return Ok(());
        }
        ensure!(Instant::now() < until, "the other reconciler does not look at all");
        // No watch tells of metrics.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn environments_at_rest_are_not_written_by_another_that_looks_at_all_anew() -> Result<()> {
    let team = Team::new("rests").await?;
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": {
            "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "app", "image": "run" }] },
        } },
    });
    let deployment = deployment.to_string();
    let files = [
        ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("chart/templates/web.yaml", &*deployment),
        ("compose.yaml", "services: { front: { image: run, ports: ['8080:80'] } }"),
        ("k8s/web.yaml", &*deployment),
    ];
    team.commit(&files).await?;
    team.project_with("shop", json!({ "templates": MODES.map(|(name, template)| (name, template())).into_iter().collect::<BTreeMap<_, _>>() })).await?;
    let names: Vec<_> = (0..STAYING).map(|number| format!("e-{number}")).collect();
    for (name, (kind, _)) in names.iter().zip(MODES.iter().cycle()) {
        let environment = team.environment(name, &json!({ "type": kind }));
        team.create(&environment).await?.until_phase("Ready").await?;
    }
    let before = versions(&team).await?;
    ensure!(before.lines().filter(|line| line.starts_with("Environment ")).count() == STAYING, "{before}");
    let all = team.world.kubectl(&["get", "environments", "-A", "-o=name"]).await?.ok()?;
    hand_over(&team, all.lines().count()).await?;
    let after = versions(&team).await?;
    ensure!(after == before, "before:\n{before}after:\n{after}");
    for name in &names {
        team.delete(name).await?;
    }
    Ok(())
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
