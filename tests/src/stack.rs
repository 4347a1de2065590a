//! Concierge installed on a control plane: the chart's manifests, webhook replicas behind the Service's
//! address, and reconcilers, each a real process with exactly the rights that the chart gives it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use concierge_shared::kind::KINDS;
use serde_json::Value;
use tokio::time::sleep;

use crate::PATIENCE;
use crate::balancer::{Backend, Balancer};
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::controlplane::ControlPlane;
use crate::kubectl::{ESTABLISHED, TIMEOUT, Tool};
use crate::process::{Process, Signal, built_program};
use crate::wire::{Wire, server_of};

/// The namespace that Concierge is installed in.
pub const NAMESPACE: &str = "concierge-system";
/// The name of the Helm release, and so of the Service and the webhook configurations.
pub const RELEASE: &str = "concierge";
/// How often something is looked at that tells nobody when it changes.
const LOOK: Duration = Duration::from_millis(20);

/// What to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many API servers share the one etcd.
    pub apiservers: usize,
    /// How many webhook replicas.
    pub webhooks: usize,
    pub reconcilers: usize,
    /// How long a webhook that is told to leave goes on serving. The chart's default is ten seconds.
    pub shutdown_delay: Duration,
    /// Further arguments of every webhook.
    pub webhook_args: Vec<String>,
    /// Further arguments of every reconciler.
    pub reconciler_args: Vec<String>,
    /// Further values of the chart, as `--set` takes them.
    pub values: Vec<String>,
    /// Whether the programs see a clock that the test steps, and speak to the API server over a wire that it cuts.
    pub controlled: bool,
    /// Applies what `concierge-webhook manifests` prints, which knows no values, so that nothing waits for helm.
    pub without_helm: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            apiservers: 1,
            webhooks: 1,
            reconcilers: 1,
            shutdown_delay: Duration::from_secs(2),
            webhook_args: Vec::new(),
            reconciler_args: Vec::new(),
            values: Vec::new(),
            controlled: false,
            without_helm: false,
        }
    }
}

/// Concierge on a control plane, or in another cluster. Dropping it ends everything that was started; what
/// helm installed in a cluster that was there before stays.
pub struct Stack<C = ControlPlane> {
    /// The replicas' common address.
    pub balancer: Balancer,
    plan: Plan,
    webhooks: Mutex<Vec<Program>>,
    reconcilers: Mutex<Vec<Program>>,
    started: AtomicUsize,
    controls: OnceLock<Controls>,
    pub plane: C,
}

/// What a test controls of [controlled](Plan::controlled) programs.
#[derive(Debug)]
pub struct Controls {
    /// The way to the API server.
    pub wire: Wire,
    /// The time of day.
    pub clock: Clock,
}

/// A running binary of ours.
pub struct Program {
    pub process: Process,
    /// Where a webhook answers the API server.
    pub address: Option<SocketAddr>,
    /// Where it answers probes and shows metrics.
    pub admin: SocketAddr,
}

impl Stack {
    /// Starts everything and waits until all webhooks are ready.
    ///
    /// # Errors
    /// When something does not start; the error holds the end of its log.
    pub async fn start(plan: Plan) -> Result<Stack> {
        let plane = ControlPlane::start_with_apiservers(plan.apiservers).await?;
        Stack::start_on(plane, plan).await
    }
}

impl<C: Cluster> Stack<C> {
    /// As [`Stack::start`], on a cluster that runs.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn start_on(plane: C, plan: Plan) -> Result<Stack<C>> {
        let reached_from =
            if plane.host() == "localhost" { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let balancer = Balancer::listen((reached_from, 0).into())?;
        let (webhooks, reconcilers) = (plan.webhooks, plan.reconcilers);
        let (none, nobody) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let stack = Stack {
            balancer,
            plan,
            webhooks: none,
            reconcilers: nobody,
            started: AtomicUsize::new(0),
            controls: OnceLock::new(),
            plane,
        };
        if stack.plan.without_helm {
            stack.apply_manifests().await?;
        } else {
            stack.install(&[]).await?;
        }
        stack.wait_until_defined().await?;
        for _ in 0..webhooks {
            stack.add_webhook().await?;
        }
        stack.balancer.wait_ready(webhooks, PATIENCE).await?;
        if reconcilers > 0 {
            stack.free_lease().await?;
        }
        for _ in 0..reconcilers {
            stack.add_reconciler().await?;
        }
        Ok(stack)
    }

