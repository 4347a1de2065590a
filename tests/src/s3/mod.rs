//! Real S3 services on loopback, each with IAM, in a folder of their own; gone with the value.
//!
//! | service | what it is good for | what it can't do |
//! |---|---|---|
//! | moto | breadth: every call that we make | bucket policies decide nothing; users with keys can be deleted |
//! | versitygw | enforcement: users, keys and bucket policies as AWS has them | no encryption, lifecycle, managed policies |
//! | SeaweedFS | bulk; managed policies that decide | no public access block, ids of users, limit of keys, STS |
//! | radosgw | public access block; calls that it mistakes for others | IAM; it is slow |
//! | [`fake::Store`] | what no service does on request, on paused time | decides nothing |

pub mod fake;
mod radosgw;
mod seaweedfs;
mod sockets;

pub use sockets::Sockets;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use concierge_reconciler::aws::{Clients, Endpoint, Keys, Trust};
use reqwest::Url;
use tempfile::TempDir;

use crate::controlplane;
use crate::process::Process;
use crate::python;

const MOTO: &str = include_str!("moto_requirements.txt");
/// How long a service may take to start.
const START: Duration = Duration::from_secs(30);
/// What an administrator may do.
const EVERYTHING: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

/// A running service.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The keys of one who may do everything: an IAM user where policies are tried, for root is exempt from them.
    pub admin: Keys,
    /// The keys of root, where there is one that policies do not concern.
    pub root: Option<Keys>,
    _processes: Vec<Process>,
    _folder: TempDir,
}

impl Server {
    /// moto, with authentication on.
    ///
    /// # Errors
    /// When it can't be installed or does not start.
    pub async fn moto() -> Result<Server> {
        let python = python().await?;
        let (folder, port) = (TempDir::new()?, controlplane::free_ports(1)?[0]);
        let program = python.with_file_name("moto_server");
        let args = ["-H".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), port.to_string()];
        let log = folder.path().join("moto.log");
        let process = Process::spawn("moto", program, args, [("MOTO_ACCOUNT_ID", "123456789012")], &log)?;
        let url = format!("http://127.0.0.1:{port}");
        answers(&format!("{url}/moto-api/data.json"), &process).await?;
        let endpoint = endpoint(&url, &url)?;
        let admin = make_admin(&endpoint, &keys("AKIAROOTROOTROOTROOT")).await?;
        // As plain text: with a form's content type the body is not read, and authentication stays off.
        let reset = reqwest::Client::new().post(format!("{url}/moto-api/reset-auth"));
        let reset = reset.header("content-type", "text/plain").body("0").send().await?;
        ensure!(reset.status().is_success(), "moto does not turn authentication on: {}", reset.status());
        Ok(Server { endpoint, admin, root: None, _processes: vec![process], _folder: folder })
    }

    /// versitygw: a gateway for objects in a folder, and its IAM service beside it.
    ///
    /// # Errors
    /// When it can't be built or does not start.
    pub async fn versitygw() -> Result<Server> {
        let [program] = controlplane::ensure(["versitygw"]).await?;
        let (folder, ports) = (TempDir::new()?, controlplane::free_ports(2)?);
        let root = keys("AKIAROOTROOTROOTROOT");
        let [iam, objects, versions] = ["iam", "s3", "versions"].map(|name| folder.path().join(name));
        for path in [&iam, &objects, &versions] {
            std::fs::create_dir(path)?;
        }
        let socket = folder.path().join("iam.sock");
        let (iam, socket) = (shown(&iam), shown(&socket));
        let start = |name: &str, port: u16, rest: &[&str]| {
            let address = format!("127.0.0.1:{port}");
            let common = ["--health", "/healthz", "-p", &address, "-a", &root.id, "-s", &root.secret];
            let args = common.iter().chain(rest).map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
            let log = folder.path().join(format!("{name}.log"));
            Process::spawn(name, &program, args, [("AWS_EC2_METADATA_DISABLED", "true")], &log)
        };
        let users = start("versitygw iam", ports[1], &["iam", "--dir", &iam, "--private-ports", &socket])?;
        answers(&format!("http://127.0.0.1:{}/healthz", ports[1]), &users).await?;
        let (objects, versions) = (shown(&objects), shown(&versions));
        let backend =
            ["--iam-standalone-endpoint", &socket, "posix", "--versioning-dir", &versions, &objects];
        let gateway = start("versitygw", ports[0], &backend)?;
        answers(&format!("http://127.0.0.1:{}/healthz", ports[0]), &gateway).await?;
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let endpoint = endpoint(&url(ports[0]), &url(ports[1]))?;
        let admin = make_admin(&endpoint, &root).await?;
        Ok(Server { endpoint, admin, root: Some(root), _processes: vec![gateway, users], _folder: folder })
    }

    /// Clients that sign with `keys`.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn clients(&self, keys: &Keys) -> Result<Clients> {
        Ok(Clients::new(&self.endpoint, keys)?)
    }
}

/// The Python that moto runs on. It has boto3 too.
///
/// # Errors
/// When it can't be installed.
pub async fn python() -> Result<PathBuf> {
    python::ensure("moto", MOTO).await
}

/// An endpoint on this machine.
///
/// # Errors
/// When an address is none.
pub fn endpoint(s3: &str, iam: &str) -> Result<Endpoint> {
    Ok(Endpoint {
        s3: Url::parse(s3)?,
        iam: Some(Url::parse(iam)?),
        iam_region: "us-east-1".to_owned(),
        sts: Some(Url::parse(iam)?),
        region: "us-east-1".to_owned(),
        path_style: true,
        trust: Trust::System,
        connect: Duration::from_secs(2),
        // A late answer is no wrong one.
        attempt: crate::PATIENCE,
    })
}

/// Keys with a secret that nobody else has.
fn keys(id: &str) -> Keys {
    let secret = std::iter::repeat_with(fastrand::alphanumeric).take(40).collect();
    Keys { id: id.to_owned(), secret, session: None }
}

async fn make_admin(endpoint: &Endpoint, root: &Keys) -> Result<Keys> {
    let iam = Clients::new(endpoint, root)?.iam.context("no IAM")?;
    iam.create_user().user_name("concierge").send().await?;
    let policy = iam.put_user_policy().user_name("concierge").policy_name("everything");
    policy.policy_document(EVERYTHING).send().await?;
    let made = iam.create_access_key().user_name("concierge").send().await?;
    let key = made.access_key.context("no key")?;
    Ok(Keys { id: key.access_key_id, secret: key.secret_access_key, session: None })
}

/// Waits until something answers at `url`.
async fn answers(url: &str, process: &Process) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let end = Instant::now() + START;
    while client.get(url).send().await.is_err() {
        if process.exited().is_some() || Instant::now() > end {
            bail!("{} does not start:\n{}", process.name(), process.log_tail(20));
        }
        // A port that is not open yet tells nobody when it will be.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
