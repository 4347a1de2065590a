//! The connection to the API server.

use std::time::Duration;

use kube::{Client, Config};

/// How long a watch lives before it is renewed. A watch that is silent for longer than this is dead, and
/// is seen to be dead by [`SILENCE`].
pub(crate) const WATCH_SECONDS: u32 = 30;
/// How long a response may be silent.
const SILENCE: Duration = Duration::from_secs(45);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is neither a kubeconfig nor a service account.
    #[error("no cluster to talk to: set KUBECONFIG, or run in a pod with a service account")]
    Config(#[source] kube::config::InferConfigError),
    /// The configuration makes no client.
    #[error("the kubeconfig does not make a client")]
    Client(#[source] kube::Error),
}

/// The clients of a process.
#[derive(Clone)]
pub struct Clients {
    /// For reads and for writes that may be repeated.
    pub api: Client,
    /// Never repeats a request by itself: for writes whose answer decides what to do next.
    pub once: Client,
}

/// Connects as the kubeconfig or the pod's service account says.
///
/// # Errors
/// When neither makes a client. No request is sent.
pub async fn connect(user_agent: &str) -> Result<Clients, ConnectError> {
    let mut config = Config::infer().await.map_err(ConnectError::Config)?;
    config.headers.push((
        axum::http::header::USER_AGENT,
        axum::http::HeaderValue::from_str(user_agent)
            .unwrap_or(axum::http::HeaderValue::from_static("concierge")),
    ));
    config.read_timeout = Some(SILENCE);
    let api = Client::try_from(config.clone()).map_err(ConnectError::Client)?;
    config.default_retry = false;
    let once = Client::try_from(config).map_err(ConnectError::Client)?;
    Ok(Clients { api, once })
}
