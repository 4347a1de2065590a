//! Calls that may be sent at most once, and what becomes of those whose outcome was not recorded: by this process, by earlier leaders,
//! or because the object came out of a backup, which does not bring its status back.

pub(crate) mod calls;
mod send;
mod settle;

use std::{
    ops::ControlFlow::{Break, Continue},
    sync::Arc,
    time::Duration,
};

use concierge_shared::status::{
    ConditionReason, ConditionType, Conditions,
    intent::{Intent, IntentState},
};
use kube::core::object::HasStatus;
use serde_json::Value;

use self::calls::Uncounted;
use crate::engine::{
    annotation::{self, FINALIZER, RECORDED, RESOLVE_UNKNOWN},
    cluster::{
        ClusterError,
        objects::{ObjectKey, metadata_of},
    },
    kinds::reconcile::{Reconcile, StatusOf},
    run::{Flow, Run, status::listed},
    shared::Shared,
};

/// How long to wait after the calls under way could not be counted.
const COUNT_AGAIN: Duration = Duration::from_secs(2);
/// How long, when an administrator has to allow it first.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// The operation in the intent of an object that was restored: which one it was is not known.
const RESTORED: &str = "what was done before the restore";

/// The objects of one kind in one namespace, or in all when it is empty.
type Part = (&'static str, String);

/// What was counted.
#[derive(Default)]
struct Count {
    found: Vec<(String, String, ObjectKey)>,
    uncounted: Vec<Uncounted>,
}

/// Counts the calls under way that earlier leaders may have sent, from what is stored now. What may not be read, and no other object,
/// waits until it may be.
pub(crate) async fn count_calls(shared: Arc<Shared>, fencing_token: String) {
    let with_intents = shared.kinds.iter().filter(|(_, reader)| reader.has_intents());
    let kinds: Vec<_> = with_intents.map(|(kind, _)| *kind).collect();
    let namespaces = shared.cluster.namespaces();
    let of_namespace =
        |namespace: &String| kinds.iter().map(|kind| (*kind, namespace.clone())).collect::<Vec<_>>();
    let mut parts: Vec<Part> = namespaces.iter().flat_map(of_namespace).collect();
    loop {
        let wait = match count(&shared, &parts).await {
            Ok(Count { found, uncounted }) => {
                let left: Vec<Part> = uncounted.iter().map(|one| (one.kind, one.namespace.clone())).collect();
                if left != parts {
                    tell(&found, &uncounted);
                }
                shared.calls.count(&fencing_token, found, uncounted);
                parts = left;
                ASK_AGAIN
            }
            Err(error) => {
                tracing::warn!(%error, "the calls under way can't be counted; trying again");
                COUNT_AGAIN
            }
        };
        if parts.is_empty() {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

fn tell(found: &[(String, String, ObjectKey)], uncounted: &[Uncounted]) {
    tracing::info!(calls = found.len(), "calls under way are counted");
    if let Some(Uncounted { kind, namespace, why }) = uncounted.first() {
        let more = uncounted.len() - 1;
        tracing::warn!(
            kind,
            namespace,
            why,
            more,
            "some calls under way can't be counted; those objects wait"
        );
    }
}

/// # Errors
/// What passes: until then nobody knows of any object.
async fn count(shared: &Shared, parts: &[Part]) -> Result<Count, ClusterError> {
    let mut count = Count::default();
    for &(kind, ref namespace) in parts {
        let Some(reader) = shared.kinds.get(kind) else { continue };
        let mut visit = |object: Value| {
            // Of what is otherwise not of its kind's form, the intent counts all the same: its call may be under way.
            let intent = serde_json::from_value::<Intent>(object["status"]["intent"].clone()).ok();
            let meta = metadata_of(&object);
            let key = ObjectKey::new(kind, meta.namespace.unwrap_or_default(), meta.name.unwrap_or_default());
            if let Some(object) = reader.read(&object) {
                shared.newer.read(object, shared.find(&key).as_ref());
            }
            let intent = intent.filter(|one| matches!(one.state, IntentState::Open | IntentState::Unknown));
            count.found.extend(intent.map(|intent| (intent.account, intent.fingerprint, key)));
        };
        match shared.cluster.for_each(&reader.resource(), namespace, &mut visit).await {
            // A kind that is not installed has no objects.
            Ok(()) | Err(ClusterError::NotFound) => {}
            Err(ClusterError::Forbidden(why)) => {
                count.uncounted.push(Uncounted { kind, namespace: namespace.clone(), why });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

impl<R: Reconcile> Run<R> {
    /// An object without a status that bears our finalizer, or the ids of what was made, is a copy of one that was reconciled before. It
    /// is held until a person says whether that has been carried out: else a restored order would be charged again.
    pub(crate) async fn hold_restored(&mut self) -> Flow {
        if self.object.status().is_some() || !has_intents::<R>() {
            return Continue(());
        }
        let recorded = self.annotation(RECORDED).unwrap_or_default();
        let (ids, bears_ids) = (annotation::recorded_ids(recorded), !recorded.is_empty());
        let marked = self.meta().finalizers.iter().flatten().any(|one| one == FINALIZER);
        if !bears_ids && !marked {
            return Continue(());
        }
        let message = restored_message(&ids);
        let intent = self.intent_of_a_restored_object(ids);
        if let Some(slot) = self.status.intent_mut() {
            *slot = Some(intent);
        }
        self.set(ConditionType::Unknown, true, ConditionReason::Held, &message);
        self.unready(ConditionReason::Held, &message);
        self.save_status().await?;
        self.emit(true, ConditionReason::Held.as_str(), &message).await;
        match annotation::resolution(&*self.object) {
            // Also what is not understood is named at once.
            Some(_) => Continue(()),
            None => Break(self.resync()),
        }
    }

    fn intent_of_a_restored_object(&self, ids: Vec<String>) -> Intent {
        Intent {
            id: self.shared.random.id(),
            operation: RESTORED.to_owned(),
            fingerprint: String::new(),
            account: String::new(),
            created_at: self.shared.clock.now().to_string(),
            lease_token: self.fencing_token.clone(),
            before: ids,
            state: IntentState::Held,
            looks: 0,
        }
    }

    /// Writes down beside the status what was made, and sees to it that an object has a status before it bears our finalizer: one that
    /// bears it without a status was restored.
    pub(crate) async fn note_recorded(&mut self) -> Flow<Option<(String, String)>> {
        if !has_intents::<R>() {
            return Continue(None);
        }
        if self.object.status().is_none() {
            self.unready(ConditionReason::Reconciling, "not looked at yet");
            self.save_status().await?;
        }
        let ids = self.reconciler.recorded(&self.status).join(",");
        Continue((!ids.is_empty()).then(|| (RECORDED.to_owned(), ids)))
    }
}

pub(crate) fn has_intents<R: Reconcile>() -> bool {
    StatusOf::<R>::default().intent_mut().is_some()
}

fn restored_message(ids: &[String]) -> String {
    let made =
        if ids.is_empty() { String::new() } else { format!(", which made {}", listed(ids.iter().cloned())) };
    format!(
        "the object was restored, or copied from one that was reconciled{made}; nothing is done before the annotation \
         {RESOLVE_UNKNOWN} says retry (do it, perhaps once more), adopt=<id> (it is done) or abandon"
    )
}
