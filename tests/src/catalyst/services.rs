//! Fakes of what environments come from: a git server, a registry that gives tokens, and the web application; in one, each below a host of its
//! own. Faults, log and sockets as for every fake ([`crate::faults`]); without sockets they are a [`Transport`], also on paused time.

use std::{collections::BTreeMap, io, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use concierge_reconciler::catalyst::remote::transport::{Answer, Reach, Request as Sent, Transport};
use concierge_reconciler::engine::Failure;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::faults::{Fake, Faults, Host, Listening, Logged, Reply, Request, Response};

/// The operations, as the log has them.
pub const REFS: &str = "GET info/refs";
pub const SECRETS: &str = "GET secrets";
pub const GIT_TOKEN: &str = "GET git-token";
pub const MANIFEST: &str = "HEAD manifest";
pub const TOKEN: &str = "GET token";

/// What the fakes know.
#[derive(Default)]
pub struct State {
    /// The commits of branches, by the path of the repository and the branch.
    branches: BTreeMap<(String, String), String>,
    /// The token without which a repository is closed.
    git_token: Option<String>,
    /// The registry's user and password, without which nobody gets a token.
    user: Option<(String, String)>,
    /// Where tokens are given; no token is asked for when absent.
    realm: Option<String>,
    images: Vec<String>,
    /// The secrets of environments, by their ids.
    secrets: BTreeMap<String, Value>,
    /// The tokens of installations.
    installations: BTreeMap<String, String>,
    /// The token of whoever may ask the web application.
    caller: String,
}

/// The fakes. Clones are the same.
#[derive(Clone)]
pub struct Services {
    host: Arc<Host<State>>,
    /// Where connections do not come about now.
    down: Arc<Mutex<Vec<String>>>,
}

/// The fakes on a port of 127.0.0.1.
pub struct Served {
    services: Services,
    listening: Listening<State>,
}

impl Default for Services {
    fn default() -> Self {
        Self { host: Host::new(State::default(), Timestamp::now(), 0), down: Arc::default() }
    }
}

impl Services {
    /// The same on a free port.
    pub async fn start() -> io::Result<Served> {
        let services = Self::default();
        let listening = Listening::start(Arc::clone(&services.host)).await?;
        Ok(Served { services, listening })
    }

    /// A branch of the repository at `path` is at `commit` from now on.
    pub fn push(&self, path: &str, branch: &str, commit: &str) {
        self.host.with(|state| state.branches.insert((path.into(), branch.into()), commit.into()));
    }

    /// From now on repositories are closed to who comes without this token.
    pub fn close_repositories(&self, token: &str) {
        self.host.with(|state| state.git_token = Some(token.into()));
    }

    /// The web application knows the token of an installation from now on.
    pub fn install(&self, installation: &str, token: &str) {
        self.host.with(|state| state.installations.insert(installation.into(), token.into()));
    }

    /// From now on the registry asks for a token, which is given at `realm`, to this user if there is one.
    pub fn ask_for_token(&self, realm: &str, user: Option<(&str, &str)>) {
        self.host.with(|state| {
            state.realm = Some(realm.into());
            state.user = user.map(|(user, password)| (user.into(), password.into()));
        });
    }

    /// An image is in the registry from now on.
    pub fn push_image(&self, name: &str, tag: &str) {
        self.host.with(|state| state.images.push(format!("{name}:{tag}")));
    }

    /// The web application has these secrets for an environment, and gives them to who has the token `caller`.
    pub fn keep_secrets(&self, caller: &str, id: &str, secrets: Value) {
        self.host.with(|state| {
            state.caller = caller.into();
            state.secrets.insert(id.into(), secrets);
        });
    }

    /// From now on, no connection to this host comes about; by direct call only.
    pub fn take_down(&self, host: &str) {
        self.down.lock().push(host.to_owned());
    }

    /// All connections come about again.
    pub fn bring_up(&self) {
        self.down.lock().clear();
    }

    /// The rules by which requests go wrong.
    pub fn faults(&self) -> &Faults {
        self.host.faults()
    }

    /// Every request that came.
    pub fn log(&self) -> Vec<Logged> {
        self.host.log()
    }

    /// How many requests of an operation came.
    pub fn count(&self, operation: &str) -> usize {
        self.host.count(operation)
    }
}

impl Served {
    /// Such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.listening.url()
    }
}

impl std::ops::Deref for Served {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}

