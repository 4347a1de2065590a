//! What grows with the number of objects: both programs, started among a thousand, ten thousand and more of them.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use concierge_shared::pets::{Pet, PetStore};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use super::among::{self, Requests};
use super::crowd::{Database, IN_NAMESPACE, STORE, name_of, namespace_of};
use super::figures::Spread;
use super::machine::{cpu_time, peak_kib, resident_kib};
use super::servers::Server;
use super::{payload, through};
use crate::process::Signal;
use crate::stack::{Plan, Stack, get};

/// How many objects are seen through their first pass. The rest come as the reconciler left those.
const FIRST_PASS: usize = 10_000;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(1200);
/// Nothing happens any more when nothing has happened for so long.
const QUIET: Duration = Duration::from_secs(2);
/// How long writes at rest are counted.
const REST: Duration = Duration::from_secs(20);
/// How often something is looked at that tells nobody when it changes.
const LOOK: Duration = Duration::from_millis(20);
/// How many edits are timed.
const EDITS: usize = 10;

/// For how many objects the curves are drawn.
pub fn sizes() -> Vec<usize> {
    let full = std::env::var("FULL").is_ok_and(|full| full == "1");
    [1000, 10_000].into_iter().chain(full.then_some(50_000)).collect()
}

/// Both programs among so many objects.
#[derive(Debug, Default, Serialize)]
pub struct Curve {
    /// How many pets there are; each has a claim.
    pub objects: usize,
    /// The first pass over objects that nobody has looked at.
    pub first_pass: Pass,
    /// How many objects that was.
    pub first_pass_objects: usize,
    /// From the start of the webhook to readiness, in seconds.
    pub webhook_ready_s: f64,
    /// What it had computed by then, in seconds.
    pub webhook_cpu_s: f64,
    /// Its resident memory then, in KiB.
    pub webhook_kib: u64,
    /// Its resident memory in a cluster without objects, in KiB.
    pub webhook_empty_kib: u64,
    /// What requests cost it.
    pub requests: Requests,
    /// From the start of the reconciler to readiness, in seconds.
    pub reconciler_ready_s: f64,
    /// A pass over objects of which each is as it should be.
    pub restart: Pass,
    /// The reconciler's resident memory after that, in KiB.
    pub reconciler_kib: u64,
    /// Its resident memory in a cluster without objects, in KiB.
    pub reconciler_empty_kib: u64,
    /// The most that it had.
    pub reconciler_peak_kib: u64,
    /// Writes in twenty seconds in which nothing happened.
    pub writes_at_rest: u64,
    /// From a user's edit to Ready, in milliseconds: behind all that are new, which are changes as well, and at rest.
    pub edit_ms: [Option<Spread>; 2],
}

/// A pass over all objects.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Pass {
    /// From the start of the process to its end, in seconds.
    pub seconds: f64,
    /// What the process computed, in seconds.
    pub cpu_s: f64,
    /// What it wrote.
    pub writes: u64,
}

/// Both programs among so many objects, on a control plane of their own.
///
/// # Errors
/// When something does not start, or does not come to rest.
pub async fn draw(objects: usize) -> Result<Curve> {
    eprintln!("curves: {objects} objects");
    let crowd = Crowd::gather(objects).await?;
    let curve = crowd.measure().await.with_context(|| format!("with {objects} objects"))?;
    eprintln!("{curve:?}");
    Ok(curve)
}

/// A control plane with many objects.
struct Crowd {
    objects: usize,
    stack: Stack,
    client: Client,
    database: Database,
}

/// A program under measurement.
struct Started {
    number: usize,
    pid: u32,
    admin: SocketAddr,
    began: Instant,
    ready_s: f64,
}

/// What a reconciler has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    runs: u64,
    writes: u64,
}