    /// Waits until our kinds are served. A program that starts before says that a kind is not installed, and tries again.
    async fn wait_until_defined(&self) -> Result<()> {
        let names: Vec<_> = KINDS.iter().map(|kind| format!("crd/{}", kind.crd_name())).collect();
        let args = ["wait", ESTABLISHED, TIMEOUT].into_iter().chain(names.iter().map(String::as_str));
        self.plane.kubectl().run(&args.collect::<Vec<_>>()).await?.ok().map(drop)
    }

    /// Unless there is a lease, creates it as a leader leaves it that had nothing under way: one that was not there before, a
    /// reconciler relies on only after its duration.
    async fn free_lease(&self) -> Result<()> {
        let lease = serde_json::json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "concierge-reconciler", "namespace": NAMESPACE}, "spec": {"leaseTransitions": 0},
        });
        let created = self.plane.kubectl().run_with_input(&["create", "-f", "-"], &lease.to_string()).await?;
        if created.stderr.contains("AlreadyExists") { Ok(()) } else { created.ok().map(drop) }
    }

    /// Installs the chart, or upgrades it, with further `values`.
    ///
    /// # Errors
    /// When helm refuses.
    pub async fn install(&self, values: &[&str]) -> Result<()> {
        let chart = chart();
        let port = format!("service.port={}", self.balancer.addr().port());
        let host = format!("service.externalName={}", self.plane.host());
        let mut args = vec!["upgrade", "--install", RELEASE, chart.to_str().context("odd path")?];
        args.extend(["--namespace", NAMESPACE, "--create-namespace"]);
        args.extend(["--set", "deploy=false", "--set", &host, "--set", &port]);
        for value in self.plan.values.iter().map(String::as_str).chain(values.iter().copied()) {
            args.extend(["--set", value]);
        }
        self.plane.helm(&args).await?.ok()?;
        Ok(())
    }

    /// Installs what the program prints, and the Service that leads to this machine.
    async fn apply_manifests(&self) -> Result<()> {
        let port = self.balancer.addr().port();
        let program = Tool::plain(&built_program("concierge-webhook")?);
        let names = ["--service", RELEASE, "--namespace", NAMESPACE, "--port", &port.to_string()];
        let manifests = program.run(&[&["manifests"][..], &names].concat(), "").await?.ok()?;
        let kubectl = self.plane.kubectl();
        kubectl.run(&["create", "namespace", NAMESPACE]).await?.ok()?;
        let (host, port) = (self.plane.host(), format!("--tcp={port}"));
        let service = ["create", "service", "externalname", RELEASE, "--namespace", NAMESPACE];
        kubectl.run(&[&service[..], &["--external-name", host, &port]].concat()).await?.ok()?;
        let apply = ["apply", "--server-side", "--filename", "-"];
        kubectl.run_with_input(&apply, &manifests).await?.ok().map(drop)
    }

    /// Starts one more webhook replica; its number.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn add_webhook(&self) -> Result<usize> {
        let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        args.extend(["--namespace", NAMESPACE, "--service", RELEASE, "--webhook-configuration", RELEASE]);
        let delay = format!("{}s", self.plan.shutdown_delay.as_secs());
        args.extend(["--secret", "concierge-ca", "--log-format", "json", "--shutdown-delay", &delay]);
        args.extend(self.plan.webhook_args.iter().map(String::as_str));
        let program = self.program("concierge-webhook", &args).await?;
        let addr = program.address.context("the webhook did not say where it listens")?;
        self.balancer.add(Backend { addr, readiness_url: format!("http://{}/readyz", program.admin) })?;
        let mut webhooks = lock(&self.webhooks);
        webhooks.push(program);
        Ok(webhooks.len() - 1)
    }

    /// Starts one more reconciler; its number.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn add_reconciler(&self) -> Result<usize> {
        let mut args = vec!["run", "--admin", "127.0.0.1:0", "--log-format", "json"];
        args.extend(["--lease-name", "concierge-reconciler", "--lease-namespace", NAMESPACE]);
        args.extend(self.plan.reconciler_args.iter().map(String::as_str));
        let program = self.program("concierge-reconciler", &args).await?;
        let mut reconcilers = lock(&self.reconcilers);
        reconcilers.push(program);
        Ok(reconcilers.len() - 1)
    }

    /// How many webhook replicas were started, also those that have ended.
    pub fn webhooks(&self) -> usize {
        lock(&self.webhooks).len()
    }

    /// Does something with a webhook replica.
    pub fn webhook<T>(&self, number: usize, with: impl FnOnce(&Program) -> T) -> T {
        with(&lock(&self.webhooks)[number])
    }

    /// Does something with a reconciler.
    pub fn reconciler<T>(&self, number: usize, with: impl FnOnce(&Program) -> T) -> T {
        with(&lock(&self.reconcilers)[number])
    }

    /// Sends a signal to a webhook replica.
    ///
    /// # Errors
    /// When it does not arrive.
    pub fn signal_webhook(&self, number: usize, signal: Signal) -> Result<()> {
        self.webhook(number, |program| program.process.signal(signal))
    }

    /// Where every webhook replica shows its metrics, without those that have ended.
    pub fn webhook_admins(&self) -> Vec<SocketAddr> {
        let running = |program: &&Program| program.process.exited().is_none();
        lock(&self.webhooks).iter().filter(running).map(|program| program.admin).collect()
    }

    /// Waits until the caches of all webhook replicas hold as many objects of `kind` as there are.
    ///
    /// # Errors
    /// When they do not in time.
    pub async fn wait_cached(&self, kind: &str, count: usize) -> Result<()> {
        let wanted = format!("concierge_cached_objects{{kind=\"{kind}\"}} {count}");
        let until = Instant::now() + PATIENCE;
        for admin in self.webhook_admins() {
            while !get(admin, "/metrics").await?.lines().any(|line| line == wanted) {
                if Instant::now() > until {
                    bail!("the cache of {admin} does not hold {count} objects of kind {kind}");
                }
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// What the test controls, once a program runs.
    pub fn controls(&self) -> Option<&Controls> {
        self.controls.get()
    }

    fn start_controls(&self, kubeconfig: &Path) -> Result<&Controls> {
        if self.controls.get().is_none() {
            let (wire, clock) = (Wire::to(server_of(kubeconfig)?)?, Clock::new(self.plane.dir())?);
            let _ = self.controls.set(Controls { wire, clock });
        }
        self.controls.get().context("no controls")
    }

    /// The logs of all programs that were started.
    pub fn logs(&self) -> Vec<PathBuf> {
        let of = |programs: &Mutex<Vec<Program>>| {
            lock(programs).iter().map(|program| program.process.log().to_owned()).collect::<Vec<_>>()
        };
        [of(&self.webhooks), of(&self.reconcilers)].concat()
    }

    async fn program(&self, name: &str, args: &[&str]) -> Result<Program> {
        let kubeconfig = self.plane.service_account_kubeconfig(NAMESPACE, RELEASE).await?;
        let number = self.started.fetch_add(1, Relaxed);
        let log = self.plane.dir().join(format!("{name}-{number}.log"));
        let (mut env, mut over_wire) = (Vec::new(), None);
        if self.plan.controlled {
            let controls = self.start_controls(&kubeconfig)?;
            over_wire = Some(controls.wire.kubeconfig(&kubeconfig)?);
            env.extend(controls.clock.env());
        }
        env.push(("KUBECONFIG", over_wire.as_ref().unwrap_or(&kubeconfig)));
        let process = Process::spawn(name, built_program(name)?, args, env, &log)?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some((address, admin)) = listening(&log) {
                return Ok(Program { process, address, admin });
            }
            if process.exited().is_some() || Instant::now() > until {
                bail!("{name} does not serve:\n{}", process.log_tail(20));
            }
            sleep(LOOK).await;
        }
    }
}

/// The folder of the chart.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/concierge")
}

/// The body of a plain HTTP answer.
///
/// # Errors
/// When there is none.
pub async fn get(address: SocketAddr, path: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// The addresses in the log line with which our programs say that they serve.
fn listening(log: &Path) -> Option<(Option<SocketAddr>, SocketAddr)> {
    let text = std::fs::read_to_string(log).ok()?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut serving = lines.filter(|line| line["message"] == "serving");
    let line = serving.next()?;
    let address = |field: &str| line[field].as_str()?.parse().ok();
    Some((address("address"), address("admin")?))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
