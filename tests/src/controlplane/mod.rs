//! A real Kubernetes control plane on loopback: etcd, one or more API servers and the controller manager.
//!
//! Every control plane has ports, keys and a folder of its own, so tests run in parallel. Nothing of it
//! outlives the test process: see [`crate::process`].

mod build;
mod keys;
mod ports;
mod start;
mod tools;
mod user;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

pub use self::build::{ensure, ensure_all, ensure_tool};
use self::keys::{Authority, Identity};
pub use self::ports::free_ports;
use self::user::Credential;
pub use self::user::User;
use crate::kubectl::{Kubectl, Output, Tool};
use crate::process::{Process, Signal};

/// How long the tokens of service accounts last: longer than any test.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// A running control plane. Dropping it kills its programs and removes its folder.
pub struct ControlPlane {
    // Fields are dropped in this order: whoever writes goes before what it writes to.
    controller_manager: OnceCell<Process>,
    apiservers: Vec<Apiserver>,
    etcd: Process,
    authority: Authority,
    server: Identity,
    tokens: Identity,
    urls: Vec<String>,
    etcd_url: String,
    admin: User,
    helm: OnceCell<Tool>,
    dir: TempDir,
}

/// An API server, and how it was started.
struct Apiserver {
    process: Mutex<Process>,
    program: PathBuf,
    args: Vec<String>,
}

/// What a control plane is to be like.
#[derive(Clone, Debug)]
pub struct Builder {
    apiservers: usize,
    apiserver_args: Vec<String>,
}

impl Builder {
    /// This many API servers on the same etcd, for tests of races between them.
    pub fn apiservers(mut self, count: usize) -> Builder {
        self.apiservers = count.max(1);
        self
    }

    /// One more flag for every API server, as `--name=value`.
    pub fn apiserver_arg(mut self, flag: impl Into<String>) -> Builder {
        self.apiserver_args.push(flag.into());
        self
    }
}

impl ControlPlane {
    /// Starts a control plane with one API server.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start() -> Result<ControlPlane> {
        ControlPlane::builder().start().await
    }

    /// Starts `count` API servers on the same etcd.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start_with_apiservers(count: usize) -> Result<ControlPlane> {
        ControlPlane::builder().apiservers(count).start().await
    }

    /// One API server with default flags, to change before [`Builder::start`].
    pub fn builder() -> Builder {
        Builder { apiservers: 1, apiserver_args: Vec::new() }
    }

    /// The administrator: in `system:masters`, which no rule of RBAC and no limit of priority and fairness
    /// applies to.
    pub fn admin(&self) -> &User {
        &self.admin
    }

    pub fn kubeconfig(&self) -> &Path {
        self.admin.kubeconfig()
    }

    /// The address of the first API server.
    pub fn url(&self) -> &str {
        &self.urls[0]
    }

    /// The address of every API server.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The folder of keys, kubeconfigs, logs and data; it goes with the control plane.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A new client as the administrator, for the calling runtime.
    ///
    /// # Errors
    /// As [`User::client`].
    pub async fn client(&self) -> Result<Client> {
        self.admin.client().await
    }

    /// `kubectl` as the administrator.
    pub fn kubectl(&self) -> Kubectl {
        self.admin.kubectl()
    }

    /// Runs `helm ARGS` as the administrator.
    ///
    /// # Errors
    /// When there is no helm; a command that fails says so in [`Output::status`].
    pub async fn helm(&self, args: &[&str]) -> Result<Output> {
        let helm = self.helm.get_or_try_init(|| start::helm(self.dir(), self.kubeconfig())).await?;
        helm.run(args, "").await
    }

    /// An ordinary user with a client certificate: `name` in `groups`, of which there can be two. It may do
    /// nothing until a role binding says so. A second call with the same name replaces the first one's files.
    ///
    /// # Errors
    /// When there are too many groups or a file can't be written.
    pub fn user(&self, name: &str, groups: &[&str]) -> Result<User> {
        let file = file_name(&["user", name]);
        let identity = self.authority.client(&file, name, groups)?;
        self.write_user(&file, &Credential::Certificate(&identity))
    }

    /// The service account `name` of namespace `namespace`, which must exist, with a token of a day: whoever
    /// runs as it has exactly the rights that its role bindings give.
    ///
    /// # Errors
    /// When there is no such service account.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<User> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let spec =
            TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let answer = answer.with_context(|| format!("no token for {namespace}/{name}"))?;
        let token = answer.status.context("the API server gave no token")?.token;
        self.write_user(&file_name(&["service-account", namespace, name]), &Credential::Token(&token))
    }

    /// The kubeconfig of [`ControlPlane::service_account`].
    ///
    /// # Errors
    /// When there is no such service account.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        Ok(self.service_account(namespace, name).await?.kubeconfig)
    }

    /// Sends a signal to the API server number `server`.
    ///
    /// # Errors
    /// When it does not arrive.
    pub async fn signal_apiserver(&self, server: usize, signal: Signal) -> Result<()> {
        self.apiservers[server].process.lock().await.signal(signal)
    }

    /// Starts the API server number `server` anew, with the same address, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart_apiserver(&self, server: usize) -> Result<()> {
        self.restart(server).await
    }

    /// Where the database listens, for tests that store more objects than the API server would take in reasonable time.
    pub fn etcd_url(&self) -> &str {
        &self.etcd_url
    }

    /// The database.
    pub fn etcd(&self) -> &Process {
        &self.etcd
    }

    fn write_user(&self, file: &str, credential: &Credential<'_>) -> Result<User> {
        let kubeconfig = start::kubeconfig_path(self.dir(), file);
        user::write_kubeconfig(&kubeconfig, &self.urls, &self.authority.cert(), credential)?;
        let kubectl = self.kubectl().with_kubeconfig(&kubeconfig);
        Ok(User { kubeconfig, kubectl })
    }
}

/// A file name that no other list of `parts` has, whatever characters users' names have.
fn file_name(parts: &[&str]) -> String {
    let plain =
        |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:x}_", u32::from(c)) };
    let part = |part: &&str| part.chars().map(plain).collect::<String>();
    parts.iter().map(part).collect::<Vec<_>>().join("-")
}

/// Writes to standard error itself: the test harness would hold back what `eprint!` writes.
fn say(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
