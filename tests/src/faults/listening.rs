//! A host behind a real socket.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::http;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};

use super::{Fake, Host, Reply, Request, Response};

/// A host served on a port of 127.0.0.1. Dropping it closes the port and all connections.
pub struct Listening<F> {
    host: Arc<Host<F>>,
    address: SocketAddr,
    door: Mutex<Door>,
}

enum Door {
    Open(JoinHandle<()>),
    /// Bound without listening: keeps the port while every connection is refused.
    Shut(TcpSocket),
    Broken,
}

impl<F: Fake> Listening<F> {
    /// Serves `host` on a free port.
    pub async fn start(host: Arc<Host<F>>) -> io::Result<Self> {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into())?.listen(128)?;
        let address = listener.local_addr()?;
        let door = Mutex::new(Door::Open(tokio::spawn(accept(listener, Arc::clone(&host)))));
        Ok(Self { host, address, door })
    }

    /// Such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends all connections and refuses new ones until [`allow`](Self::allow).
    pub async fn refuse(&self) -> io::Result<()> {
        let door = std::mem::replace(&mut *self.door.lock(), Door::Broken);
        if let Door::Open(task) = door {
            task.abort();
            // Its sockets are closed only once it is gone.
            let _ = task.await;
        }
        *self.door.lock() = Door::Shut(bind(self.address)?);
        Ok(())
    }

    /// Accepts connections again.
    pub fn allow(&self) -> io::Result<()> {
        let mut door = self.door.lock();
        if let Door::Shut(socket) = std::mem::replace(&mut *door, Door::Broken) {
            *door = Door::Open(tokio::spawn(accept(socket.listen(128)?, Arc::clone(&self.host))));
        }
        Ok(())
    }
}

impl<F> Drop for Listening<F> {
    fn drop(&mut self) {
        if let Door::Open(task) = &*self.door.lock() {
            task.abort();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves connections until aborted; they end with it.
async fn accept<F: Fake>(listener: TcpListener, host: Arc<Host<F>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let host = Arc::clone(&host);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&host), request));
            let mut server = http1::Builder::new();
            // An error here is a connection that broke, mostly because a fault asked for it.
            let _ = server.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Body = BoxBody<Bytes, io::Error>;

/// An error makes hyper close the connection without an answer: how a reply gets lost.
async fn answer<F: Fake>(
    host: Arc<Host<F>>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Body>, io::Error> {
    let request = read(request).await?;
    match host.call(request).await {
        Reply::Answer(response) => write(&response, Full::from(response.body.clone()).map_err(never).boxed()),
        Reply::Cut(response) => write(&response, half(&response.body)),
        Reply::Dropped | Reply::Refused => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

async fn read(request: http::Request<Incoming>) -> Result<Request, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Ok(Request {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: parts.headers.iter().map(header).collect(),
        body,
        ..Request::default()
    })
}

fn write(response: &Response, body: Body) -> Result<http::Response<Body>, io::Error> {
    let mut builder =
        http::Response::builder().status(response.status).header("content-length", response.body.len());
    if response.headers.iter().all(|(name, _)| *name != "content-type") {
        builder = builder.header("content-type", "application/json");
    }
    for (name, value) in &response.headers {
        builder = builder.header(*name, value);
    }
    builder.body(body).map_err(io::Error::other)
}

/// The first half of a body, then a broken connection.
fn half(body: &[u8]) -> Body {
    let start = Bytes::copy_from_slice(&body[..body.len() / 2]);
    let frames = [Ok(Frame::data(start)), Err(io::ErrorKind::ConnectionReset.into())];
    StreamBody::new(stream::iter(frames)).boxed()
}

fn never(never: Infallible) -> io::Error {
    match never {}
}
