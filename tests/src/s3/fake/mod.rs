//! A fake S3 service: buckets with their parts, as documents that are kept as they came; and [IAM](iam) beside it. Faults, log and
//! sockets as for every fake ([`crate::faults`]).

mod buckets;
pub mod iam;
mod objects;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use concierge_reconciler::aws::{Broken, Transport};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::http;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use self::buckets::Bucket;
use self::iam::Iam;
pub use self::objects::Object;
use crate::faults::{Fake, Host, Listening, Reply, Request, Response};

/// The id of the access key that it takes.
pub const KEY: &str = "AKIAFAKEFAKEFAKEFAKE";
/// The operation of a probe, which asks for nothing and is signed by nobody.
pub const PROBE: &str = "HEAD /";
/// The account that the key belongs to.
pub const ACCOUNT: &str = "210987654321";

/// The service. Clones are the same.
#[derive(Clone)]
pub struct Store(Arc<Host<State>>);

/// The service on a port of 127.0.0.1. Dropping it closes the port.
pub struct Served {
    store: Store,
    listening: Listening<State>,
}

/// All that it knows.
#[derive(Default)]
pub struct State {
    /// The buckets by their names.
    pub buckets: BTreeMap<String, Bucket>,
    /// Users and policies.
    pub iam: Iam,
    /// Operations that are not allowed.
    pub denied: BTreeSet<&'static str>,
    /// Parts of buckets, and operations of IAM and STS, that it says it does not have.
    pub lacking: BTreeSet<&'static str>,
    /// Parts of which it knows so little that it takes their calls for calls about the bucket, as radosgw does.
    pub mistaken: BTreeSet<&'static str>,
    /// Names of buckets that somebody else has.
    pub taken: BTreeSet<&'static str>,
    /// Parts that it shows with success and without a document.
    pub empty: BTreeSet<&'static str>,
    /// Parts of which it says that they are deleted, and that stay.
    pub staying: BTreeSet<&'static str>,
    /// How long policies of buckets can't name a new user yet.
    pub unnamed: SignedDuration,
    /// Whether the key is not taken any more.
    pub withdrawn: bool,
    /// The session token that was sent last.
    pub session: Option<String>,
    /// The account that the key belongs to, when it is not [`ACCOUNT`].
    pub account: Option<&'static str>,
    /// How many connections did not come about.
    pub refused: usize,
}

impl Store {
    /// A service without buckets, whose clock begins at `epoch`.
    pub fn at(epoch: Timestamp) -> Self {
        Self(Host::new(State::default(), epoch, 7))
    }

    /// One on a free port.
    pub async fn start() -> io::Result<Served> {
        let store = Self::at(Timestamp::now());
        let listening = Listening::start(Arc::clone(&store.0)).await?;
        Ok(Served { store, listening })
    }

    /// A transport that calls it directly. Works on tokio's paused clock.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Direct(self.clone()))
    }

    /// Looks into it or changes it, behind its callers' backs.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        self.0.with(look)
    }

    /// A part of a bucket; empty when there is none.
    pub fn part(&self, bucket: &str, word: &str) -> String {
        self.with(|state| {
            state.buckets.get(bucket).and_then(|bucket| bucket.parts.get(word)).cloned().unwrap_or_default()
        })
    }

    /// The keys of a user; none of one that is not there.
    pub fn keys(&self, user: &str) -> Vec<iam::Key> {
        self.with(|state| state.iam.keys(user))
    }

    pub fn has(&self, bucket: &str) -> bool {
        self.with(|state| state.buckets.contains_key(bucket))
    }

    /// The operations that were asked for from the `from`th on, probes aside.
    pub fn asked_from(&self, from: usize) -> Vec<&'static str> {
        let log = self.0.log();
        log.iter().map(|logged| logged.operation).filter(|one| *one != PROBE).skip(from).collect()
    }

    /// How many calls came, probes aside.
    pub fn calls(&self) -> usize {
        self.asked_from(0).len()
    }
}

impl Deref for Store {
    type Target = Arc<Host<State>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Deref for Served {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Served {
    /// Such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.listening.url()
    }
}

struct Direct(Store);

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Direct")
    }
}