impl Crowd {
    async fn gather(objects: usize) -> Result<Crowd> {
        let stack = Stack::start(Plan { webhooks: 1, reconcilers: 0, ..Plan::default() }).await?;
        let client = stack.plane.client().await?;
        let database = Database::new(stack.plane.etcd_url());
        for first in (0..objects).step_by(IN_NAMESPACE) {
            let namespace = namespace_of(first);
            stack.plane.kubectl().run(&["create", "namespace", &namespace]).await?.ok()?;
            let mut store = through::store(0);
            store["metadata"]["name"] = STORE.into();
            store["spec"] = json!({ "name": "Crowd", "config": { "maxPets": IN_NAMESPACE } });
            through::create(&client, &namespace, store).await?;
        }
        Ok(Crowd { objects, stack, client, database })
    }

    async fn measure(&self) -> Result<Curve> {
        let first_pass_objects = self.objects.min(FIRST_PASS);
        let mut curve = Curve { objects: self.objects, first_pass_objects, ..Curve::default() };
        curve.webhook_empty_kib = resident_kib(self.stack.webhook(0, |it| it.process.pid()))?;
        self.first_pass(&mut curve).await?;
        let webhook = self.start_webhook().await?;
        curve.webhook_ready_s = webhook.ready_s;
        curve.webhook_cpu_s = cpu_time(webhook.pid)?.as_secs_f64();
        curve.webhook_kib = resident_kib(webhook.pid)?;
        curve.requests = self.requests(&webhook).await?;
        self.restart(&mut curve).await?;
        Ok(curve)
    }

    /// The reconciler, and then objects that it has never seen, beside all the others.
    async fn first_pass(&self, curve: &mut Curve) -> Result<()> {
        let reconciler = self.start_reconciler().await?;
        let stores = self.objects.div_ceil(IN_NAMESPACE) as u64;
        self.settled(&reconciler, stores).await?;
        curve.reconciler_empty_kib = resident_kib(reconciler.pid)?;
        let others = self.objects - curve.first_pass_objects;
        self.fill_up(&reconciler, others).await?;
        let (before, cpu) = (done(&reconciler).await?, cpu_time(reconciler.pid)?);
        let began = Instant::now();
        self.database.store_pets(others..self.objects, |_| None).await?;
        curve.edit_ms[0] = Some(self.edits(self.objects - 1, 1).await?);
        let end = self.settled(&reconciler, before.runs + curve.first_pass_objects as u64).await?;
        curve.first_pass = Pass {
            seconds: end.duration_since(began).as_secs_f64(),
            cpu_s: cpu_time(reconciler.pid)?.saturating_sub(cpu).as_secs_f64(),
            writes: done(&reconciler).await?.writes - before.writes,
        };
        self.stop(&reconciler).await
    }

