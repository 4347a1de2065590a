//! The connection to the API server.

use std::time::Duration;

use axum::http::{HeaderValue, Response, header::USER_AGENT};
use kube::{Client, Config, client::ClientBuilder};
use tower::util::MapResponseLayer;

use crate::clock::ServerClock;

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
    /// The time at the API server that they speak to.
    pub clock: ServerClock,
}

/// Connects as the kubeconfig or the pod's service account says.
///
/// # Errors
/// When neither makes a client. No request is sent.
pub async fn connect(user_agent: &str) -> Result<Clients, ConnectError> {
    let mut config = Config::infer().await.map_err(ConnectError::Config)?;
    let agent = HeaderValue::from_str(user_agent).unwrap_or(HeaderValue::from_static("concierge"));
    config.headers.push((USER_AGENT, agent));
    config.read_timeout = Some(SILENCE);
    let clock = ServerClock::default();
    let api = client(config.clone(), &clock)?;
    config.default_retry = false;
    let once = client(config, &clock)?;
    Ok(Clients { api, once, clock })
}

fn client(config: Config, clock: &ServerClock) -> Result<Client, ConnectError> {
    let clock = clock.clone();
    let heard = MapResponseLayer::new(move |response: Response<_>| {
        clock.hear(response.headers());
        response
    });
    let builder = ClientBuilder::try_from(config).map_err(ConnectError::Client)?;
    Ok(builder.with_layer(&heard).build())
}

/// The object that the API server found; nothing when it says that there is none. A 404 that does not say so is of a resource
/// that is not served, and tells nothing of its objects.
///
/// # Errors
/// Every other failure.
pub fn found<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.reason == "NotFound" => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_resource_that_is_not_served_says_nothing_of_its_objects() {
        let failed = |reason| kube::Error::Api(Status::failure("", reason).with_code(404).boxed());
        assert!(matches!(found::<()>(Err(failed("NotFound"))), Ok(None)));
        assert!(found::<()>(Err(failed("Failed to parse error data"))).is_err());
    }
}
