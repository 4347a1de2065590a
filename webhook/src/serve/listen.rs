//! Connections: TLS handshakes, each in a task of its own, and leaving without cutting anybody off.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use concierge_certs::alert_label;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    metrics::{Metrics, Outcome},
    open::{Open, Place},
};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection may say nothing. The API server keeps idle connections for 90 s and must be the one to
/// close them: a request sent into a connection that we are closing fails.
const IDLE: Duration = Duration::from_secs(180);
/// How many connections there may be: with their buffers they take up to 80 MiB. An API server needs one for each
/// review that is under way.
const CONNECTIONS: usize = 2048;
/// How long answers may take once we no longer accept connections.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// Serves `router` on `listener` until `closing`; then lets every connection finish what it is at.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    router: Router,
    metrics: Metrics,
    closing: CancellationToken,
) {
    let open = Open::up_to(CONNECTIONS);
    let connections = TaskTracker::new();
    loop {
        // Connections that wait in the listener's queue are accepted before it closes.
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let place = open.enter();
                let (acceptor, router) = (TlsAcceptor::from(tls.borrow().clone()), router.clone());
                let (metrics, closing) = (metrics.clone(), closing.clone());
                connections.spawn(async move {
                    let served = tokio::select! {
                        served = connection(stream, acceptor, router, &place, closing) => served,
                        () = place.evicted() => Err("too_many"),
                    };
                    if let Err(cause) = served {
                        metrics.handshakes_failed.get_or_create(&Outcome { outcome: cause }).inc();
                    }
                });
            }
            // Out of file descriptors, most likely: let some connections end before the next try.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if timeout(LAST_ANSWERS, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "gave up waiting for the last answers");
    }
}

/// Serves one connection; the cause, when its handshake failed.
async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    place: &Place,
    closing: CancellationToken,
) -> Result<(), &'static str> {
    // Answers are small and awaited: none may wait for more to send.
    let _ = stream.set_nodelay(true);
    let handshake = timeout(HANDSHAKE, acceptor.accept(stream)).await;
    let stream = handshake
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .inspect_err(|error| tracing::debug!(%error, "a TLS handshake failed"))
        .map_err(
            |error| if error.kind() == io::ErrorKind::TimedOut { "timeout" } else { alert_label(&error) },
        )?;
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (busy, router) = (place.busy(), router.clone());
        async move {
            let response = router.oneshot(request.map(axum::body::Body::new)).await;
            drop(busy);
            response
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let mut served = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let outcome = tokio::select! {
        biased;
        outcome = served.as_mut() => outcome,
        () = closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection broke");
    }
    Ok(())
}
