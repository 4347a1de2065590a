//! Git over HTTP on loopback: `git http-backend` behind a server that hands it requests.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Serves repositories until it is dropped.
pub struct GitServer {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    dir: TempDir,
    /// What readers have to show, if anything.
    token: Option<String>,
    /// How many requests there were.
    requests: Mutex<usize>,
}

impl GitServer {
    /// A server that everybody may read from, with its repositories below `dir`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(dir: &Path) -> Result<GitServer> {
        GitServer::serve(dir, None).await
    }

    /// A server for those who have `token`, as the password of `x-access-token`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start_closed(dir: &Path, token: &str) -> Result<GitServer> {
        GitServer::serve(dir, Some(token.to_owned())).await
    }

    async fn serve(dir: &Path, token: Option<String>) -> Result<GitServer> {
        let shared = Arc::new(Shared { dir: tempfile::tempdir_in(dir)?, token, requests: Mutex::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(GitServer { address, shared, task })
    }

    /// The address of the repository `name`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}.git", self.address)
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        *self.shared.requests.lock()
    }

    /// Makes `files` all that is in the branch main of the repository `name`; returns the commit.
    ///
    /// # Errors
    /// When git can't.
    pub async fn commit(&self, name: &str, files: &[(&str, &str)]) -> Result<String> {
        let (bare, work) = (self.shared.dir.path().join(format!("{name}.git")), tempfile::tempdir()?);
        for (path, text) in files {
            let path = work.path().join(path);
            std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            std::fs::write(&path, text)?;
        }
        if !bare.exists() {
            git(&bare, work.path(), &["init", "-q", "--bare", "-b", "main"]).await?;
        }
        git(&bare, work.path(), &["add", "--all", "."]).await?;
        let who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"];
        let commit = ["commit", "-q", "--allow-empty", "-m", "Change"];
        git(&bare, work.path(), &[&who[..], &commit[..]].concat()).await?;
        git(&bare, work.path(), &["rev-parse", "HEAD"]).await
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn git(bare: &Path, work: &Path, args: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    git.env("GIT_DIR", bare).env("GIT_WORK_TREE", work).env("GIT_CONFIG_NOSYSTEM", "1");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(work).args(args);
    if args.contains(&"--bare") {
        // It would be taken for a contradiction.
        git.env_remove("GIT_WORK_TREE");
    }
    let output = git.output().await.context("can't run git")?;
    ensure!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    *shared.requests.lock() += 1;
    if !shared.lets_in(&headers) {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let answer = backend(shared.dir.path().to_owned(), &method, &uri, &headers, &body).await;
    answer.unwrap_or_else(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response())
}

impl Shared {
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let login = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
        headers
            .get(header::AUTHORIZATION)
            .is_some_and(|given| given.as_bytes() == format!("Basic {login}").as_bytes())
    }
}

/// One request as CGI has it.
async fn backend(
    root: PathBuf,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response> {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", text("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
        .env("GIT_PROTOCOL", text("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("can't run git")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let feed = async move {
        // Who does not read it closes it: no error of ours.
        let _ = stdin.write_all(body).await;
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    response(&output?.stdout)
}

/// What a CGI program wrote: headers, an empty line, the body.
fn response(output: &[u8]) -> Result<Response> {
    let Some(end) = output.windows(4).position(|four| four == b"\r\n\r\n") else {
        bail!("git http-backend answered nothing");
    };
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end])?.lines() {
        let (name, value) = line.split_once(": ").context("a header has a value")?;
        response = match name {
            "Status" => response.status(value.split(' ').next().unwrap_or_default()),
            _ => response.header(name, value),
        };
    }
    Ok(response.body(Body::from(output[end + 4..].to_vec()))?)
}