impl Transport for Direct {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> BoxFuture<'_, Result<http::Response<Vec<u8>>, Broken>> {
        async move {
            match self.0.call(as_received(request)).await {
                Reply::Answer(response) => Ok(answer(response)),
                Reply::Cut(_) | Reply::Dropped => Err(Broken::Lost("the connection was reset".to_owned())),
                Reply::Refused => {
                    self.0.with(|state| state.refused += 1);
                    Err(Broken::NeverSent("no connection: refused".to_owned()))
                }
            }
        }
        .boxed()
    }
}

fn as_received(request: http::Request<Vec<u8>>) -> Request {
    let (parts, body) = request.into_parts();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Request {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: parts.headers.iter().map(header).collect(),
        body,
        ..Request::default()
    }
}

fn answer(response: Response) -> http::Response<Vec<u8>> {
    let mut answer = http::Response::new(response.body);
    *answer.status_mut() = http::StatusCode::from_u16(response.status).unwrap_or_default();
    for (name, value) in response.headers {
        if let Ok(value) = value.parse() {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// What a request is about.
enum About<'a> {
    Identity,
    Iam(&'static str),
    Buckets(buckets::About<'a>),
}

fn about(request: &Request) -> About<'_> {
    match (buckets::about(request), request.method.as_str()) {
        (buckets::About::Service, "POST") => iam::action_of(request).map_or(About::Identity, About::Iam),
        (about, _) => About::Buckets(about),
    }
}

impl Fake for State {
    fn operation(&self, request: &Request) -> &'static str {
        match about(request) {
            About::Identity => "GetCallerIdentity",
            About::Iam(action) => action,
            About::Buckets(about) => about.operation(request),
        }
    }

    fn caller(&self, request: &Request) -> String {
        key_id(request).unwrap_or("nobody").to_owned()
    }

    fn handle(&mut self, request: &Request, at: Timestamp) -> Response {
        self.session = request.headers.get("x-amz-security-token").cloned();
        let key = key_id(request).unwrap_or_default();
        let (own, operation) = (key == KEY && !self.withdrawn, self.operation(request));
        if !own && !self.iam.takes(key, at) {
            return self.error(401, request);
        }
        match about(request) {
            About::Iam(_) | About::Identity if self.lacking.contains(operation) => iam::lacking(operation),
            // What a user may do is not decided here; nobody's user may do this.
            About::Iam(_) if !own || self.denied.contains(operation) => {
                iam::failed(403, "AccessDenied", "User is not authorized to perform this operation")
            }
            _ if self.denied.contains(operation) => failed(403, "AccessDenied", "Access Denied"),
            About::Iam(_) => self.iam.handle(request, at),
            About::Identity => identity(&self.iam.arn_of(key), self.account.unwrap_or(ACCOUNT)),
            About::Buckets(about) => self.about_buckets(request, about, at),
        }
    }

    fn error(&self, status: u16, request: &Request) -> Response {
        let unknown = "The access key or security token included in the request is invalid";
        match (about(request), status) {
            (About::Buckets(_), 401) if key_id(request).is_none() => {
                failed(403, "AccessDenied", "Access Denied")
            }
            (About::Buckets(_), 401) => failed(403, "InvalidAccessKeyId", unknown),
            (About::Buckets(_), _) => failed(status, "InternalError", "It went wrong."),
            (_, 401) => iam::failed(403, "InvalidClientTokenId", unknown),
            (_, 429) => iam::failed(400, "Throttling", "Rate exceeded"),
            _ => iam::failed(status, "ServiceFailure", "It went wrong."),
        }
    }

    fn redact(&self, _: &str, _: &mut Value) {}
}

fn key_id(request: &Request) -> Option<&str> {
    let credential = request.headers.get("authorization")?.split_once("Credential=")?.1;
    credential.split('/').next()
}

fn identity(arn: &str, account: &str) -> Response {
    let arn = arn.replace(ACCOUNT, account);
    iam::answered("GetCallerIdentity", &format!("<Arn>{arn}</Arn><Account>{account}</Account>"))
}

fn document(status: u16, text: &str) -> Response {
    Response { status, headers: Vec::new(), body: text.as_bytes().to_vec() }
}

fn failed(status: u16, code: &str, message: &str) -> Response {
    document(status, &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

fn no_bucket() -> Response {
    failed(404, "NoSuchBucket", "The specified bucket does not exist")
}
