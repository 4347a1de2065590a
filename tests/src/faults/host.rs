//! Where a fake lives: its clock, its log, and the faults on the way in and out.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Fault, Faults, Hidden};

/// A remote service's logic without any I/O: equal requests in equal states give equal answers.
pub trait Fake: Send + 'static {
    /// The operation a request asks for, such as `GET /order/{id}`.
    fn operation(&self, request: &Request) -> &'static str;
    /// Who asks, for the log: a name that is no secret.
    fn caller(&self, request: &Request) -> String;
    /// Does it.
    fn handle(&mut self, request: &Request, at: Timestamp) -> Response;
    /// The service's own words for an error status.
    fn error(&self, status: u16, request: &Request) -> Response;
    /// Takes the secrets out of a body before it is logged.
    fn redact(&self, operation: &str, body: &mut Value);
}

/// One request, as the fake sees it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its number, counted from 1; set by the host.
    pub number: u64,
    /// `GET` and so on.
    pub method: String,
    /// The path with its query, such as `/order/ord_1`.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// Whether what it makes stays unseen at first; set by the host.
    pub hidden: Option<Hidden>,
}

impl Request {
    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The query, empty if there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The bearer token, if one was sent.
    pub fn bearer(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers; what is no JSON says so in its content type.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or the words of a gateway.
    pub body: Vec<u8>,
}

impl Response {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes() }
    }
}

/// What the caller gets.
#[derive(Debug)]
pub enum Reply {
    Answer(Response),
    /// An answer that breaks off in the middle.
    Cut(Response),
    /// The connection ends without one.
    Dropped,
    /// There was no connection.
    Refused,
}

/// One line of the request log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The request's number, counted from 1.
    pub number: u64,
    /// When it came.
    pub at: Timestamp,
    /// Who sent it.
    pub caller: String,
    /// What it asked for.
    pub operation: &'static str,
    /// `GET` and so on.
    pub method: String,
    /// The path with its query.
    pub target: String,
    /// The JSON body, secrets marked.
    pub body: Option<Value>,
    /// The fake's own status once it has handled the request, whatever the caller was told.
    pub handled: Option<u16>,
}

/// A fake with its clock, its faults and its log.
pub struct Host<F> {
    fake: Mutex<F>,
    faults: Faults,
    log: Mutex<Vec<Logged>>,
    epoch: Timestamp,
    start: Instant,
}

impl<F: Fake> Host<F> {
    /// A home for `fake`. Its clock starts at `epoch` and runs with tokio's, paused or not.
    pub fn new(fake: F, epoch: Timestamp, seed: u64) -> Arc<Self> {
        let (faults, log) = (Faults::seeded(seed), Mutex::default());
        Arc::new(Self { fake: Mutex::new(fake), faults, log, epoch, start: Instant::now() })
    }

