//! `concierge-reconciler run`: the watch caches, the lease and the engine, put together.

use std::{collections::BTreeSet, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use concierge_runtime::{
    admin::{self, Admin},
    cache::{Cache, Children, Keep},
    client, duration,
    logs::{self, LogArgs},
    rules::RuleArgs,
    shutdown,
};
use concierge_shared::{
    child::{self, Child},
    group,
    kind::{KINDS, KindInfo},
};
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio_util::sync::CancellationToken;

use crate::{
    bindings::{Binding, Bindings},
    catalyst::Installed,
    engine::{
        Dependencies, Engine, Kinds, Settings,
        cluster::kubernetes::Kubernetes,
        lease::{Leadership, LeaseSettings},
        metrics::{KindLabel, Metrics},
        seams::{SystemClock, SystemRandom},
    },
    orasi::DocumentCounts,
};

/// Reconcile admitted objects. Of several replicas the one that holds the Lease works; the others stand by.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Where to answer probes (/healthz, /readyz) and show metrics (/metrics), over plain HTTP
    #[arg(long, env = "CONCIERGE_ADMIN", default_value = "0.0.0.0:8081", value_name = "ADDR")]
    admin: SocketAddr,
    /// Reconcile objects of these namespaces only; all, when none is named
    #[arg(long, env = "CONCIERGE_NAMESPACES", value_delimiter = ',', value_name = "NAME,...")]
    namespaces: Vec<String>,
    /// RoleBindings that give us our rights in a namespace: they are kept, by a finalizer, as long as objects there are ours to
    /// clean up
    #[arg(
        hide_short_help = true,
        long,
        env = "CONCIERGE_KEEP_ROLE_BINDINGS",
        value_delimiter = ',',
        value_name = "NAMESPACE/NAME,..."
    )]
    keep_role_bindings: Vec<Binding>,
    /// Groups whose objects own objects of Kubernetes' own kinds, namespaces among them. These are watched all over the cluster, so we need
    /// the rights to list and watch them there
    #[arg(
        hide_short_help = true,
        long,
        env = "CONCIERGE_CHILDREN",
        value_delimiter = ',',
        value_name = "GROUP,..."
    )]
    children: Vec<String>,
    /// The image that we run in: it takes part in what is deployed from sources
    #[arg(hide_short_help = true, long, env = "CONCIERGE_IMAGE", default_value = "", value_name = "IMAGE")]
    image: String,
    /// How the names of our ClusterRoles begin
    #[arg(
        hide_short_help = true,
        long,
        env = "CONCIERGE_ROLE_PREFIX",
        default_value = "concierge-",
        value_name = "TEXT"
    )]
    role_prefix: String,
    /// Look, publish the plans in status, and change nothing
    #[arg(long, env = "CONCIERGE_OBSERVE_ONLY")]
    observe_only: bool,
    /// How many objects are worked on at a time; 4 for each processor by default
    #[arg(hide_short_help = true, long, env = "CONCIERGE_CONCURRENCY", value_name = "NUMBER")]
    concurrency: Option<usize>,
    /// How long a call to a remote service may take; at most a third of the lease
    #[arg(hide_short_help = true, long, env = "CONCIERGE_REQUEST_TIMEOUT", default_value = "5s", value_parser = duration::parse, value_name = "TIME")]
    request_timeout: Duration,
    /// How long a remote service may take to list what a call made. When the answer to an order is lost, it is looked for
    /// after once, three and seven times as long, and then held for a person to decide
    #[arg(hide_short_help = true, long, env = "CONCIERGE_SETTLE_TIME", default_value = "1m", value_parser = duration::parse, value_name = "TIME")]
    settle_time: Duration,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    lease: LeaseArgs,
    #[command(flatten)]
    logs: LogArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Lease")]