    /// So many objects that the reconciler has nothing to do for: they have a status as it gave it to the first.
    async fn fill_up(&self, reconciler: &Started, count: usize) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let before = done(reconciler).await?.runs;
        self.database.store_pets(0..1, |_| None).await?;
        self.settled(reconciler, before + 1).await?;
        let like = serde_json::to_value(self.pets(0).get(&name_of(0)).await?)?["status"].clone();
        self.database.store_pets(1..count, |_| Some(like.clone())).await?;
        self.settled(reconciler, before + count as u64).await.map(drop)
    }

    /// What requests cost this webhook.
    async fn requests(&self, webhook: &Started) -> Result<Requests> {
        let store: Api<DynamicObject> = self.api::<PetStore>(0);
        let pet = serde_json::to_value(self.pets(0).get(&name_of(0)).await?)?;
        let store = serde_json::to_value(store.get(STORE).await?)?;
        let server = Server::webhook(&self.stack, webhook.number).await?;
        among::ask(&server, &payload::cases_among(&pet, &store)).await
    }

    /// A reconciler that finds everything as it should be.
    async fn restart(&self, curve: &mut Curve) -> Result<()> {
        let reconciler = self.start_reconciler().await?;
        curve.reconciler_ready_s = reconciler.ready_s;
        let end = self.settled(&reconciler, self.objects as u64).await?;
        let after = done(&reconciler).await?;
        curve.restart = Pass {
            seconds: end.duration_since(reconciler.began).as_secs_f64(),
            cpu_s: cpu_time(reconciler.pid)?.as_secs_f64(),
            writes: after.writes,
        };
        sleep(REST).await;
        curve.writes_at_rest = done(&reconciler).await?.writes - after.writes;
        curve.reconciler_kib = resident_kib(reconciler.pid)?;
        curve.reconciler_peak_kib = peak_kib(reconciler.pid)?;
        curve.edit_ms[1] = Some(self.edits(0, EDITS).await?);
        self.stop(&reconciler).await
    }

    /// Edits pets from the `first` on, as a user; how long until each is ready again, in milliseconds.
    async fn edits(&self, first: usize, count: usize) -> Result<Spread> {
        let mut times = Vec::new();
        for number in first..first + count {
            let began = Instant::now();
            let patch = json!({ "spec": { "name": format!("Edited {}", fastrand::u32(..)) } });
            let (pets, name) = (self.pets(number), name_of(number));
            pets.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
            until("an edited pet is not ready", async || Ok(is_ready(&pets.get(&name).await?))).await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Spread::of(times))
    }

    fn pets(&self, number: usize) -> Api<DynamicObject> {
        self.api::<Pet>(number)
    }

    /// The objects of a kind beside the pet with this number.
    fn api<K: Resource<DynamicType = ()>>(&self, number: usize) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &namespace_of(number), &ApiResource::erase::<K>(&()))
    }

    async fn start_webhook(&self) -> Result<Started> {
        let began = Instant::now();
        let number = self.stack.add_webhook().await?;
        let (pid, admin) = self.stack.webhook(number, |it| (it.process.pid(), it.admin));
        ready(Started { number, pid, admin, began, ready_s: 0.0 }).await
    }

    async fn start_reconciler(&self) -> Result<Started> {
        let began = Instant::now();
        let number = self.stack.add_reconciler().await?;
        let (pid, admin) = self.stack.reconciler(number, |it| (it.process.pid(), it.admin));
        ready(Started { number, pid, admin, began, ready_s: 0.0 }).await
    }

    async fn stop(&self, reconciler: &Started) -> Result<()> {
        self.stack.reconciler(reconciler.number, |it| it.process.signal(Signal::Term))?;
        let ended = || self.stack.reconciler(reconciler.number, |it| it.process.exited().is_some());
        until("the reconciler does not end", async || Ok(ended())).await
    }

    /// Waits until the reconciler has made so many runs and then does nothing; when the last of them was seen.
    async fn settled(&self, reconciler: &Started, runs: u64) -> Result<Instant> {
        let (mut last, mut since) = (Done::default(), Instant::now());
        until("the reconciler does not come to rest", async || {
            let now = done(reconciler).await?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
            Ok(last.runs >= runs && since.elapsed() >= QUIET)
        })
        .await?;
        Ok(since)
    }
}

async fn ready(mut started: Started) -> Result<Started> {
    until("a program does not get ready", async || {
        Ok(get(started.admin, "/readyz").await?.starts_with("ok"))
    })
    .await?;
    started.ready_s = started.began.elapsed().as_secs_f64();
    Ok(started)
}

async fn done(reconciler: &Started) -> Result<Done> {
    let metrics = get(reconciler.admin, "/metrics").await?;
    Ok(Done {
        runs: sum(&metrics, "concierge_reconcile_total{"),
        writes: sum(&metrics, "concierge_writes_total{"),
    })
}

fn sum(metrics: &str, series: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(series));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

