//! The certificate that the TLS server presents, swapped while it serves.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::sync::Notify;

/// Always the last good pair. Handshakes take no lock; connections that are open keep what they started with.
#[derive(Debug)]
pub struct Resolver {
    key: ArcSwapOption<CertifiedKey>,
    renew_at: AtomicI64,
    due: Notify,
}

impl Resolver {
    /// Presents nothing yet: handshakes fail until a pair is [`put`](Self::put).
    pub fn empty() -> Arc<Self> {
        Arc::new(Self { key: ArcSwapOption::empty(), renew_at: AtomicI64::new(i64::MAX), due: Notify::new() })
    }

    /// What is presented.
    pub fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.key.load_full()
    }

    /// Presents `key` from the next handshake on; the caller has made sure that it works.
    pub fn put(&self, key: Arc<CertifiedKey>, renew_at: Timestamp) {
        self.key.store(Some(key));
        self.renew_at.store(renew_at.as_second(), Ordering::Relaxed);
    }

    /// Returns when a handshake finds the pair due for renewal: timers stand still while a machine is suspended,
    /// the first caller afterwards does not.
    pub(crate) async fn due(&self) {
        self.due.notified().await;
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if self.renew_at.load(Ordering::Relaxed) <= Timestamp::now().as_second() {
            self.due.notify_one();
        }
        self.current()
    }
}
