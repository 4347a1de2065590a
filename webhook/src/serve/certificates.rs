//! Certificates: our own, or those of a directory.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use concierge_certs::{ClientCa, Directory, Manager, Options, Status, SystemClock, server_config};
use kube::Client;
use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use super::{
    args::CertificateArgs,
    metrics::{Certificate, Metrics},
};

/// Where the served certificate comes from.
pub(crate) struct Certificates {
    source: Source,
    client_ca: Option<ClientCa>,
}

enum Source {
    SelfManaged(Box<Manager>),
    Directory(Directory),
}

impl Certificates {
    pub(crate) fn new(client: &Client, args: CertificateArgs) -> anyhow::Result<Self> {
        let CertificateArgs {
            tls_dir,
            service,
            namespace,
            secret,
            webhook_configuration,
            cluster_domain,
            ca_validity,
            leaf_validity,
            ca_settle,
            ca_overlap,
            certificate_tick,
            client_ca,
            client_names,
        } = args;
        let client_ca = client_ca.map(|file| {
            let ca_pem = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            anyhow::Ok(ClientCa { ca_pem, allowed_names: client_names })
        });
        let options = Options {
            secret,
            cluster_domain,
            validating: vec![webhook_configuration.clone()],
            mutating: vec![webhook_configuration],
            ca_validity,
            leaf_validity,
            settle: ca_settle,
            overlap: ca_overlap,
            tick: certificate_tick,
            ..Options::new(namespace, service)
        };
        let source = match tls_dir {
            Some(dir) => {
                let clock = Arc::new(SystemClock::start());
                Source::Directory(Directory::open(dir, Some(options.server_name()), clock))
            }
            None => Source::SelfManaged(Box::new(Manager::new(client.clone(), options))),
        };
        Ok(Self { source, client_ca: client_ca.transpose()? })
    }

    /// TLS as the API server needs it, with whatever certificate is current at each handshake.
    pub(crate) fn server_config(&self) -> anyhow::Result<ServerConfig> {
        let resolver = match &self.source {
            Source::SelfManaged(manager) => manager.resolver(),
            Source::Directory(directory) => directory.resolver(),
        };
        Ok(server_config(resolver, self.client_ca.clone())?)
    }

    /// Keeps the certificate fresh until `closed`; `address` is where it is served.
    pub(crate) async fn keep(self: Arc<Self>, address: SocketAddr, closed: CancellationToken) {
        match &self.source {
            Source::SelfManaged(manager) => {
                manager.self_dial(address);
                manager.run(closed.cancelled()).await;
            }
            Source::Directory(directory) => directory.run(closed.cancelled()).await,
        }
    }

    /// `Ok` when the API server has every reason to trust us; else why not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let status = self.status();
        let why = || {
            status
                .last_error
                .unwrap_or_else(|| "no certificate yet that the webhook configurations trust".into())
        };
        if status.ready { Ok(()) } else { Err(why()) }
    }

    /// Shows the state in `metrics`.
    pub(crate) fn show(&self, metrics: &Metrics) {
        let status = self.status();
        for (certificate, left) in [("ca", status.ca_expires_in), ("leaf", status.leaf_expires_in)] {
            if let Some(left) = left {
                metrics.certificate_expiry.get_or_create(&Certificate { certificate }).set(left);
            }
        }
        metrics.bundle_mismatch.set(i64::from(status.bundle_mismatch));
    }

    fn status(&self) -> Status {
        match &self.source {
            Source::SelfManaged(manager) => manager.status(),
            Source::Directory(directory) => directory.status(),
        }
    }
}
