//! Bring your own: a directory with `tls.crt` and `tls.key`, as Kubernetes mounts a Secret.

mod error;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use rustls::{server::ParsedCertificate, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::sync::{Notify, watch};

pub use self::error::DirectoryError;
use crate::{ca::Certificate, clock::Clock, resolver::Resolver, status::Status};

/// How often the files are read again, because a watch may be refused or miss a change (network file systems, a replaced directory).
const POLL: Duration = Duration::from_secs(3);

/// Keeps a [`Resolver`] in step with a directory.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    server_name: Option<String>,
    clock: Arc<dyn Clock>,
    resolver: Arc<Resolver>,
    seen: watch::Sender<Seen>,
    ready: watch::Sender<bool>,
}

/// The last look.
#[derive(Debug, Default)]
struct Seen {
    content: Option<Content>,
    leaf_until: Option<Timestamp>,
    last_error: Option<String>,
}

/// Both files, as bytes: a swap is seen by their difference.
#[derive(PartialEq, Eq)]
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Directory {
    /// Loads the pair if it is there and good; otherwise it is not ready and waits for one. With a `server_name`
    /// pairs that are not valid for it are refused.
    pub fn open(path: impl Into<PathBuf>, server_name: Option<String>, clock: Arc<dyn Clock>) -> Self {
        let directory = Self {
            path: path.into(),
            server_name,
            clock,
            resolver: Resolver::empty(),
            seen: watch::Sender::new(Seen::default()),
            ready: watch::Sender::new(false),
        };
        directory.look();
        directory
    }

    /// For [`server_config`](crate::server_config).
    pub fn resolver(&self) -> Arc<Resolver> {
        self.resolver.clone()
    }

    /// Turns true, and stays so, when a good pair has been loaded.
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// The state of things at this moment.
    pub fn status(&self) -> Status {
        let seen = self.seen.borrow();
        let left = seen.leaf_until.map(|it| it.duration_since(self.clock.now()).as_secs_f64());
        Status {
            leaf_expires_in: left,
            last_error: seen.last_error.clone(),
            ready: *self.ready.borrow(),
            ..Status::default()
        }
    }

    /// Follows the directory until `shutdown` resolves: watched, and polled every three seconds.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let changed = Arc::new(Notify::new());
        let _watcher = self.watch(changed.clone());
        let follow = async {
            loop {
                let _ = tokio::time::timeout(POLL, changed.notified()).await;
                self.look();
            }
        };
        tokio::select! {
            () = shutdown => {}
            () = follow => {}
        }
    }

    /// Watches the directory, not the files: a mounted Secret is updated by swapping the symlink `..data` in it.
    fn watch(&self, changed: Arc<Notify>) -> Option<RecommendedWatcher> {
        let on_event = move |event: notify::Result<notify::Event>| {
            // Reading the files is an event as well and would wake us for ever.
            if event.is_ok_and(|it| !it.kind.is_access()) {
                changed.notify_one();
            }
        };
        let watcher = notify::recommended_watcher(on_event).and_then(|mut watcher| {
            watcher.watch(&self.path, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        watcher
            .inspect_err(|error| {
                tracing::warn!(directory = %self.path.display(), %error, "cannot watch, only polling");
            })
            .ok()
    }

    /// Loads what is there if it changed. Files are small and in memory (tmpfs), so this does not block for long.
    fn look(&self) {
        let outcome = self.read().and_then(|content| {
            if self.seen.borrow().content.as_ref() == Some(&content) {
                return Ok(None);
            }
            let pair = self.load(&content)?;
            Ok(Some((content, pair)))
        });
        match outcome {
            Ok(None) => self.seen.send_modify(|seen| seen.last_error = None),
            Ok(Some((content, (certificate, key)))) => self.serve(content, &certificate, key),
            Err(error) => self.refuse(error.to_string()),
        }
    }

    fn serve(&self, content: Content, certificate: &Certificate, key: CertifiedKey) {
        tracing::info!(directory = %self.path.display(), ?certificate, "serving a new certificate");
        self.resolver.put(Arc::new(key), Timestamp::MAX);
        let leaf_until = Some(certificate.not_after());
        self.seen.send_replace(Seen { content: Some(content), leaf_until, last_error: None });
        self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
    }

    fn refuse(&self, error: String) {
        if self.seen.borrow().last_error.as_ref() != Some(&error) {
            let kept = self.resolver.current().is_some();
            tracing::warn!(%error, kept, "certificate refused; the last good one, if any, stays");
        }
        self.seen.send_modify(|seen| seen.last_error = Some(error));
    }

    /// Both files of one version: the symlink is followed once. If that version is removed meanwhile, the next
    /// look finds the one after it.
    fn read(&self) -> Result<Content, DirectoryError> {
        let data = self.path.join("..data").canonicalize().unwrap_or_else(|_| self.path.clone());
        Ok(Content { certificate: read(&data, "tls.crt")?, key: read(&data, "tls.key")? })
    }

    fn load(&self, content: &Content) -> Result<(Certificate, CertifiedKey), DirectoryError> {
        let path = self.path.join("tls.crt");
        let chain = chain(&content.certificate).map_err(|source| DirectoryError::Pem {
            path: path.clone(),
            remedy: "it needs the certificate and its intermediates, leaf first",
            source,
        })?;
        let leaf = chain.first().cloned().unwrap_or_else(|| CertificateDer::from(Vec::new()));
        let certificate = Certificate::from_der(leaf.clone())
            .map_err(|source| DirectoryError::Certificate { path: path.clone(), source })?;
        if certificate.expired(self.clock.now()) {
            return Err(DirectoryError::Expired { path, at: certificate.not_after() });
        }
        self.check_name(&leaf, &path)?;
        Ok((certificate, self.pair(chain, &content.key)?))
    }

    fn pair(&self, chain: Vec<CertificateDer<'static>>, key: &[u8]) -> Result<CertifiedKey, DirectoryError> {
        let path = self.path.join("tls.key");
        let remedy = "it needs an unencrypted key in PKCS#8, SEC1 (EC) or PKCS#1 (RSA) form";
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|source| DirectoryError::Pem {
            path: path.clone(),
            remedy,
            source,
        })?;
        CertifiedKey::from_der(chain, key, &crate::provider())
            .map_err(|source| DirectoryError::Mismatch { path, source })
    }

    fn check_name(&self, leaf: &CertificateDer<'_>, path: &Path) -> Result<(), DirectoryError> {
        let Some(name) = &self.server_name else { return Ok(()) };
        let valid = ParsedCertificate::try_from(leaf).is_ok_and(|leaf| {
            ServerName::try_from(name.as_str())
                .is_ok_and(|name| rustls::client::verify_server_name(&leaf, &name).is_ok())
        });
        let refused = || DirectoryError::Name { path: path.to_owned(), name: name.clone() };
        if valid { Ok(()) } else { Err(refused()) }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Content(redacted)")
    }
}

fn read(directory: &Path, name: &str) -> Result<Vec<u8>, DirectoryError> {
    let path = directory.join(name);
    fs::read(&path).map_err(|source| DirectoryError::Read { path, source })
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, rustls_pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}
