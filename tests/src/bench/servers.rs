//! The servers under load, and how they are started.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::generator::Target;
use super::machine::{self, Cores};
use super::{floor, peer};
use crate::process::{Process, built_program};
use crate::stack::{NAMESPACE, RELEASE, Stack};

/// A server under load.
pub struct Server {
    pub target: Target,
    pub pid: u32,
}

impl Server {
    /// The webhook with this number.
    ///
    /// # Errors
    /// When it does not listen, or the API server does not trust it yet.
    pub async fn webhook(stack: &Stack, number: usize) -> Result<Server> {
        let (pid, address) = stack.webhook(number, |it| (it.process.pid(), it.address));
        let address = address.context("the webhook does not listen")?;
        let name = format!("{RELEASE}.{NAMESPACE}.svc");
        Ok(Server { target: Target::new(address, &name, trusted(stack).await?)?, pid })
    }
}

/// Does `start` on the servers' core, so that what it starts stays there.
///
/// # Errors
/// When it does not start, or there is no such core.
pub async fn on_server_core<T>(cores: Option<Cores>, start: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(cores) = cores else { return start.await };
    Cores::move_to(cores.server)?;
    let started = start.await;
    Cores::move_to(cores.others)?;
    started
}

/// Starts one more webhook; how long it took to get ready.
///
/// # Errors
/// When it does not.
pub async fn start_webhook(stack: &Stack, cores: Option<Cores>) -> Result<(Duration, Server)> {
    let started = Instant::now();
    let number = on_server_core(cores, stack.add_webhook()).await?;
    machine::wait_ready(stack.webhook(number, |it| it.admin)).await?;
    let ready = started.elapsed();
    Ok((ready, Server::webhook(stack, number).await?))
}

/// What the API server trusts the webhook by.
async fn trusted(stack: &Stack) -> Result<Vec<CertificateDer<'static>>> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(stack.plane.client().await?);
    let webhooks = api.get(RELEASE).await?.webhooks.unwrap_or_default();
    let bundle =
        webhooks.into_iter().next().and_then(|it| it.client_config.ca_bundle).context("no caBundle")?;
    Ok(CertificateDer::pem_slice_iter(&bundle.0).collect::<Result<_, _>>()?)
}

/// Starts the floor.
///
/// # Errors
/// When it does not start.
pub async fn start_floor(stack: &Stack) -> Result<(Process, Server)> {
    let dir = stack.plane.dir();
    floor::write_certificate(dir)?;
    let log = dir.join("floor.log");
    let args = ["floor".as_ref(), dir.as_os_str()];
    let none: [(&str, &str); 0] = [];
    let process = Process::spawn("floor", built_program("bench")?, args, none, &log)?;
    serving(stack, process, &log).await
}

/// Starts the peer, which shows the floor's certificate.
///
/// # Errors
/// When it does not start.
pub async fn start_peer(stack: &Stack, program: &Path) -> Result<(Process, Server)> {
    let dir = stack.plane.dir();
    let log = dir.join("peer.log");
    let process =
        peer::start(program, &dir.join(floor::CERTIFICATE), &dir.join(floor::KEY), &dir.join("peer"), &log)?;
    serving(stack, process, &log).await
}

/// Waits until a server with the floor's certificate says in its log where it listens.
async fn serving(stack: &Stack, process: Process, log: &Path) -> Result<(Process, Server)> {
    let end = Instant::now() + Duration::from_secs(10);
    let address: SocketAddr = loop {
        let said = std::fs::read_to_string(log).ok().and_then(|text| {
            let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find_map(|line| line["address"].as_str()?.parse().ok())
        });
        match said {
            Some(address) => break address,
            None if Instant::now() > end => {
                anyhow::bail!("a server to compare with does not serve:\n{}", process.log_tail(20))
            }
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let root = CertificateDer::from_pem_file(stack.plane.dir().join(floor::CERTIFICATE))?;
    let pid = process.pid();
    Ok((process, Server { target: Target::new(address, floor::NAME, vec![root])?, pid }))
}
