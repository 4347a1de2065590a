//! What the engine reads out of an object whose type it does not know.

use concierge_shared::{admission::claim::Claim, index::Stored, status::intent::Intent};
use kube::core::ApiResource;
use serde_json::Value;

/// Reads objects of one kind.
pub(crate) trait ObjectReader: Send + Sync {
    fn resource(&self) -> ApiResource;
    fn wake_digest(&self, object: &Stored) -> WakeDigest;
    /// Whether anybody has written a status.
    fn has_status(&self, object: &Stored) -> bool;
    fn is_ready(&self, object: &Stored) -> Option<bool>;
    /// Whether objects of this kind need Secrets at all.
    fn needs_secrets(&self) -> bool;
    fn secrets(&self, object: &Stored) -> Vec<(String, String)>;
    fn claims(&self, object: &Stored) -> Vec<Claim>;
    fn intent(&self, object: &Stored) -> Option<Intent>;
    /// Whether objects of this kind can have intents.
    fn has_intents(&self) -> bool;
    /// The object in this JSON; `None` when it is not of the kind's form.
    fn read(&self, object: Value) -> Option<Stored>;
}

/// Digests of what of an object matters to whom: who has to be woken follows from which one has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WakeDigest {
    /// To the object's own reconciliation: everything but the status, which only we write.
    pub(crate) own: u64,
    /// To those that refer to it: its spec, labels and annotations, whether it is ready, and what it exports.
    pub(crate) outward: u64,
}