impl Fake for State {
    fn operation(&self, request: &Request) -> &'static str {
        let path = request.path();
        match request.method.as_str() {
            "GET" if path.ends_with("/info/refs") => REFS,
            "GET" if path.starts_with("/api/internal/secrets/") => SECRETS,
            "GET" if path.starts_with("/api/git-token/") => GIT_TOKEN,
            "GET" if path == "/token" => TOKEN,
            "HEAD" if path.starts_with("/v2/") => MANIFEST,
            _ => "unknown",
        }
    }

    fn caller(&self, request: &Request) -> String {
        let authorised = request.headers.contains_key("authorization");
        if authorised { "with credentials" } else { "nobody" }.to_owned()
    }

    fn handle(&mut self, request: &Request, _: Timestamp) -> Response {
        let last = request.path().rsplit('/').next().unwrap_or_default().to_owned();
        match self.operation(request) {
            REFS => self.refs(request),
            SECRETS | GIT_TOKEN if request.bearer() != Some(&self.caller) => self.error(401, request),
            SECRETS => match self.secrets.get(&last) {
                Some(secrets) => Response::json(200, &json!({ "secrets": secrets })),
                None => self.error(404, request),
            },
            GIT_TOKEN => match self.installations.get(&last) {
                Some(token) => Response { body: token.clone().into_bytes(), ..text("text/plain") },
                None => self.error(403, request),
            },
            TOKEN => self.token(request),
            MANIFEST => self.manifest(request),
            _ => self.error(404, request),
        }
    }

    fn error(&self, status: u16, _: &Request) -> Response {
        Response::json(status, &json!({ "error": status }))
    }

    fn redact(&self, _: &str, _: &mut Value) {}
}

fn text(content: &str) -> Response {
    Response { status: 200, headers: vec![("content-type", content.to_owned())], body: Vec::new() }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

impl State {
    /// The list of branches, in the protocol's first version.
    fn refs(&self, request: &Request) -> Response {
        let header = request.headers.get("authorization");
        if self.git_token.as_ref().is_some_and(|token| header != Some(&basic("x-access-token", token))) {
            return self.error(401, request);
        }
        let path = request.path().trim_end_matches("/info/refs").trim_matches('/');
        let branches = self.branches.iter().filter(|((repository, _), _)| repository == path);
        let lines: Vec<_> =
            branches.map(|((_, branch), commit)| format!("{commit} refs/heads/{branch}\0caps\n")).collect();
        if lines.is_empty() {
            return self.error(404, request);
        }
        let pkt = |line: &String| format!("{:04x}{line}", line.len() + 4);
        let list: String = lines.iter().map(pkt).collect();
        let body = format!("001e# service=git-upload-pack\n0000{list}0000").into_bytes();
        Response { body, ..text("application/x-git-upload-pack-advertisement") }
    }

    fn manifest(&self, request: &Request) -> Response {
        if let Some(realm) = self.realm.as_ref().filter(|_| request.bearer() != Some("registry-token")) {
            let challenge = format!("Bearer realm=\"{realm}\",service=\"fake\"");
            let headers = vec![("www-authenticate", challenge)];
            return Response { headers, ..self.error(401, request) };
        }
        let wanted = request.path().trim_start_matches("/v2/").replace("/manifests/", ":");
        let status = if self.images.contains(&wanted) { 200 } else { 404 };
        Response { status, ..text("application/vnd.oci.image.manifest.v1+json") }
    }

    fn token(&self, request: &Request) -> Response {
        let expect = self.user.as_ref().map(|(user, password)| basic(user, password));
        match expect.is_some() && request.headers.get("authorization") != expect.as_ref() {
            true => self.error(401, request),
            false => Response::json(200, &json!({ "token": "registry-token" })),
        }
    }
}

impl Transport for Services {
    fn send(&self, _: Reach, sent: Sent) -> BoxFuture<'_, Result<Answer, Failure>> {
        let header = |(name, value): (&hyper::http::HeaderName, &hyper::http::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let query = sent.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let request = Request {
            method: sent.method.to_string(),
            target: format!("{}{query}", sent.url.path()),
            headers: sent.headers.iter().map(header).collect(),
            ..Request::default()
        };
        let host = sent.url.host_str().unwrap_or_default().to_owned();
        async move {
            if self.down.lock().contains(&host) {
                return Err(Failure::NeverSent("no connection: connection refused".into()));
            }
            match self.host.call(request).await {
                Reply::Answer(response) => Ok(answer(response, false)),
                Reply::Cut(response) => Ok(answer(response, true)),
                Reply::Dropped => Err(Failure::Transient("the call broke off: reset".into())),
                Reply::Refused => Err(Failure::NeverSent("no connection: connection refused".into())),
            }
        }
        .boxed()
    }
}

fn answer(response: Response, cut: bool) -> Answer {
    let headers =
        response.headers.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
    let half = if cut { response.body.len() / 2 } else { response.body.len() };
    let parts = [Ok(response.body[..half].to_vec())].into_iter().chain(cut.then(|| Err("reset".to_owned())));
    Answer {
        status: StatusCode::from_u16(response.status).unwrap_or(StatusCode::BAD_GATEWAY),
        headers: headers.collect(),
        body: stream::iter(parts.collect::<Vec<_>>()).boxed(),
    }
}
