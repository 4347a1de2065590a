//! `concierge-webhook serve`: answers the API server.
//!
//! A connection ([`listen`]) carries requests ([`http`]) whose reviews are decided ([`door`]) against the watch
//! caches, with live reads ([`live`]) before a refusal and reservations ([`claims`]) before an admission.

mod args;
mod certificates;
mod claims;
mod door;
mod http;
mod listen;
mod live;
mod metrics;
mod open;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use concierge_runtime::{
    admin::{self, Admin},
    cache::{Cache, Keep},
    client,
    logs::{self, Seldom},
    shutdown,
};
use concierge_shared::kind::KINDS;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

pub use args::ServeArgs;
use certificates::Certificates;
use door::Door;
use metrics::{Metrics, OfKind};

/// Serves until SIGTERM. 0 after an orderly end, 2 when it could not start.
pub fn run(args: ServeArgs) -> ExitCode {
    if let Err(error) = logs::init(&args.logs) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = runtime.context("no async runtime").and_then(|runtime| runtime.block_on(serve(args)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cannot serve");
            ExitCode::from(2)
        }
    }
}

async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let ServeArgs { listen, admin, shutdown_delay, rules, certificates, logs: _ } = args;
    let (enforcement, settings) = rules.read();
    let signal = shutdown::on_signal().context("cannot listen for signals")?;
    let stop_background = CancellationToken::new();
    let clients = client::connect(concat!("concierge-webhook/", env!("CARGO_PKG_VERSION"))).await?;
    let (metrics, registry) = Metrics::new();
    let cache = Cache::start(&clients.once, &[], Keep::ForRules, &stop_background);
    let certificates = Arc::new(Certificates::new(&clients.api, certificates)?);
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr().context("the listener has no address")?;

    let live = live::Live::new(clients.api.clone(), metrics.clone());
    let door = Door {
        cache: cache.clone(),
        live: live.clone(),
        claims: claims::Claims::new(clients.api.clone(), live, cache.clone(), metrics.clone(), clients.clock),
        enforcement,
        settings,
        metrics: metrics.clone(),
        turns: Semaphore::new(door::EVALUATED_KIB),
        knows_callers: certificates.knows_callers(),
        no_review: Seldom::default(),
    };
    let stop_listening = CancellationToken::new();
    let router = http::router(door, signal.clone());
    let served = tokio::spawn(listen::serve(
        listener,
        certificates.tls(),
        router,
        metrics.clone(),
        stop_listening.clone(),
    ));
    tokio::spawn(Arc::clone(&certificates).keep(address, stop_background.clone()));
    let refresh = refresh(metrics, cache.clone(), certificates.clone());
    let ready = ready(cache, certificates, signal.clone());
    let admin_address =
        admin::serve(admin, Admin { registry, ready, refresh }, stop_background.clone()).await;
    let admin_address = admin_address.with_context(|| format!("cannot listen on {admin}"))?;
    tracing::info!(%address, admin = %admin_address, kinds = KINDS.len(), "serving");

    signal.cancelled().await;
    tracing::info!(delay = ?shutdown_delay, "leaving: no longer ready, still serving");
    tokio::time::sleep(shutdown_delay).await;
    stop_listening.cancel();
    served.await.context("the listener failed")?;
    stop_background.cancel();
    tracing::info!("left");
    Ok(())
}

fn ready(
    cache: Arc<Cache>,
    certificates: Arc<Certificates>,
    leaving: CancellationToken,
) -> Arc<dyn Fn() -> Result<String, String> + Send + Sync> {
    Arc::new(move || {
        if leaving.is_cancelled() {
            return Err("leaving".to_owned());
        }
        let state = cache.check()?;
        certificates.check()?;
        Ok(state)
    })
}

/// Brings the gauges up to date.
fn refresh(
    metrics: Metrics,
    cache: Arc<Cache>,
    certificates: Arc<Certificates>,
) -> Arc<dyn Fn() + Send + Sync> {
    Arc::new(move || {
        certificates.show(&metrics);
        for kind in KINDS {
            let count = i64::try_from(cache.len(kind.name)).unwrap_or(i64::MAX);
            let of_kind = OfKind { kind: kind.name };
            metrics.objects.get_or_create(&of_kind).set(count);
            metrics.believed.get_or_create(&of_kind).set(i64::from(cache.believes(kind.name)));
        }
    })
}
