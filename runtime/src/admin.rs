//! The port for probes and metrics. Plain HTTP; keep it inside the cluster.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the admin port tells.
#[derive(Clone)]
pub struct Admin {
    /// The metrics.
    pub registry: Arc<Registry>,
    /// `Ok` when the process can do its work, with what a person should know all the same; else why it can't.
    pub ready: Arc<dyn Fn() -> Result<String, String> + Send + Sync>,
    /// Brings gauges up to date; called before the metrics are shown.
    pub refresh: Arc<dyn Fn() + Send + Sync>,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `shutdown`.
///
/// # Errors
/// When the address can't be bound.
pub async fn serve(
    address: SocketAddr,
    admin: Admin,
    shutdown: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(async move {
        let served =
            axum::serve(listener, router(admin)).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the admin port failed");
        }
    });
    Ok(bound)
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

async fn readyz(State(admin): State<Admin>) -> Response {
    match (admin.ready)() {
        Ok(text) => text.into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    (admin.refresh)();
    let mut text = String::new();
    match encode(&mut text, &admin.registry) {
        Ok(()) => {
            let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, format)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
