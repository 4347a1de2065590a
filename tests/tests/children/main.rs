//! Objects of Kubernetes' own kinds that belong to an object of ours, at a real API server: what it makes of them by defaults, quantities
//! and admission is no difference, and what anybody changes is one.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod one;
mod yard;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use concierge_reconciler::engine::{
    Dependencies, Engine, Kinds, Settings,
    children::FoundChild,
    cluster::{Cluster, Target, kubernetes::Kubernetes},
    lease::Term,
    metrics::{Metrics, WriteLabels},
    seams::{SystemClock, SystemRandom},
};
use concierge_runtime::{cache::Children, clock::ServerClock};
use concierge_shared::{admission::rule::Enforcement, group, kind::Kind};
use concierge_tests::{PATIENCE, controlplane::ControlPlane, kubectl::ESTABLISHED};
use k8s_openapi::api::batch::v1::Job;
use kube::{Api, Client, CustomResourceExt, api::PostParams, core::ApiResource};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use one::One;
use yard::{PLACE, Yard, Yards};

const LONG: Duration = Duration::from_secs(3600);

/// A process that leads.
struct Leader {
    last: Arc<Mutex<Vec<concierge_reconciler::engine::children::Compared>>>,
    metrics: Metrics,
    closed: CancellationToken,
    engine: JoinHandle<()>,
    _term: watch::Sender<Option<Term>>,
}

impl Leader {
    async fn start(client: &Client, objects: &Arc<One>) -> Self {
        let (closed, metrics, last) =
            (CancellationToken::new(), Metrics::default(), Arc::<Mutex<Vec<_>>>::default());
        let children = Children::start(client, Yard::CHILDREN.iter().copied(), &closed);
        children.wait_synced().await;
        let deadline_wall = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
        let (token, now) = (closed_token(), Instant::now());
        let term = Term { token, foreign_after: now, deadline: now + LONG, deadline_wall };
        let (term, leads) = watch::channel(Some(term));
        let cluster = Kubernetes::new(client.clone(), ServerClock::default(), Vec::new(), "test".into());
        let dependencies = Dependencies {
            cluster: Arc::new(cluster),
            objects: objects.clone(),
            children,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            term: leads,
            hook: None,
        };
        let settings = Settings {
            concurrency: 2,
            request_timeout: Duration::from_secs(10),
            lease_duration: LONG,
            settle: LONG,
            observe_only: false,
            enforcement: Enforcement::default(),
            rules: group::Settings::default(),
        };
        let kinds = Kinds::default().with(Yards { last: last.clone() });
        let engine = Engine::new(dependencies, settings, metrics.clone(), kinds);
        let engine = tokio::spawn(engine.run(closed.clone()));
        Self { last, metrics, closed, engine, _term: term }
    }

    /// Waits until the last look found all that is wanted.
    async fn until_all_is_there(&self) -> Result<()> {
        let all = Yard::CHILDREN.len();
        let is_there = |last: &[concierge_reconciler::engine::children::Compared]| {
            last.len() == all && last.iter().all(|one| matches!(one.found, FoundChild::Same { .. }))
        };
        eventually(|| is_there(&self.last.lock()))
            .await
            .with_context(|| format!("left: {:?}", Yards::differing(&self.last.lock())))
    }

    /// How many writes there were of children, by kind.
    fn writes(&self) -> Vec<(&'static str, u64)> {
        let of = |kind| self.metrics.writes.get_or_create(&WriteLabels { kind, what: "child" }).get();
        Yard::CHILDREN.iter().map(|child| (child.kind, of(child.kind))).collect()
    }

    async fn stop(self) -> Result<()> {
        self.closed.cancel();
        Ok(self.engine.await?)
    }
}

fn closed_token() -> String {
    format!("term-{:x}", fastrand::u64(..))
}

