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
//! | [`floor`], [`peer`] | the servers to compare with |
//! | [`inside`] | the webhook's pure stages alone |
//! | [`through`] | creates through the API server |
//! | [`curves`], [`crowd`] | what grows with the number of objects |
//! | [`machine`] | cores, CPU time, memory |
//! | [`figures`], [`report`] | from latencies to tables |
//! | [`compare`] | a run beside an earlier one |

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
pub mod through;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use self::figures::Percentiles;
use self::generator::{Load, Target};
use self::machine::{Cores, Machine, cpu_time, resident_kib};
use self::payload::Case;
use self::report::{Capacity, Memory, Pair, Report, Tail, Through};
use crate::process::{Process, built_program};
use crate::stack::{NAMESPACE, Plan, RELEASE, Stack, get};

/// What to measure, and how thoroughly.
#[derive(Clone, Debug, clap::Args)]
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
    /// Where the raw results go, as JSON
    #[arg(long, default_value = "target/bench/latest.json", value_name = "FILE")]
    pub out: PathBuf,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
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
    let earlier = args.compare.as_deref().map(compare::read).transpose()?;
    let cores = Cores::available();
    let mut report =
        Report { before: Machine::now(), cores, connections: args.connections, ..Report::default() };
    // Before anything is moved: what is drawn is both programs with all cores, as in a cluster.
    if args.parts.contains(&Part::Curves) {
        report.curves = curves::draw(&args.curve).await?;
    }
    if let Some(cores) = cores {
        Cores::move_to(cores.others)?;
    }
    let mut cases = payload::cases();
    cases.retain(|case| case.name.contains(&args.only));
    if args.parts.contains(&Part::Inside) {
        report.inside = inside::costs(&cases)?;
    }
    if args.parts.iter().any(|part| !matches!(part, Part::Inside | Part::Curves)) {
        Bench::start(args.clone(), cores).await?.measure(&cases, &mut report).await?;
    }
    report.after = Machine::now();
    if let Some(dir) = args.out.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let saved = compare::Saved::of(&report);
    std::fs::write(&args.out, serde_json::to_vec_pretty(&saved)?)
        .with_context(|| format!("can't write {}", args.out.display()))?;
    println!("{report}");
    if let Some(earlier) = earlier {
        println!("{}", compare::table(&earlier, &saved.figures));
    }
    println!("Raw results are in {}", args.out.display());
    Ok(())
}

/// A server under load.
struct Server {
    target: Target,
    pid: u32,
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
        let has = |part| self.args.parts.contains(&part);
        if has(Part::Throughput) {
            report.throughput = self.throughput(cases).await?;
        }
        if has(Part::Latency) {
            report.latency = self.latency(cases).await?;
            report.storm = self.storm(cases).await?;
        }
        if has(Part::Through) {
            report.through = self.through().await?;
        }
        if has(Part::Memory) {
            self.memory(report).await?;
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
            eprintln!(
                "{}: {:.0?}",
                case.name,
                pair.webhook.iter().map(|run| run.per_second).collect::<Vec<_>>()
            );
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

/// Does `start` on the servers' core, so that what it starts stays there.
async fn on_server_core<T>(cores: Option<Cores>, start: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(cores) = cores else { return start.await };
    Cores::move_to(cores.server)?;
    let started = start.await;
    Cores::move_to(cores.others)?;
    started
}

/// Starts one more webhook; how long it took to get ready.
async fn start_webhook(stack: &Stack, cores: Option<Cores>) -> Result<(Duration, Server)> {
    let started = Instant::now();
    let number = on_server_core(cores, stack.add_webhook()).await?;
    let (pid, admin, address) = stack.webhook(number, |it| (it.process.pid(), it.admin, it.address));
    machine::wait_ready(admin).await?;
    let ready = started.elapsed();
    let address = address.context("the webhook does not listen")?;
    let name = format!("{RELEASE}.{NAMESPACE}.svc");
    Ok((ready, Server { target: Target::new(address, &name, trusted(stack).await?)?, pid }))
}

/// How many objects a webhook with these metrics holds.
fn cached_objects(metrics: &str) -> usize {
    let lines = metrics.lines().filter(|line| line.starts_with("concierge_cached_objects{"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
}

/// What the API server trusts the webhook by.
async fn trusted(stack: &Stack) -> Result<Vec<CertificateDer<'static>>> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(stack.plane.client().await?);
    let webhooks = api.get(RELEASE).await?.webhooks.unwrap_or_default();
    let bundle =
        webhooks.into_iter().next().and_then(|it| it.client_config.ca_bundle).context("no caBundle")?;
    Ok(CertificateDer::pem_slice_iter(&bundle.0).collect::<Result<_, _>>()?)
}

async fn start_floor(stack: &Stack) -> Result<(Process, Server)> {
    let dir = stack.plane.dir();
    floor::write_certificate(dir)?;
    let log = dir.join("floor.log");
    let args = ["floor".as_ref(), dir.as_os_str()];
    let none: [(&str, &str); 0] = [];
    let process = Process::spawn("floor", built_program("bench")?, args, none, &log)?;
    serving(stack, process, &log).await
}

/// The peer shows the floor's certificate.
async fn start_peer(stack: &Stack, program: &Path) -> Result<(Process, Server)> {
    let dir = stack.plane.dir();
    let log = dir.join("peer.log");
    let process =
        peer::start(program, &dir.join(floor::CERTIFICATE), &dir.join(floor::KEY), &dir.join("peer"), &log)?;
    serving(stack, process, &log).await
}

/// Waits until a server with the floor's certificate says in its log where it listens.
async fn serving(stack: &Stack, process: Process, log: &Path) -> Result<(Process, Server)> {
    let end = Instant::now() + Duration::from_secs(10);
    let address: SocketAddr = loop {
        let said = std::fs::read_to_string(log).ok().and_then(|text| {
            let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find_map(|line| line["address"].as_str()?.parse().ok())
        });
        match said {
            Some(address) => break address,
            None if Instant::now() > end => {
                anyhow::bail!("a server to compare with does not serve:\n{}", process.log_tail(20))
            }
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let root = CertificateDer::from_pem_file(stack.plane.dir().join(floor::CERTIFICATE))?;
    let pid = process.pid();
    Ok((process, Server { target: Target::new(address, floor::NAME, vec![root])?, pid }))
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