struct LeaseArgs {
    /// The Lease that decides which replica works
    #[arg(long, env = "CONCIERGE_LEASE_NAME", default_value = "concierge-reconciler", value_name = "NAME")]
    lease_name: String,
    /// The Lease's namespace
    #[arg(long, env = "CONCIERGE_LEASE_NAMESPACE", default_value = "concierge-system", value_name = "NAME")]
    lease_namespace: String,
    /// How long the Lease lasts when its holder no longer renews it
    #[arg(hide_short_help = true, long, env = "CONCIERGE_LEASE_DURATION", default_value = "15s", value_parser = duration::parse, value_name = "TIME")]
    lease_duration: Duration,
    /// The replica's name in the Lease and in events
    #[arg(
        hide_short_help = true,
        long,
        env = "POD_NAME",
        default_value = "concierge-reconciler",
        value_name = "NAME"
    )]
    pod_name: String,
}

impl LeaseArgs {
    fn settings(&self, identity: &str, request_timeout: Duration) -> LeaseSettings {
        LeaseSettings {
            namespace: self.lease_namespace.clone(),
            name: self.lease_name.clone(),
            identity: identity.to_owned(),
            duration: self.lease_duration,
            request_timeout,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  In a cluster, as the Helm chart starts it:
    concierge-reconciler run --lease-namespace concierge-system

  Seeing what would be done, and doing nothing:
    concierge-reconciler run --observe-only --namespaces shop";

/// Runs until SIGTERM. 0 after an orderly end, 2 when it could not start.
pub fn run(args: RunArgs) -> ExitCode {
    if let Err(error) = logs::init(&args.logs) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    // Clients that are not told which cryptography to use ask for the process's; that it is set twice is no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.context("no async runtime").and_then(|runtime| runtime.block_on(reconcile(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cannot run");
            ExitCode::from(2)
        }
    }
}

async fn reconcile(args: RunArgs) -> anyhow::Result<()> {
    let RunArgs {
        admin,
        namespaces,
        keep_role_bindings,
        children,
        image,
        role_prefix,
        observe_only,
        concurrency,
        request_timeout,
        settle_time,
        rules,
        lease,
        logs: _,
    } = args;
    check_times(request_timeout, lease.lease_duration)?;
    let resources = resources_of(KINDS, &children)?;
    let signal = shutdown::on_signal().context("cannot listen for signals")?;
    let closed = CancellationToken::new();
    let clients = client::connect(concat!("concierge-reconciler/", env!("CARGO_PKG_VERSION"))).await?;
    let cache = Cache::start(&clients.once, &namespaces, Keep::Objects, &closed);
    let children = Children::start(&clients.once, resources, &closed);
    let identity = identity(&lease.pod_name);
    let cluster = Arc::new(Kubernetes::new(clients.once, clients.clock, namespaces, identity.clone()));
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let of_lease = lease.settings(&identity, request_timeout);
    let (leadership, term) = Leadership::new(cluster.clone(), clock.clone(), random.clone(), of_lease);
    let (enforcement, rules) = rules.read();
    let documents = DocumentCounts::default();
    let kinds = kinds(request_timeout, Installed { image, role_prefix }, &rules, &documents)?;
    let settings = Settings {
        concurrency: concurrency.unwrap_or_else(default_concurrency),
        request_timeout,
        lease_duration: lease.lease_duration,
        settle: settle_time,
        observe_only,
        enforcement,
        rules,
    };
    let bindings = Bindings::new(clients.api, cache.clone(), term.clone(), keep_role_bindings);
    let metrics = Metrics::default();
    let (objects, owned) = (cache.clone(), children.clone());
    let dependencies = Dependencies { cluster, objects, children: owned, clock, random, term, hook: None };
    let engine = Engine::new(dependencies, settings, metrics.clone(), kinds);

    let probes =
        serve_probes(admin, (&metrics, &documents), (cache.clone(), children.clone()), closed.clone())
            .await?;
    tracing::info!(admin = %probes, identity, kinds = KINDS.len(), "serving");
    let synced = async { tokio::join!(cache.wait_synced(), children.wait_synced()) };
    tokio::select! {
        _ = synced => {}
        () = signal.cancelled() => return Ok(()),
    }
    tokio::spawn(bindings.keep(closed.clone()));
    let left = CancellationToken::new();
    run_while_leading(engine.run(signal), leadership.keep(left.clone()), left).await?;
    closed.cancel();
    tracing::info!("left");
    Ok(())
}

/// A call has to end within what is left of the lease, which is renewed three times while it lasts.
fn check_times(request: Duration, lease: Duration) -> anyhow::Result<()> {
    let fits = request <= lease / 3;
    anyhow::ensure!(
        fits,
        "--request-timeout ({request:?}) must be at most a third of --lease-duration ({lease:?})"
    );
    Ok(())
}

/// The resources of which objects of these groups own objects.
fn resources_of(kinds: &[KindInfo], groups: &[String]) -> anyhow::Result<BTreeSet<Child>> {
    let mut all = child::by_group(kinds);
    let known: Vec<_> = all.keys().copied().collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let mut resources = BTreeSet::new();
    for group in groups {
        let unknown =
            || format!("--children: no objects of the group {group:?} own others; groups that do: {known}");
        resources.append(&mut all.remove(group.as_str()).with_context(unknown)?);
    }
    Ok(resources)
}

/// How long a connection may take to come about, of the time that a call may take: a host that does not answer at all is to be
/// known as such before the call counts as perhaps sent.
fn connect_time(request: Duration) -> Duration {
    request / 2
}

/// Runs until the engine ends. The lease is given up after the last run has ended, not before.
async fn run_while_leading(
    engine: impl Future<Output = ()>,
    leadership: impl Future<Output = ()> + Send + 'static,
    left: CancellationToken,
) -> anyhow::Result<()> {
    let mut leading = tokio::spawn(leadership);
    tokio::select! {
        () = engine => {}
        // Without it nobody would notice that another replica leads.
        ended = &mut leading => {
            ended.context("the lease is no longer kept")?;
            anyhow::bail!("the lease is no longer kept");
        }
    }
    left.cancel();
    leading.await.context("the lease could not be given up")
}

/// The reconcilers of all groups: one line for each.
fn kinds(
    request_timeout: Duration,
    installed: Installed,
    rules: &group::Settings,
    documents: &DocumentCounts,
) -> anyhow::Result<Kinds> {
    let connect = connect_time(request_timeout);
    let kinds = Kinds::default();
    let kinds = crate::pets::add(kinds, connect)?;
    let kinds = crate::coffee::add(kinds, connect)?;
    let kinds = crate::s3::add(kinds, connect)?;
    let kinds = crate::orasi::add(kinds, connect, documents)?;
    crate::catalyst::add(kinds, connect, installed, &rules.catalyst)
}

async fn serve_probes(
    address: SocketAddr,
    (metrics, documents): (&Metrics, &DocumentCounts),
    (cache, children): (Arc<Cache>, Arc<Children>),
    closed: CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    documents.register(&mut registry);
    let believed = Family::<KindLabel, Gauge>::default();
    let help = "1 while what is cached of a kind may be believed; 0 also when it can't be watched";
    registry.sub_registry_with_prefix("concierge").register("cache_believed", help, believed.clone());
    let (counted, owned) = (cache.clone(), children.clone());
    let refresh = move || {
        for resource in owned.resources() {
            let label = KindLabel { kind: resource.kind };
            believed.get_or_create(&label).set(i64::from(owned.believes(resource)));
        }
        for kind in KINDS {
            let label = KindLabel { kind: kind.name };
            believed.get_or_create(&label).set(i64::from(counted.believes(kind.name)));
        }
    };
    let admin = Admin {
        registry: Arc::new(registry),
        ready: Arc::new(move || Ok(cache.check()? + &children.check()?)),
        refresh: Arc::new(refresh),
    };
    admin::serve(address, admin, closed).await.with_context(|| format!("cannot listen on {address}"))
}

/// Tells this process from any other, also from an earlier one in the same pod.
fn identity(pod: &str) -> String {
    format!("{pod}_{:016x}", fastrand::u64(..))
}

fn default_concurrency() -> usize {
    4 * std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests;
