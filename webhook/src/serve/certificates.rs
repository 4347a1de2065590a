//! Certificates: our own, or those of a directory.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use concierge_certs::{ClientCa, Directory, Manager, Options, Status, SystemClock, server_config};
use kube::Client;
use rustls::{ServerConfig, server::ResolvesServerCert};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    args::CertificateArgs,
    metrics::{Certificate, Metrics},
};

/// How often the file of the client CA is read again, because a watch of it may be refused or miss a change.
const LOOK: Duration = Duration::from_secs(3);

/// Where the served certificate comes from, and whom it is served to.
pub(crate) struct Certificates {
    source: Source,
    clients: Option<ClientFile>,
    tls: watch::Sender<Arc<ServerConfig>>,
}

/// The file of the CA of clients, and the names that they may bear.
struct ClientFile {
    path: PathBuf,
    names: Vec<String>,
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
        let clients = client_ca.map(|path| ClientFile { path, names: client_names });
        let client_ca = clients.as_ref().map(ClientFile::read).transpose()?;
        let tls = server_config(source.resolver(), client_ca)?;
        Ok(Self { source, clients, tls: watch::Sender::new(Arc::new(tls)) })
    }

    /// TLS as the API server needs it, with whatever certificate is current at each handshake.
    pub(crate) fn tls(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.tls.subscribe()
    }

    /// Whether only clients with a certificate of a known authority are let in.
    pub(crate) fn knows_callers(&self) -> bool {
        self.clients.is_some()
    }

    /// Keeps the certificate and the client CA fresh until `closed`; `address` is where it is served.
    pub(crate) async fn keep(self: Arc<Self>, address: SocketAddr, closed: CancellationToken) {
        let source = async {
            match &self.source {
                Source::SelfManaged(manager) => {
                    manager.self_dial(address);
                    manager.run(closed.cancelled()).await;
                }
                Source::Directory(directory) => directory.run(closed.cancelled()).await,
            }
        };
        tokio::join!(source, closed.run_until_cancelled(self.follow_clients()));
    }

    /// Serves whom the file of the client CA says now; while that can't be read, whom it said before.
    async fn follow_clients(&self) {
        let Some(clients) = &self.clients else { return };
        let (mut known, mut told) = (clients.read().ok().map(|client_ca| client_ca.ca_pem), String::new());
        loop {
            tokio::time::sleep(LOOK).await;
            let config = match clients.read() {
                Ok(client_ca) if known.as_ref() == Some(&client_ca.ca_pem) => continue,
                Ok(client_ca) => {
                    known = Some(client_ca.ca_pem.clone());
                    server_config(self.source.resolver(), Some(client_ca)).map_err(anyhow::Error::from)
                }
                Err(error) => Err(error),
            };
            let message = config.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
            match config {
                Ok(config) => {
                    tracing::info!("the client CA has changed");
                    self.tls.send_replace(Arc::new(config));
                }
                Err(_) if message != told => {
                    tracing::warn!(error = message, "the client CA stays as it was");
                }
                Err(_) => {}
            }
            told = message;
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

impl Source {
    fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        match self {
            Source::SelfManaged(manager) => manager.resolver(),
            Source::Directory(directory) => directory.resolver(),
        }
    }
}

impl ClientFile {
    fn read(&self) -> anyhow::Result<ClientCa> {
        let ca_pem =
            std::fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        Ok(ClientCa { ca_pem, allowed_names: self.names.clone() })
    }
}

#[cfg(test)]
mod tests {
    use concierge_certs::Pair;
    use jiff::Timestamp;

    use super::*;

    fn authority() -> String {
        let year = Duration::from_secs(365 * 24 * 3600);
        Pair::generate("clients", year, Timestamp::now(), None).unwrap().certificate().pem()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_ca_that_changes_is_served_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.crt");
        std::fs::write(&path, authority()).unwrap();
        let clock = Arc::new(SystemClock::start());
        let source = Source::Directory(Directory::open(folder.path(), None, clock));
        let clients = ClientFile { path: path.clone(), names: Vec::new() };
        let tls = server_config(source.resolver(), Some(clients.read().unwrap())).unwrap();
        let tls = watch::Sender::new(Arc::new(tls));
        let certificates = Certificates { source, clients: Some(clients), tls };
        let mut served = certificates.tls();
        let follow = certificates.follow_clients();
        let test = async {
            for broken in ["", "nonsense"] {
                std::fs::write(&path, broken).unwrap();
                tokio::time::sleep(3 * LOOK).await;
                assert!(!served.has_changed().unwrap());
            }
            std::fs::write(&path, authority()).unwrap();
            served.changed().await.unwrap();
            tokio::time::sleep(3 * LOOK).await;
            assert!(!served.has_changed().unwrap(), "an unchanged file changes nothing");
        };
        tokio::select! {
            () = follow => panic!("it follows for ever"),
            () = test => {}
        }
    }
}
