//! The five calls to the cluster that a replica makes. `store.rs` sends them; tests simulate them.

use std::{collections::BTreeMap, fmt, future::Future};

use futures::stream::BoxStream;
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use crate::{bundle::Bundle, ca::Certificate};

/// The shared things a replica reads and writes.
///
/// Reads are live, not cached. Every write is conditional on what was read and fails with
/// [`ClusterError::Conflict`] if somebody else was faster; the caller reads again.
pub trait Cluster: Send + Sync + 'static {
    /// Every configuration whose bundle is ours, also those that do not exist.
    fn targets(&self) -> impl Future<Output = Result<Vec<Target>, ClusterError>> + Send;

    /// The CA Secret, if it exists.
    fn stored(&self) -> impl Future<Output = Result<Stored, ClusterError>> + Send;

    /// Creates the Secret; a conflict if it exists.
    fn create(
        &self,
        data: BTreeMap<String, ByteString>,
    ) -> impl Future<Output = Result<(), ClusterError>> + Send;

    /// Puts `data` into the Secret if it still is as it was `read`.
    fn replace(
        &self,
        read: &Secret,
        data: BTreeMap<String, ByteString>,
    ) -> impl Future<Output = Result<(), ClusterError>> + Send;

    /// Writes the bundles of the named entries of `target` if it still is as it was read.
    fn apply(
        &self,
        target: &Target,
        bundles: &[(String, Bundle)],
    ) -> impl Future<Output = Result<(), ClusterError>> + Send;

    /// One item whenever any of these objects changed. May miss changes: there are ticks as well.
    fn changes(&self) -> BoxStream<'static, ()>;
}

/// The Secret as read.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The object, with its resourceVersion.
    pub secret: Option<Secret>,
    /// The API server's own clock at that moment. It verifies the certificates, so its clock is the one that
    /// counts; a replica whose clock is wrong does no harm.
    pub time: Option<Timestamp>,
}

/// The kinds that hold a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// `ValidatingWebhookConfiguration`
    Validating,
    /// `MutatingWebhookConfiguration`
    Mutating,
    /// `CustomResourceDefinition`, its conversion stanza
    Conversion,
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validating => "ValidatingWebhookConfiguration",
            Self::Mutating => "MutatingWebhookConfiguration",
            Self::Conversion => "CustomResourceDefinition",
        })
    }
}

/// One object that holds bundles.
#[derive(Clone, Debug)]
pub struct Target {
    pub kind: TargetKind,
    pub name: String,
    /// What was read of it; nothing if it does not exist.
    pub live: Option<Live>,
}

/// A target as read.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// resourceVersion, the condition of the next write.
    pub version: String,
    /// Changes with every change of the specification, and with re-creation: UID and generation.
    pub generation: String,
    /// The entries that call our Service.
    pub entries: Vec<Entry>,
}

/// One webhook entry, or the one conversion stanza.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The entry's name; empty for a conversion stanza.
    pub name: String,
    /// What can be read of its `caBundle`.
    pub bundle: Bundle,
}

impl Target {
    /// Whether every entry trusts `certificate`. A target that does not exist trusts nobody.
    pub fn trusts(&self, certificate: &Certificate) -> bool {
        let trusts = |entry: &Entry| entry.bundle.contains(certificate);
        self.live.as_ref().is_some_and(|live| live.entries.iter().all(trusts))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Why a call to the cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Somebody else changed the object first. Not an error: read again.
    #[error("{object} was changed by somebody else in the meantime")]
    Conflict {
        /// Kind and name.
        object: String,
    },
    /// The API server refused or could not be reached.
    #[error("cannot {verb} {object}: {}; {remedy}", reason(source))]
    Call {
        /// What was tried.
        verb: &'static str,
        /// Kind and name.
        object: String,
        /// What an operator can do.
        remedy: &'static str,
        /// The answer.
        source: Box<kube::Error>,
    },
}

/// The API server's own sentence; the library's text repeats the whole answer.
fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
