//! A TCP relay between programs and an API server, on which connections can be reset.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A running relay. It has a runtime of its own; dropping it cuts everything.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    connections: Connections,
    runtime: Option<Runtime>,
}

/// The ends at which each connection can be reset, the oldest first.
type Connections = Arc<Mutex<Vec<oneshot::Sender<()>>>>;

impl Wire {
    /// Relays to `server` from a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub fn to(server: SocketAddr) -> Result<Wire> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let connections = Connections::default();
        runtime.spawn(accept(listener, server, Arc::clone(&connections)));
        Ok(Wire { address, connections, runtime: Some(runtime) })
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        let mut connections = self.connections.lock();
        connections.retain(|connection| !connection.is_closed());
        connections.len()
    }

    /// Resets the oldest connection, in both directions; whether there was one.
    pub fn reset_one(&self) -> bool {
        let mut connections = self.connections.lock();
        connections.retain(|connection| !connection.is_closed());
        !connections.is_empty() && connections.remove(0).send(()).is_ok()
    }

    /// A copy of `kubeconfig` in the same folder that leads over this wire.
    ///
    /// # Errors
    /// When it can't be read or written.
    pub fn kubeconfig(&self, kubeconfig: &Path) -> Result<PathBuf> {
        let mut content: Value = serde_json::from_slice(&std::fs::read(kubeconfig)?)?;
        for cluster in content["clusters"].as_array_mut().context("a kubeconfig without clusters")? {
            cluster["cluster"]["server"] = json!(format!("https://{}", self.address));
        }
        let copy = kubeconfig.with_extension("wire.kubeconfig");
        std::fs::write(&copy, content.to_string())?;
        Ok(copy)
    }
}

/// The API server that a kubeconfig leads to, by its address.
///
/// # Errors
/// When that is not there, or is a name.
pub fn server_of(kubeconfig: &Path) -> Result<SocketAddr> {
    let content: Value = serde_json::from_slice(&std::fs::read(kubeconfig)?)?;
    let url = content["clusters"][0]["cluster"]["server"].as_str().context("no server")?;
    let address = url.trim_start_matches("https://").trim_end_matches('/').parse();
    address.with_context(|| format!("{url} is no address"))
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, connections: Connections) {
    while let Ok((client, _)) = listener.accept().await {
        let (reset, told) = oneshot::channel();
        connections.lock().push(reset);
        tokio::spawn(relay(client, server, told));
    }
}

async fn relay(mut client: TcpStream, server: SocketAddr, reset: oneshot::Receiver<()>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let was_reset = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => false,
        told = reset => told.is_ok(),
    };
    if was_reset {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}
