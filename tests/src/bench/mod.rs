//! The benchmark: the webhook beside a floor that does nothing and a peer that does the same, in the same run.
//!
//! ```text
//! core A   webhook | floor | peer    one process at a time has work
//! core B   load generator, control plane, balancer
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`payload`] | the reviews |
//! | [`generator`] | calls a server as the API server's client does |
//! | [`floor`], [`peer`], [`servers`] | the servers to compare with, and how all are started |
//! | [`inside`] | the webhook's pure stages alone |
//! | [`through`] | creates through the API server |
//! | [`curves`], [`crowd`], [`among`] | what grows with the number of objects |
//! | [`machine`] | cores, CPU time, memory |
//! | [`figures`], [`report`] | from latencies to tables |
//! | [`compare`] | a run beside an earlier one |

pub mod among;
pub mod compare;
pub mod crowd;
pub mod curves;
pub mod figures;
pub mod floor;
pub mod generator;
pub mod inside;
pub mod machine;
pub mod payload;
pub mod peer;
pub mod report;
pub mod servers;
pub mod through;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use self::compare::{Raw, Saved};
use self::figures::Percentiles;
use self::generator::Load;
use self::machine::{Cores, Machine, cpu_time, resident_kib};
use self::payload::Case;
use self::report::{Capacity, Memory, Pair, Report, Tail, Through};
use self::servers::{Server, on_server_core, start_floor, start_peer, start_webhook};
use crate::process::Process;
use crate::stack::{Plan, Stack, get};

/// What to measure, and how thoroughly.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct BenchArgs {
    /// How often each measurement is repeated
    #[arg(long, default_value_t = 3)]
    pub repeats: usize,
    /// How long each loop runs
    #[arg(long, default_value_t = 3)]
    pub seconds: u64,
    /// Connections of the closed loop
    #[arg(long, default_value_t = 25)]
    pub connections: usize,
    /// Requests per second of the open loop
    #[arg(long, default_value_t = 1000)]
    pub rate: u32,
    /// New connections at once
    #[arg(long, default_value_t = 200)]
    pub storm: usize,
    /// Creates of each kind through the API server, per repeat
    #[arg(long, default_value_t = 300)]
    pub creates: usize,
    /// Objects in the cache when memory is measured
    #[arg(long, default_value_t = 5000)]
    pub objects: usize,
    /// For how many objects the curves are drawn; FULL=1 adds 50,000
    #[arg(long, value_delimiter = ',', default_values_t = curves::sizes())]
    pub curve: Vec<usize>,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    pub parts: Vec<Part>,
    /// Only cases whose name contains this
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub only: String,
    /// Leave out the peer, which needs Go
    #[arg(long)]
    pub without_peer: bool,
    /// A result file of an earlier run to compare with
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Where the raw results go, as JSON, after each part
    #[arg(long, default_value = "target/bench/latest.json", value_name = "FILE")]
    pub out: PathBuf,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
pub enum Part {
    /// Answers per second at most.
    Throughput,
    /// CPU time of the pure stages; needs no cluster.
    Inside,
    /// Latencies at a fixed rate, and of many new connections.
    Latency,
    /// Creates through the API server.
    Through,
    /// Memory and time to ready.
    Memory,
    /// Both programs with a thousand objects, and with more.
    Curves,
}

impl Part {
    const ALL: [Part; 6] =
        [Part::Throughput, Part::Inside, Part::Latency, Part::Through, Part::Memory, Part::Curves];
}

/// Measures, prints the tables and writes the raw results. Belongs on a runtime of one thread: what runs on which
/// core is decided by the thread that starts it.
///
/// # Errors
/// When something does not start, or a server answers otherwise than it must.
pub async fn run(args: BenchArgs) -> Result<()> {
    // First, so that a file that is none costs nobody ten minutes.
    let earlier = args.compare.as_deref().map(Saved::read).transpose()?;
    let cores = Cores::available();
    let mut report =
        Report { before: Machine::now(), cores, connections: args.connections, ..Report::default() };
    // Before anything is moved: what is drawn is both programs with all cores, as in a cluster.
    if args.parts.contains(&Part::Curves) {
        for objects in &args.curve {
            report.curves.push(curves::draw(*objects).await?);
            save(&args, &mut report)?;
        }
    }
    if let Some(cores) = cores {
        Cores::move_to(cores.others)?;
    }
    let mut cases = payload::cases();
    cases.retain(|case| case.name.contains(&args.only));
    if args.parts.contains(&Part::Inside) {
        report.inside = inside::costs(&cases)?;
        save(&args, &mut report)?;
    }
    if args.parts.iter().any(|part| !matches!(part, Part::Inside | Part::Curves)) {
        Bench::start(args.clone(), cores).await?.measure(&cases, &mut report).await?;
    }
    let saved = save(&args, &mut report)?;
    println!("{report}");
    if let Some(earlier) = earlier {
        println!("{}", earlier.table(&saved));
    }
    println!("Raw results are in {}", args.out.display());
    Ok(())
}

