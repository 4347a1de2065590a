#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![doc = include_str!("guide.md")]

mod authority;
mod bundle;
mod ca;
mod client_ca;
mod clock;
mod cluster;
mod dial;
mod directory;
mod leaf;
mod manager;
mod options;
mod replica;
mod resolver;
mod serve;
mod settling;
mod status;
mod store;
mod verify;

pub use authority::{Authority, AuthorityError, Observed, Policy, ROTATE, State, Step};
pub use bundle::Bundle;
pub use ca::{CaError, Certificate, Pair};
pub use client_ca::{ClientCa, ServeError};
pub use clock::{Clock, SystemClock};
pub use cluster::{Cluster, ClusterError, Entry, Live, Stored, Target, TargetKind};
pub use dial::{DialError, self_dial};
pub use directory::{Directory, DirectoryError};
pub use leaf::{Leaf, LeafError};
pub use manager::Manager;
pub use options::Options;
pub use replica::{Replica, Report, StepError};
pub use resolver::Resolver;
pub use serve::{alert_label, server_config};
pub use status::Status;
pub use store::KubeCluster;
pub use verify::trusts;

/// The one cryptography provider of this crate; nothing here depends on the process-wide default.
fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<std::sync::Arc<rustls::crypto::CryptoProvider>> =
        std::sync::LazyLock::new(|| std::sync::Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}
