//! A TCP balancer in the place of kube-proxy: several replicas behind the one address of a Service.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// How often a backend is asked whether it is ready.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long a backend may take to answer that, or to accept a connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many times in a row a backend may leave that question unanswered before it counts as not ready, as for
/// a kubelet: a busy machine makes every program silent now and then.
const SILENCES: u32 = 3;

/// A replica behind the balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where connections go to. No two backends have the same.
    pub addr: SocketAddr,
    /// What answers 200 to a GET while the backend is ready, like `http://127.0.0.1:9090/readyz`.
    pub readiness_url: String,
}

/// A running balancer. As kube-proxy does, it chooses a ready backend for each new connection, in turn, and
/// never cuts a live connection, also of a backend that is no longer ready or was removed. When no backend is
/// ready, a new connection is reset.
///
/// It has a runtime of its own: tests with other runtimes can share it. Dropping it cuts everything.
#[derive(Debug)]
pub struct Balancer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

#[derive(Debug, Default)]
struct Shared {
    entries: Mutex<Vec<Arc<Entry>>>,
    turn: AtomicUsize,
}

/// A backend and what the balancer knows about it.
#[derive(Debug)]
struct Entry {
    backend: Backend,
    ready: AtomicBool,
    connections: AtomicU64,
    /// Asks for readiness until the entry is removed.
    poller: Mutex<Option<JoinHandle<()>>>,
}

impl Balancer {
    /// Listens on `port` of loopback, or on a free port when that is 0.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(port: u16) -> Result<Balancer> {
        Balancer::listen((Ipv4Addr::LOCALHOST, port).into())
    }

    /// As [`Balancer::start`], on an address of choice, for clusters that are not on this machine.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn listen(addr: SocketAddr) -> Result<Balancer> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = std::net::TcpListener::bind(addr);
        let listener = listener.with_context(|| format!("can't listen on {addr}"))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(Arc::clone(&shared).accept(listener));
        Ok(Balancer { addr, shared, runtime: Some(runtime) })
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Makes `backends` the list of backends. Those that were in it already keep their state.
    ///
    /// # Errors
    /// As [`Balancer::add`].
    pub fn set_backends(&self, backends: Vec<Backend>) -> Result<()> {
        let kept = |entry: &Entry| backends.contains(&entry.backend);
        let gone: Vec<SocketAddr> =
            self.shared.entries().iter().filter(|e| !kept(e)).map(|e| e.backend.addr).collect();
        for addr in gone {
            self.remove(addr);
        }
        backends.into_iter().try_for_each(|backend| self.add(backend))
    }

    /// Adds a backend. It gets connections as soon as it says it is ready, which is asked at once and then
    /// five times a second. Adding one that is there changes nothing.
    ///
    /// # Errors
    /// When its address is there with another URL, or the URL isn't plain http with a host.
    pub fn add(&self, backend: Backend) -> Result<()> {
        let url: Uri = backend.readiness_url.parse().context("the readiness URL is no URL")?;
        ensure!(
            url.scheme_str() == Some("http") && url.host().is_some(),
            "readiness is asked over plain http"
        );
        let mut entries = self.shared.entries();
        if let Some(entry) = entries.iter().find(|entry| entry.backend.addr == backend.addr) {
            ensure!(entry.backend == backend, "{} is a backend already", backend.addr);
            return Ok(());
        }
        let entry = Arc::new(Entry {
            backend,
            ready: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            poller: Mutex::new(None),
        });
        let poller = self.runtime.as_ref().map(|runtime| runtime.spawn(Arc::clone(&entry).poll(url)));
        *entry.poller.lock().unwrap_or_else(PoisonError::into_inner) = poller;
        entries.push(entry);
        Ok(())
    }

    /// Removes the backend at `addr`: no new connection goes there, live ones go on.
    pub fn remove(&self, addr: SocketAddr) {
        self.shared.entries().retain(|entry| {
            if entry.backend.addr == addr {
                entry.stop();
            }
            entry.backend.addr != addr
        });
    }

    /// How many connections each present backend was given so far, in the order of adding.
    pub fn connections(&self) -> Vec<(SocketAddr, u64)> {
        self.shared.entries().iter().map(|e| (e.backend.addr, e.connections.load(Relaxed))).collect()
    }

    /// The backends that new connections go to at this moment.
    pub fn ready(&self) -> Vec<SocketAddr> {
        self.shared.ready().iter().map(|entry| entry.backend.addr).collect()
    }

    /// Waits until exactly `count` backends are ready.
    ///
    /// # Errors
    /// When that takes longer than `patience`.
    pub async fn wait_ready(&self, count: usize, patience: Duration) -> Result<()> {
        let wait = async {
            while self.ready().len() != count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(patience, wait).await;
        waited.with_context(|| format!("{:?} are ready, not {count} backends", self.ready()))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn entries(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> Vec<Arc<Entry>> {
        self.entries().iter().filter(|entry| entry.ready.load(Relaxed)).cloned().collect()
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((client, _)) => drop(tokio::spawn(Arc::clone(&self).forward(client))),
                // Out of file descriptors, for example: connections that end give some back.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn forward(self: Arc<Self>, mut client: TcpStream) {
        let _ = client.set_nodelay(true);
        match self.connect().await {
            Some(mut backend) => drop(copy_bidirectional(&mut client, &mut backend).await),
            // As a refused connection: nothing was read, nothing is said.
            None => drop(client.set_zero_linger()),
        }
    }

    /// A connection to the backend whose turn it is, or to the next ready one that accepts it.
    async fn connect(&self) -> Option<TcpStream> {
        let ready = self.ready();
        let turn = self.turn.fetch_add(1, Relaxed);
        for offset in 0..ready.len() {
            let entry = &ready[turn.wrapping_add(offset) % ready.len()];
            let connection = tokio::time::timeout(PATIENCE, TcpStream::connect(entry.backend.addr)).await;
            if let Ok(Ok(connection)) = connection {
                entry.connections.fetch_add(1, Relaxed);
                let _ = connection.set_nodelay(true);
                return Some(connection);
            }
        }
        None
    }
}

impl Entry {
    async fn poll(self: Arc<Self>, url: Uri) {
        let mut silent = 0;
        loop {
            match tokio::time::timeout(PATIENCE, is_ready(&url)).await {
                Ok(answer) => {
                    silent = 0;
                    self.ready.store(matches!(answer, Ok(true)), Relaxed);
                }
                Err(_) => silent += 1,
            }
            if silent >= SILENCES {
                self.ready.store(false, Relaxed);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn stop(&self) {
        let poller = self.poller.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(poller) = poller {
            poller.abort();
        }
    }
}

/// Whether a GET of `url` is answered with 200.
async fn is_ready(url: &Uri) -> std::io::Result<bool> {
    let (host, path) =
        (url.host().unwrap_or_default(), url.path_and_query().map_or("/", |path| path.as_str()));
    let mut server = TcpStream::connect((host, url.port_u16().unwrap_or(80))).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes()).await?;
    let mut status = [0; "HTTP/1.1 200".len()];
    server.read_exact(&mut status).await?;
    Ok(status.ends_with(b" 200"))
}