/// Writes what was measured so far, which is not lost when a later part fails.
fn save(args: &BenchArgs, report: &mut Report) -> Result<Saved> {
    report.after = Machine::now();
    if let Some(dir) = args.out.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let result = Raw { report, args, saved: Saved::of(report, args) };
    std::fs::write(&args.out, serde_json::to_vec_pretty(&result)?)
        .with_context(|| format!("can't write {}", args.out.display()))?;
    Ok(result.saved)
}

struct Bench {
    args: BenchArgs,
    cores: Option<Cores>,
    webhook: Server,
    floor: Server,
    peer: Option<Server>,
    ready: Duration,
    ready_kib: u64,
    stack: Stack,
    _others: Vec<Process>,
}

impl Bench {
    async fn start(args: BenchArgs, cores: Option<Cores>) -> Result<Bench> {
        let excluded = [through::WITHOUT, through::FLOOR, through::CROWD].join(",");
        let excluded = format!("webhook.excludedNamespaces={{{excluded}}}");
        let plan = Plan { webhooks: 0, reconcilers: 0, values: vec![excluded], ..Plan::default() };
        let program = if args.without_peer { None } else { Some(peer::build().await?) };
        let stack = Stack::start(plan).await?;
        let (process, floor) = on_server_core(cores, start_floor(&stack)).await?;
        let mut others = vec![process];
        let mut peer = None;
        if let Some(program) = program {
            let (process, server) = on_server_core(cores, start_peer(&stack, &program)).await?;
            others.push(process);
            peer = Some(server);
        }
        let (ready, webhook) = start_webhook(&stack, cores).await?;
        let ready_kib = resident_kib(webhook.pid)?;
        stack.balancer.wait_ready(1, Duration::from_secs(30)).await?;
        prepare(&stack, floor.target.address).await?;
        Ok(Bench { args, cores, webhook, floor, peer, ready, ready_kib, stack, _others: others })
    }

    async fn measure(&self, cases: &[Case], report: &mut Report) -> Result<()> {
        for part in &self.args.parts {
            match part {
                Part::Throughput => report.throughput = self.throughput(cases).await?,
                Part::Latency => {
                    report.latency = self.latency(cases).await?;
                    report.storm = self.storm(cases).await?;
                }
                Part::Through => report.through = self.through().await?,
                Part::Memory => self.memory(report).await?,
                Part::Inside | Part::Curves => continue,
            }
            save(&self.args, report)?;
        }
        Ok(())
    }

    async fn throughput(&self, cases: &[Case]) -> Result<Vec<Pair<Capacity>>> {
        let mut pairs = Vec::new();
        for case in cases {
            let mut pair = pair_of(case);
            for _ in 0..self.args.repeats {
                pair.floor.push(self.capacity(&self.floor, &case.at_floor()).await?);
                pair.webhook.push(self.capacity(&self.webhook, case).await?);
                if let (Some(peer), Some(case)) = (&self.peer, case.at_peer()) {
                    pair.peer.push(self.capacity(peer, &case).await?);
                }
            }
            let seen: Vec<_> = pair.webhook.iter().map(|run| run.per_second).collect();
            eprintln!("{}: {seen:.0?}", case.name);
            pairs.push(pair);
        }
        Ok(pairs)
    }

    async fn capacity(&self, server: &Server, case: &Case) -> Result<Capacity> {
        let before = cpu_time(server.pid)?;
        let load = generator::closed(&server.target, case, self.args.connections, self.seconds()).await?;
        let used = cpu_time(server.pid)?.saturating_sub(before).as_secs_f64();
        let (count, elapsed) = (load.latencies.len() as f64, load.elapsed.as_secs_f64());
        Ok(Capacity {
            per_second: count / elapsed,
            cpu_us: used * 1e6 / count,
            busy: used / elapsed,
            latency: Percentiles::of(load.latencies),
        })
    }

    async fn latency(&self, cases: &[Case]) -> Result<Vec<Pair<Tail>>> {
        let mut pairs = Vec::new();
        for case in cases.iter().filter(|case| case.goal.is_some()) {
            eprintln!("latency of {}", case.name);
            let mut pair = pair_of(case);
            for _ in 0..self.args.repeats {
                pair.floor.push(self.tail(&self.floor, &case.at_floor(), self.args.rate).await?);
                pair.webhook.push(self.tail(&self.webhook, case, self.args.rate).await?);
                if let (Some(peer), Some(case)) = (&self.peer, case.at_peer()) {
                    pair.peer.push(self.tail(peer, &case, self.args.rate / 4).await?);
                }
            }
            pairs.push(pair);
        }
        Ok(pairs)
    }

