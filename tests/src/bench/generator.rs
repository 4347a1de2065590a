//! The load generator: calls a webhook as the API server's client does (HTTP/1.1 over TLS 1.3, keep-alive, up to
//! 25 idle connections, a new one when none is idle), with as little work of its own as it takes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::payload::Case;

/// How many connections may wait for work, as in the API server's client.
const IDLE: usize = 25;

/// A server to be loaded.
#[derive(Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Target {
    /// The server at `address` that shows a certificate for `name` which one of `roots` vouches for.
    ///
    /// # Errors
    /// When the name or a root is none.
    pub fn new(address: SocketAddr, name: &str, roots: Vec<CertificateDer<'static>>) -> Result<Target> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(store)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        tls.resumption = rustls::client::Resumption::disabled();
        let name = ServerName::try_from(name.to_owned())?;
        Ok(Target { address, name, tls: TlsConnector::from(Arc::new(tls)) })
    }

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        Ok(Connection { stream, buffer: vec![0; 16 * 1024] })
    }
}

struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a request and reads its answer, which must be a 200 with `expect` in it.
    async fn exchange(&mut self, request: &[u8], expect: &str) -> Result<()> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let (mut read, mut whole) = (0, None);
        while whole.is_none_or(|whole| read < whole) {
            ensure!(read < self.buffer.len(), "the answer is longer than {} bytes", self.buffer.len());
            let count = self.stream.read(&mut self.buffer[read..]).await?;
            ensure!(count > 0, "the connection was closed before the answer");
            read += count;
            whole = whole.or_else(|| answer_length(&self.buffer[..read]));
        }
        let answer = &self.buffer[..read];
        if !answer.starts_with(b"HTTP/1.1 200") || !contains(answer, expect.as_bytes()) {
            let text = String::from_utf8_lossy(answer);
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
            bail!("expected {expect}, got {}: {body}", head.lines().next().unwrap_or_default());
        }
        Ok(())
    }
}

/// The length of the whole answer, once its head is there.
fn answer_length(answer: &[u8]) -> Option<usize> {
    let head = find(answer, b"\r\n\r\n")? + 4;
    // Go writes the header's name with capitals.
    let length = find(answer, b"ontent-length: ").or_else(|| find(answer, b"ontent-Length: "))?;
    let length = &answer[length + 15..];
    let digits = length.iter().take_while(|byte| byte.is_ascii_digit());
    Some(head + digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    find(text, part).is_some()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// What came of a run.
#[derive(Debug)]
pub struct Load {
    /// How long each answered request took, in no order.
    pub latencies: Vec<Duration>,
    /// How long the run took.
    pub elapsed: Duration,
    /// How often each thing went wrong.
    pub failures: BTreeMap<String, usize>,
}

/// Closed loop: `connections` send one request after the other for `time`, the next one as soon as the last is
/// answered. Measures capacity; its latencies say little about those of other loads.
///
/// # Errors
/// When a connection can't be made or an answer is not the expected one.
pub async fn closed(target: &Target, case: &Case, connections: usize, time: Duration) -> Result<Load> {
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = target.connect().await?;
        connection.exchange(&case.request, case.expect).await?;
        open.push(connection);
    }
    let case = Arc::new(case.clone());
    let started = Instant::now();
    let end = started + time;
    let mut running = JoinSet::new();
    for mut connection in open {
        let case = Arc::clone(&case);
        running.spawn(async move {
            let mut latencies = Vec::new();
            let mut now = Instant::now();
            while now < end {
                connection.exchange(&case.request, case.expect).await?;
                let answered = Instant::now();
                latencies.push(answered - now);
                now = answered;
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(ended) = running.join_next().await {
        latencies.extend(ended??);
    }
    Ok(Load { latencies, elapsed: started.elapsed(), failures: BTreeMap::new() })
}

/// Open loop: `rate` requests a second for `time`, at even distances whatever the answers do. A latency counts
/// from the moment at which its request was due, so that a server that stalls is charged for all who wait.
pub async fn open(target: &Target, case: &Case, rate: u32, time: Duration) -> Load {
    let idle = Rc::new(RefCell::new(Vec::<Connection>::new()));
    let (target, case) = (Rc::new(target.clone()), Rc::new(case.clone()));
    let result = Rc::new(RefCell::new((Vec::new(), BTreeMap::<String, usize>::new())));
    let local = tokio::task::LocalSet::new();
    let started = Instant::now();
    local
        .run_until(async {
            let count = (time.as_secs_f64() * f64::from(rate)) as u32;
            for number in 0..count {
                let due = started + Duration::from_secs(1) * number / rate;
                // The timer is only as fine as a millisecond.
                while Instant::now() < due {
                    tokio::task::yield_now().await;
                }
                let (idle, target, case) = (Rc::clone(&idle), Rc::clone(&target), Rc::clone(&case));
                let result = Rc::clone(&result);
                tokio::task::spawn_local(async move {
                    let answered = call(&idle, &target, &case).await;
                    let (latencies, failures) = &mut *result.borrow_mut();
                    match answered {
                        Ok(()) => latencies.push(due.elapsed()),
                        Err(error) => *failures.entry(error.to_string()).or_default() += 1,
                    }
                });
            }
        })
        .await;
    local.await;
    let (latencies, failures) = result.take();
    Load { latencies, elapsed: started.elapsed(), failures }
}

async fn call(idle: &RefCell<Vec<Connection>>, target: &Target, case: &Case) -> Result<()> {
    let waiting = idle.borrow_mut().pop();
    let mut connection = match waiting {
        Some(connection) => connection,
        None => target.connect().await?,
    };
    connection.exchange(&case.request, case.expect).await?;
    let mut idle = idle.borrow_mut();
    if idle.len() < IDLE {
        idle.push(connection);
    }
    Ok(())
}

/// `count` new connections at once, each with one request: from the first connect to each answer.
///
/// # Errors
/// When one of them fails.
pub async fn storm(target: &Target, case: &Case, count: usize) -> Result<Load> {
    let (target, case) = (Arc::new(target.clone()), Arc::new(case.clone()));
    let started = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..count {
        let (target, case) = (Arc::clone(&target), Arc::clone(&case));
        running.spawn(async move {
            target.connect().await?.exchange(&case.request, case.expect).await?;
            anyhow::Ok(started.elapsed())
        });
    }
    let mut latencies = Vec::new();
    while let Some(ended) = running.join_next().await {
        latencies.push(ended?.context("a connection of the storm failed")?);
    }
    Ok(Load { latencies, elapsed: started.elapsed(), failures: BTreeMap::new() })
}