/// Waits for what no event tells of, with a bound.
async fn eventually(done: impl Fn() -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !done() {
        ensure!(Instant::now() < end, "not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A change of one field of each, as a merge patch; the field; and how it is to be again.
fn changes() -> Vec<(&'static str, &'static str, serde_json::Value, &'static str, &'static str)> {
    vec![
        (
            "namespace",
            PLACE,
            json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "privileged" } } }),
            "{.metadata.labels.pod-security\\.kubernetes\\.io/enforce}",
            "baseline",
        ),
        (
            "limitrange",
            "limits",
            json!({ "spec": { "limits": [{ "type": "Container", "default": { "cpu": "2", "memory": "512Mi" } }] } }),
            "{.spec.limits[0].default.cpu}",
            "1",
        ),
        (
            "resourcequota",
            "quota",
            json!({ "spec": { "hard": { "pods": "200" } } }),
            "{.spec.hard.pods}",
            "20",
        ),
        (
            "networkpolicy",
            "default-deny",
            json!({ "spec": { "podSelector": { "matchLabels": { "app": "none" } } } }),
            "{.spec.podSelector}",
            "{}",
        ),
        (
            "networkpolicy",
            "default-deny",
            json!({ "spec": { "egress": [{}] } }),
            "{.spec.egress[1].to[0].ipBlock.except[0]}",
            "169.254.169.254/32",
        ),
        (
            "serviceaccount",
            "runner",
            json!({ "automountServiceAccountToken": true }),
            "{.automountServiceAccountToken}",
            "false",
        ),
        (
            "rolebinding",
            "runner",
            json!({ "subjects": [{ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "mallory" }] }),
            "{.subjects[*].name}",
            "runner",
        ),
        ("secret", "login", json!({ "data": { "password": "eA==" } }), "{.data.password}", "aHVudGVyMg=="),
        ("configmap", "scripts", json!({ "data": { "run.sh": "exit 1\n" } }), "{.data.run\\.sh}", "exit 0\n"),
        (
            "service",
            "web",
            json!({ "spec": { "selector": { "more": "x" } } }),
            "{.spec.selector}",
            "{\"app\":\"web\"}",
        ),
        ("deployment", "web", json!({ "spec": { "replicas": 3 } }), "{.spec.replicas}", "1"),
        ("statefulset", "db", json!({ "spec": { "replicas": 0 } }), "{.spec.replicas}", "1"),
        (
            "ingress",
            "web",
            json!({ "spec": { "rules": [{ "host": "others.example.com" }] } }),
            "{.spec.rules[*].host}",
            "web.example.com",
        ),
    ]
}

