//! A fake S3 service: buckets with their parts, as documents that are kept as they came. Faults, log and sockets as for every fake
//! ([`crate::faults`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use concierge_reconciler::aws::{Broken, Transport};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::http;
use jiff::Timestamp;
use serde_json::Value;

use crate::faults::{Fake, Host, Listening, Reply, Request, Response};

/// The id of the access key that it takes.
pub const KEY: &str = "AKIAFAKEFAKEFAKEFAKE";
/// The account that the key belongs to.
pub const ACCOUNT: &str = "210987654321";

/// A part of a bucket: the word in the query, its operations, and how the service says that there is none.
struct Part {
    word: &'static str,
    operations: [&'static str; 3],
    missing: &'static str,
}

const fn part(word: &'static str, operations: [&'static str; 3], missing: &'static str) -> Part {
    Part { word, operations, missing }
}

const PARTS: &[Part] = &[
    part("tagging", ["GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"], "NoSuchTagSet"),
    part("versioning", ["GetBucketVersioning", "PutBucketVersioning", "DELETE ?versioning"], ""),
    part(
        "encryption",
        ["GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption"],
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
    part(
        "publicAccessBlock",
        ["GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock"],
        "NoSuchPublicAccessBlockConfiguration",
    ),
    part(
        "lifecycle",
        ["GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle"],
        "NoSuchLifecycleConfiguration",
    ),
    part("cors", ["GetBucketCors", "PutBucketCors", "DeleteBucketCors"], "NoSuchCORSConfiguration"),
    part("policy", ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"], "NoSuchBucketPolicy"),
];

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
    /// Operations that are not allowed.
    pub denied: BTreeSet<&'static str>,
    /// Parts that it says it does not have.
    pub lacking: BTreeSet<&'static str>,
    /// Parts of which it knows so little that it takes their calls for calls about the bucket, as radosgw does.
    pub mistaken: BTreeSet<&'static str>,
    /// Whether the key is not taken any more.
    pub withdrawn: bool,
}

/// A bucket.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Its parts by their words.
    pub parts: BTreeMap<&'static str, String>,
    /// Keys and versions.
    pub objects: Vec<(String, String)>,
    /// Keys that are locked.
    pub locked: BTreeSet<String>,
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

    /// Whether the bucket is there.
    pub fn has(&self, bucket: &str) -> bool {
        self.with(|state| state.buckets.contains_key(bucket))
    }

    /// The operations that were asked for from the `from`th on.
    pub fn asked_from(&self, from: usize) -> Vec<&'static str> {
        self.0.log().iter().skip(from).map(|logged| logged.operation).collect()
    }

    /// How many requests came.
    pub fn calls(&self) -> usize {
        self.0.log().len()
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
                Reply::Refused => Err(Broken::NeverSent("no connection: refused".to_owned())),
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
    Service,
    Bucket(&'a str),
    Part(&'a str, &'static Part),
    Versions(&'a str),
    Deletion(&'a str),
    Object(&'a str, &'a str),
}

fn about(request: &Request) -> About<'_> {
    let path = request.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let words = || request.query().split('&').map(|word| word.split('=').next().unwrap_or_default());
    let has = |wanted| words().any(|word| word == wanted);
    match bucket {
        "" => About::Service,
        _ if !key.is_empty() => About::Object(bucket, key),
        _ if has("versions") => About::Versions(bucket),
        _ if has("delete") => About::Deletion(bucket),
        _ => match PARTS.iter().find(|part| has(part.word)) {
            Some(part) => About::Part(bucket, part),
            None => About::Bucket(bucket),
        },
    }
}

impl Fake for State {
    fn operation(&self, request: &Request) -> &'static str {
        match (about(request), request.method.as_str()) {
            (About::Service, "GET") => "ListBuckets",
            (About::Service, _) => "GetCallerIdentity",
            (About::Bucket(_), "HEAD") => "HeadBucket",
            (About::Bucket(_), "PUT") => "CreateBucket",
            (About::Bucket(_), "DELETE") => "DeleteBucket",
            (About::Part(_, part), "GET") => part.operations[0],
            (About::Part(_, part), "PUT") => part.operations[1],
            (About::Part(_, part), _) => part.operations[2],
            (About::Versions(_), _) => "ListObjectVersions",
            (About::Deletion(_), _) => "DeleteObjects",
            (About::Object(..), "PUT") => "PutObject",
            _ => "unknown",
        }
    }

    fn caller(&self, request: &Request) -> String {
        key_id(request).unwrap_or("nobody").to_owned()
    }

    fn handle(&mut self, request: &Request, _: Timestamp) -> Response {
        if key_id(request) != Some(KEY) || self.withdrawn {
            return failed(
                403,
                "InvalidAccessKeyId",
                "The access key Id you provided does not exist in our records.",
            );
        }
        if self.denied.contains(self.operation(request)) {
            return failed(403, "AccessDenied", "Access Denied");
        }
        match about(request) {
            About::Service if request.method == "GET" => self.list(),
            About::Service => caller(),
            About::Bucket(bucket) => self.bucket(request, bucket),
            About::Part(bucket, part) if self.mistaken.contains(part.word) && request.method != "PUT" => {
                self.bucket(request, bucket)
            }
            About::Part(_, part) if self.lacking.contains(part.word) => failed(
                501,
                "NotImplemented",
                "A header or query you provided implies functionality that is not implemented.",
            ),
            About::Part(bucket, part) => self.part(request, bucket, part),
            About::Versions(bucket) => self.versions(bucket),
            About::Deletion(bucket) => self.delete_objects(request, bucket),
            About::Object(bucket, key) => self.put_object(bucket, key),
        }
    }

    fn error(&self, status: u16) -> Response {
        let code = if status == 401 { "InvalidAccessKeyId" } else { "InternalError" };
        failed(status, code, "It went wrong.")
    }

    fn redact(&self, _: &str, _: &mut Value) {}
}

impl State {
    fn list(&self) -> Response {
        let bucket = |name: &String| format!("<Bucket><Name>{name}</Name></Bucket>");
        let buckets: String = self.buckets.keys().map(bucket).collect();
        document(
            200,
            &format!(
                "<ListAllMyBucketsResult><Owner><ID>owner</ID></Owner><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
            ),
        )
    }

    fn bucket(&mut self, request: &Request, name: &str) -> Response {
        match (request.method.as_str(), self.buckets.get(name)) {
            ("PUT", Some(_)) => failed(409, "BucketAlreadyOwnedByYou", "You own it."),
            ("PUT", None) => {
                self.buckets.insert(name.to_owned(), Bucket::default());
                document(200, "")
            }
            ("HEAD", None) => document(404, ""),
            ("HEAD", Some(_)) => document(200, ""),
            (_, None) => no_bucket(),
            ("DELETE", Some(bucket)) if !bucket.objects.is_empty() => {
                failed(409, "BucketNotEmpty", "It has objects.")
            }
            ("DELETE", Some(_)) => {
                self.buckets.remove(name);
                document(204, "")
            }
            _ => document(200, &format!("<ListBucketResult><Name>{name}</Name></ListBucketResult>")),
        }
    }

    fn part(&mut self, request: &Request, name: &str, part: &Part) -> Response {
        let Some(bucket) = self.buckets.get_mut(name) else { return no_bucket() };
        match (request.method.as_str(), bucket.parts.get(part.word)) {
            ("PUT", _) => {
                bucket.parts.insert(part.word, String::from_utf8_lossy(&request.body).into_owned());
                document(200, "")
            }
            ("DELETE", _) => {
                bucket.parts.remove(part.word);
                document(204, "")
            }
            (_, Some(text)) => document(200, text),
            (_, None) if part.missing.is_empty() => document(200, "<VersioningConfiguration/>"),
            (_, None) => failed(404, part.missing, "There is none."),
        }
    }

    /// The first thousand.
    fn versions(&self, name: &str) -> Response {
        let Some(bucket) = self.buckets.get(name) else { return no_bucket() };
        let first: Vec<_> = bucket.objects.iter().take(1000).collect();
        let version = |(key, version): &&(String, String)| {
            format!("<Version><Key>{key}</Key><VersionId>{version}</VersionId></Version>")
        };
        let all: String = first.iter().map(version).collect();
        let more = bucket.objects.len() > first.len();
        let next = first.last().filter(|_| more).map_or_else(String::new, |(key, version)| {
            format!(
                "<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{version}</NextVersionIdMarker>"
            )
        });
        document(
            200,
            &format!("<ListVersionsResult><IsTruncated>{more}</IsTruncated>{next}{all}</ListVersionsResult>"),
        )
    }

    fn delete_objects(&mut self, request: &Request, name: &str) -> Response {
        let Some(bucket) = self.buckets.get_mut(name) else { return no_bucket() };
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let keys: Vec<_> =
            body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).collect();
        let locked: Vec<_> = keys.iter().filter(|key| bucket.locked.contains(**key)).copied().collect();
        let gone: BTreeSet<_> = keys.iter().filter(|key| !bucket.locked.contains(**key)).copied().collect();
        bucket.objects.retain(|(key, _)| !gone.contains(key.as_str()));
        let error = |key: &&str| {
            format!("<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>locked</Message></Error>")
        };
        document(
            200,
            &format!("<DeleteResult>{}</DeleteResult>", locked.iter().map(error).collect::<String>()),
        )
    }

    fn put_object(&mut self, name: &str, key: &str) -> Response {
        let Some(bucket) = self.buckets.get_mut(name) else { return no_bucket() };
        bucket.objects.push((key.to_owned(), "null".to_owned()));
        document(200, "")
    }
}

fn key_id(request: &Request) -> Option<&str> {
    let credential = request.headers.get("authorization")?.split_once("Credential=")?.1;
    credential.split('/').next()
}

fn caller() -> Response {
    document(
        200,
        &format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/concierge</Arn>\
             <Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    )
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