fn is_ready(pet: &DynamicObject) -> bool {
    let conditions = pet.data["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|one| one["type"] == "Ready");
    ready.any(|one| one["status"] == "True" && one["observedGeneration"].as_i64() == pet.metadata.generation)
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !done().await? {
        ensure!(Instant::now() < end, "{what}");
        sleep(LOOK).await;
    }
    Ok(())
}

/// A figure that is wanted to be within a goal.
fn within(figure: String, is_within: bool) -> String {
    if is_within { figure } else { format!("MISSED {figure}") }
}

/// The curves as a table.
///
/// # Errors
/// When it can't be written.
pub fn table(f: &mut fmt::Formatter<'_>, curves: &[Curve]) -> fmt::Result {
    if curves.is_empty() {
        return Ok(());
    }
    let row = |f: &mut fmt::Formatter<'_>, title: &str, figure: &dyn Fn(&Curve) -> String| {
        write!(f, "{title:<52}")?;
        curves.iter().try_for_each(|curve| write!(f, " {:>16}", figure(curve)))?;
        writeln!(f)
    };
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    let each = |kib: u64, empty: u64, curve: &Curve| {
        format!("{:.2} KiB", kib.saturating_sub(empty) as f64 / curve.objects as f64)
    };
    let edit = |spread: Option<Spread>| {
        spread.map_or_else(String::new, |it| format!("{:.0} (..{:.0}) ms", it.median, it.max))
    };
    writeln!(f, "\nWith many objects: pets of stores without a service, written into the database itself")?;
    row(f, "pets, and as many claims", &|it| it.objects.to_string())?;
    row(f, "webhook: start to ready", &|it| format!("{:.2} s", it.webhook_ready_s))?;
    row(f, "  CPU until then", &|it| format!("{:.2} s", it.webhook_cpu_s))?;
    row(f, "  memory", &|it| mib(it.webhook_kib))?;
    row(f, "  memory for each pet", &|it| each(it.webhook_kib, it.webhook_empty_kib, it))?;
    for (number, (case, _)) in curves[0].requests.cpu_ms.iter().enumerate() {
        row(f, &format!("  CPU of {case}"), &|it| format!("{:.2} ms", it.requests.cpu_ms[number].1))?;
    }
    row(f, &format!("  the dearest of those below 1 MiB, goal {} ms", among::GOAL_MS), &|it| {
        within(format!("{:.2} ms", it.requests.dearest_ms), it.requests.dearest_ms < among::GOAL_MS)
    })?;
    row(f, &format!("  memory: none adds more than, goal {}", mib(among::GOAL_KIB)), &|it| {
        within(mib(it.requests.growth_kib), it.requests.growth_kib <= among::GOAL_KIB)
    })?;
    row(f, "reconciler: start to ready", &|it| format!("{:.2} s", it.reconciler_ready_s))?;
    row(f, "  start to the end of a pass without work", &|it| format!("{:.1} s", it.restart.seconds))?;
    row(f, "  CPU of that", &|it| format!("{:.2} s", it.restart.cpu_s))?;
    row(f, "  writes of that", &|it| it.restart.writes.to_string())?;
    row(f, "  writes at rest, in 20 s", &|it| it.writes_at_rest.to_string())?;
    row(f, "  memory", &|it| mib(it.reconciler_kib))?;
    row(f, "  memory for each pet", &|it| each(it.reconciler_kib, it.reconciler_empty_kib, it))?;
    row(f, "  the most memory", &|it| mib(it.reconciler_peak_kib))?;
    row(f, "first pass: pets", &|it| it.first_pass_objects.to_string())?;
    row(f, "  time", &|it| format!("{:.1} s", it.first_pass.seconds))?;
    row(f, "  CPU of the reconciler", &|it| format!("{:.2} s", it.first_pass.cpu_s))?;
    row(f, "  writes for each pet", &|it| {
        format!("{:.2}", it.first_pass.writes as f64 / it.first_pass_objects as f64)
    })?;
    row(f, "edit to Ready: behind all these new pets", &|it| edit(it.edit_ms[0]))?;
    row(f, "  at rest", &|it| edit(it.edit_ms[1]))
}