    async fn tail(&self, server: &Server, case: &Case, rate: u32) -> Result<Tail> {
        let before = cpu_time(server.pid)?;
        let Load { latencies, failures, .. } =
            generator::open(&server.target, case, rate, self.seconds()).await;
        let used = cpu_time(server.pid)?.saturating_sub(before).as_secs_f64();
        for (failure, count) in &failures {
            eprintln!("{count} x {failure}");
        }
        Ok(Tail {
            rate,
            cpu_us: used * 1e6 / latencies.len() as f64,
            latency: Percentiles::of(latencies),
            failures: failures.values().sum(),
        })
    }

    async fn storm(&self, cases: &[Case]) -> Result<Option<Pair<Percentiles>>> {
        let Some(case) = cases.first() else { return Ok(None) };
        eprintln!("{} new connections at once", self.args.storm);
        let mut pair = pair_of(case);
        for _ in 0..self.args.repeats {
            let floor = generator::storm(&self.floor.target, &case.at_floor(), self.args.storm).await?;
            pair.floor.push(Percentiles::of(floor.latencies));
            let webhook = generator::storm(&self.webhook.target, case, self.args.storm).await?;
            pair.webhook.push(Percentiles::of(webhook.latencies));
        }
        Ok(Some(pair))
    }

    async fn through(&self) -> Result<Vec<Through>> {
        let user = self.stack.plane.user("ada@example.com", &["developers"])?;
        let client = user.client().await?;
        let of = |what| Through { what, count: self.args.creates, ..Through::default() };
        let (mut stores, mut pets) = (of("PetStore"), of("Pet, which costs a claim"));
        for repeat in 0..self.args.repeats {
            eprintln!("creates through the API server, {} of {}", repeat + 1, self.args.repeats);
            let first = 3 * repeat * self.args.creates;
            let count = self.args.creates;
            stores.add(through::creates(&client, count, |number| through::store(first + number)).await?);
            pets.add(through::creates(&client, count, |number| through::pet(first + number)).await?);
        }
        Ok(vec![stores, pets])
    }

    async fn memory(&self, report: &mut Report) -> Result<()> {
        eprintln!("memory with {} objects", self.args.objects);
        let loaded_kib = resident_kib(self.webhook.pid)?;
        through::crowd(&self.stack.plane.client().await?, self.args.objects).await?;
        let (ready, second) = start_webhook(&self.stack, self.cores).await?;
        let crowded_kib = resident_kib(second.pid)?;
        let admin = self.stack.webhook_admins().pop().context("the webhook has ended")?;
        let objects = cached_objects(&get(admin, "/metrics").await?);
        report.memory = Some(Memory { ready_kib: self.ready_kib, loaded_kib, crowded_kib, objects });
        report.ready_ms = Some([self.ready, ready].map(|ready| ready.as_secs_f64() * 1e3));
        Ok(())
    }

    fn seconds(&self) -> Duration {
        Duration::from_secs(self.args.seconds)
    }
}

fn pair_of<T>(case: &Case) -> Pair<T> {
    let Case { name, body_bytes, goal, .. } = *case;
    Pair { case: name, body_bytes, goal, floor: Vec::new(), webhook: Vec::new(), peer: Vec::new() }
}

/// How many objects a webhook with these metrics holds.
fn cached_objects(metrics: &str) -> usize {
    let lines = metrics.lines().filter(|line| line.starts_with("concierge_cached_objects{"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
}

/// Namespaces, rights, the webhooks of the floor, and the store that pets refer to.
async fn prepare(stack: &Stack, floor: SocketAddr) -> Result<()> {
    let admin = stack.plane.kubectl();
    for namespace in [payload::NAMESPACE, through::WITH, through::WITHOUT, through::FLOOR, through::CROWD] {
        admin.run(&["create", "namespace", namespace]).await?.ok()?;
    }
    let webhooks = floor::webhooks(stack.plane.dir(), floor, through::FLOOR)?;
    admin.apply_text(&webhooks).await?.ok()?;
    let role = ["create", "clusterrole", "shopkeeper", "--verb=create"];
    let resource = "--resource=pets.petstore.example.com,petstores.petstore.example.com";
    admin.run(&[role.as_slice(), &[resource]].concat()).await?.ok()?;
    let bind =
        ["create", "clusterrolebinding", "shopkeeper", "--clusterrole=shopkeeper", "--group=developers"];
    admin.run(&bind).await?.ok()?;
    through::create(&stack.plane.client().await?, payload::NAMESPACE, payload::shop()).await?;
    stack.wait_cached("PetStore", 1).await
}
