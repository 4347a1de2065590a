//! Calls that may be sent at most once, and what becomes of those whose outcome was not recorded.

pub(crate) mod calls;
mod send;
mod settle;

use std::{sync::Arc, time::Duration};

use concierge_shared::status::intent::IntentState;

use crate::engine::{
    cluster::{ClusterError, objects::ObjectKey},
    shared::Shared,
};

/// How long to wait after the calls under way could not be counted.
const COUNT_AGAIN: Duration = Duration::from_secs(2);

/// Counts the calls under way that earlier leaders may have sent, from what is stored now.
pub(crate) async fn count_calls(shared: Arc<Shared>, token: String) {
    loop {
        match calls_under_way(&shared).await {
            Ok(found) => {
                tracing::info!(calls = found.len(), "calls under way are counted");
                return shared.calls.count(&token, found);
            }
            Err(error) => {
                tracing::warn!(%error, "the calls under way can't be counted; trying again");
                tokio::time::sleep(COUNT_AGAIN).await;
            }
        }
    }
}

async fn calls_under_way(shared: &Shared) -> Result<Vec<(String, String, ObjectKey)>, ClusterError> {
    let mut found = Vec::new();
    for reader in shared.kinds.values().filter(|reader| reader.has_intents()) {
        let mut visit = |object| {
            let Some(object) = reader.read(object) else { return };
            let intent = reader
                .intent(&object)
                .filter(|intent| matches!(intent.state, IntentState::Open | IntentState::Unknown));
            found.extend(intent.map(|intent| (intent.account, intent.fingerprint, ObjectKey::from(&object))));
        };
        shared.cluster.for_each(&reader.resource(), "", &mut visit).await?;
    }
    Ok(found)
}
