//! Stored objects that are not of their kind's form, for instance after a version of us that knew other fields.

use std::sync::Arc;

use concierge_shared::status::ConditionReason;

use crate::engine::{
    cluster::{
        ObjectEvent,
        objects::{ObjectKey, Unreadable},
    },
    shared::Shared,
};

/// Tells people that nothing is done about these objects, and that their deletion waits if they bear our finalizer.
pub(crate) async fn tell(shared: Arc<Shared>, objects: Vec<Unreadable>) {
    for Unreadable { kind, namespace, name, uid, error } in objects {
        let key = ObjectKey::new(kind, namespace, name);
        let Some(target) = shared.target(&key) else { continue };
        let message = format!(
            "this version can't read the object ({error}); nothing is done about it, and its deletion waits for us; correct it, or \
             take our finalizer from it and look after what it made"
        );
        let reason = ConditionReason::Invalid.as_str().to_owned();
        let event = ObjectEvent { key, resource: target.resource, uid, warning: true, reason, message };
        shared.metrics.write(kind, "event");
        if let Err(error) = shared.cluster.emit_event(&event).await {
            tracing::info!(%error, "an event was not taken");
        }
    }
}