/// One API server for all of it: to start one takes longer than the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_real_api_server_children_are_made_once_set_back_when_changed_and_gone_with_their_owner()
-> Result<()> {
    let plane = ControlPlane::start().await?;
    let (client, kubectl) = (plane.client().await?, plane.kubectl());
    kubectl.apply_text(&serde_json::to_string(&Yard::crd())?).await?.ok()?;
    kubectl.run(&["wait", ESTABLISHED, "crd/yards.toys.example.com"]).await?.ok()?;
    let yards: Api<Yard> = Api::namespaced(client.clone(), "default");
    let yard = yards.create(&PostParams::default(), &Yard::new("one", yard::YardSpec {})).await?;
    let objects = One::new(yard);

    let leader = Leader::start(&client, &objects).await;
    leader.until_all_is_there().await?;
    // Each was applied once: nothing that the API server made of it was taken for a difference.
    let twice: Vec<_> = leader.writes().into_iter().filter(|(_, writes)| *writes != 1).collect();
    ensure!(twice.is_empty(), "{twice:?}");
    leader.stop().await?;

    // Another that remembers nothing reads and compares all, and writes none.
    objects.refresh(&yards).await?;
    let versions = versions(&plane).await?;
    let leader = Leader::start(&client, &objects).await;
    leader.until_all_is_there().await?;
    let written: Vec<_> = leader.writes().into_iter().filter(|(_, writes)| *writes != 0).collect();
    ensure!(written.is_empty(), "{written:?}");
    ensure!(versions == self::versions(&plane).await?, "something has another generation");

    for (kind, name, patch, field, expect) in changes() {
        let object = format!("{kind}/{name}");
        let patch = patch.to_string();
        kubectl.run(&["patch", &object, "-n", PLACE, "--type=merge", "-p", &patch]).await?.ok()?;
        until_again(&plane, &object, field, expect).await?;
        objects.refresh(&yards).await?;
    }

    a_job_goes_after_its_pods(&plane, &client).await?;

    yards.delete("one", &Default::default()).await?;
    objects.refresh(&yards).await?;
    let end = Instant::now() + PATIENCE;
    while yards.get_opt("one").await?.is_some() {
        ensure!(Instant::now() < end, "{:?}", yards.get("one").await?.status);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let left = kubectl.run(&["get", "namespace", PLACE]).await?;
    ensure!(left.stderr.contains("not found"), "{left:?}");
    leader.stop().await
}

/// Else what takes its place would run beside them.
async fn a_job_goes_after_its_pods(plane: &ControlPlane, client: &Client) -> Result<()> {
    let kubectl = plane.kubectl();
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "slow", "namespace": PLACE },
        "spec": { "template": {
            "metadata": { "finalizers": ["example.com/ends"] },
            "spec": { "restartPolicy": "Never", "containers": [{ "name": "slow", "image": "slow:1" }] },
        } },
    });
    kubectl.apply_text(&job.to_string()).await?.ok()?;
    let runs = "--for=jsonpath={.status.active}=1";
    kubectl.run(&["wait", runs, "job/slow", "-n", PLACE, "--timeout=20s"]).await?.ok()?;
    let pods = ["pod", "-n", PLACE, "-l", "batch.kubernetes.io/job-name=slow"];
    let path = "-o=jsonpath={.metadata.uid}";
    let uid = kubectl.run(&["get", "job", "slow", "-n", PLACE, path]).await?.ok()?;
    let cluster = Kubernetes::new(client.clone(), ServerClock::default(), Vec::new(), "test".into());
    let resource = ApiResource::erase::<Job>(&());
    let target = Target { resource, namespace: PLACE.into(), name: "slow".into() };
    cluster.delete_by_uid(&target, &uid).await?;
    // Its pod is deleted first, which takes its time.
    let going = "--for=jsonpath={.metadata.deletionTimestamp}";
    kubectl.run(&[&["wait", going, "--timeout=20s"][..], &pods].concat()).await?.ok()?;
    let left = kubectl
        .run(&["get", "job", "slow", "-n", PLACE, "-o=jsonpath={.metadata.finalizers}"])
        .await?
        .ok()?;
    ensure!(left.contains("foregroundDeletion"), "{left}");
    let free = ["--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#];
    let pod = kubectl.run(&[&["get", "-o=name"][..], &pods].concat()).await?.ok()?;
    kubectl.run(&[&["patch", pod.trim(), "-n", PLACE][..], &free].concat()).await?.ok()?;
    kubectl.run(&["wait", "--for=delete", "job/slow", "-n", PLACE, "--timeout=20s"]).await?.ok().map(drop)
}

/// What is written whenever somebody changes what is wanted of an object.
async fn versions(plane: &ControlPlane) -> Result<BTreeSet<String>> {
    let kinds =
        "limitrange,resourcequota,networkpolicy,serviceaccount,rolebinding,secret,configmap,service,ingress";
    let columns = "jsonpath={range .items[*]}{.kind}/{.metadata.name}/{.metadata.generation}{.metadata.managedFields[?(@.manager=='concierge')].time}{'\\n'}{end}";
    let told = plane
        .kubectl()
        .run(&["get", kinds, "-n", PLACE, "--show-managed-fields", "-o", columns])
        .await?
        .ok()?;
    Ok(told.lines().map(str::to_owned).collect())
}

async fn until_again(plane: &ControlPlane, object: &str, field: &str, expect: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let path = format!("jsonpath={field}");
        let found = plane.kubectl().run(&["get", object, "-n", PLACE, "-o", &path]).await?.ok()?;
        if found == expect {
            return Ok(());
        }
        if Instant::now() > end {
            let says = plane.kubectl().run(&["get", "yard", "one", "-n", "default", "-o", "yaml"]).await?;
            bail!("{object} {field} is {found:?}; {says:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