    /// The rules by which requests go wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The fake's present time.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.start.elapsed()).unwrap_or(SignedDuration::ZERO);
        self.epoch.saturating_add(elapsed).unwrap_or(self.epoch)
    }

    /// Looks into the fake or changes it, behind its callers' backs.
    pub fn with<T>(&self, look: impl FnOnce(&mut F) -> T) -> T {
        look(&mut self.fake.lock())
    }

    /// Every request that came, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        self.log.lock().clone()
    }

    /// How many requests of an operation came.
    pub fn count(&self, operation: &str) -> usize {
        self.log.lock().iter().filter(|logged| logged.operation == operation).count()
    }

    /// One request from end to end. It is finished even if the caller stops waiting.
    pub async fn call(self: &Arc<Self>, request: Request) -> Reply {
        let host = Arc::clone(self);
        match tokio::spawn(async move { host.pass(request).await }).await {
            Ok(reply) => reply,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => Reply::Dropped,
        }
    }

    async fn pass(&self, mut request: Request) -> Reply {
        let operation = self.fake.lock().operation(&request);
        let faults = self.faults.draw(operation);
        if faults.iter().any(|fault| matches!(fault, Fault::Refuse)) {
            return Reply::Refused;
        }
        request.number = self.enter(operation, &request);
        for fault in &faults {
            match fault {
                Fault::SlowBefore(pause) => pause.over().await,
                Fault::Hide(hidden) => request.hidden = Some(*hidden),
                _ => {}
            }
        }
        if let Some(reply) = faults.iter().find_map(|fault| self.instead(fault, &request)) {
            return reply;
        }
        let response = self.fake.lock().handle(&request, self.now());
        self.leave(request.number, response.status);
        for fault in &faults {
            if let Fault::SlowAfter(pause) = fault {
                pause.over().await;
            }
        }
        match faults.iter().find_map(|fault| self.spoilt(fault, &request, &response)) {
            Some(reply) => reply,
            None => Reply::Answer(response),
        }
    }

    fn enter(&self, operation: &'static str, request: &Request) -> u64 {
        let fake = self.fake.lock();
        let mut body = serde_json::from_slice(&request.body).ok();
        if let Some(body) = &mut body {
            fake.redact(operation, body);
        }
        let mut log = self.log.lock();
        let number = log.len() as u64 + 1;
        let (method, target) = (request.method.clone(), request.target.clone());
        let (at, caller) = (self.now(), fake.caller(request));
        log.push(Logged { number, at, caller, operation, method, target, body, handled: None });
        number
    }

    fn leave(&self, number: u64, status: u16) {
        let mut log = self.log.lock();
        let place = usize::try_from(number).unwrap_or_default().wrapping_sub(1);
        if let Some(logged) = log.get_mut(place) {
            logged.handled = Some(status);
        }
    }

    /// What comes back when a fault keeps the fake from handling a request.
    fn instead(&self, fault: &Fault, request: &Request) -> Option<Reply> {
        match fault {
            Fault::Page(status) => Some(Reply::Answer(page(*status, request))),
            Fault::Echo(status) => Some(Reply::Answer(echo(*status, request))),
            Fault::DropBefore => Some(Reply::Dropped),
            Fault::StatusBefore(status) => Some(Reply::Answer(self.status(*status, request))),
            Fault::Unauthorized => Some(Reply::Answer(self.status(401, request))),
            Fault::Throttle(wait) => {
                let mut response = self.status(429, request);
                response.headers.extend(wait.map(|wait| ("retry-after", wait.to_string())));
                Some(Reply::Answer(response))
            }
            _ => None,
        }
    }

    /// What comes back when a fault spoils the answer to a handled request.
    fn spoilt(&self, fault: &Fault, request: &Request, response: &Response) -> Option<Reply> {
        match fault {
            Fault::DropAfter => Some(Reply::Dropped),
            Fault::StatusAfter(status) => Some(Reply::Answer(self.status(*status, request))),
            Fault::Garbage => {
                Some(Reply::Answer(Response { body: b"{\"data\": <".to_vec(), ..response.clone() }))
            }
            Fault::Cut => Some(Reply::Cut(response.clone())),
            _ => None,
        }
    }

    /// An error answer: 502 to 504 come from a gateway, the rest from the service.
    fn status(&self, status: u16, request: &Request) -> Response {
        match status {
            502..=504 => {
                Response { status, headers: Vec::new(), body: b"<html>upstream error</html>".to_vec() }
            }
            _ => self.fake.lock().error(status, request),
        }
    }
}

/// What an ingress shows when the service behind it is not there.
fn page(status: u16, request: &Request) -> Response {
    let body: &[u8] = if request.method == "HEAD" { b"" } else { b"<html>no service here</html>" };
    Response { status, headers: Vec::new(), body: body.to_vec() }
}

/// An answer in the form of an error, each of its words being all that was sent.
fn echo(status: u16, request: &Request) -> Response {
    let body = String::from_utf8_lossy(&request.body);
    let heard = format!("{} {} {:?} {body}", request.method, request.target, request.headers);
    Response::json(status, &json!({"type": heard, "code": heard, "message": heard, "param": heard}))
}
