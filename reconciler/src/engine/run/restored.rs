//! Objects that come out of a backup. Their status does not, so nothing tells what was made for them already.

use std::ops::ControlFlow::{Break, Continue};

use concierge_shared::status::{
    ConditionReason, ConditionType, Conditions,
    intent::{Intent, IntentState},
};
use kube::core::object::HasStatus;

use crate::engine::{
    annotation::{self, FINALIZER, RECORDED, RESOLVE_UNKNOWN},
    kinds::reconcile::{Reconcile, StatusOf},
    run::{Run, end::Flow},
};

/// The operation in the intent of an object that was restored: which one it was is not known.
const RESTORED: &str = "what was done before the restore";

impl<R: Reconcile> Run<R> {
    /// An object without a status that bears our finalizer, or the ids of what was made, is a copy of one that was reconciled before. It
    /// is held until a person says whether that has been carried out: else a restored order would be charged again.
    pub(super) async fn hold_restored(&mut self) -> Flow {
        if self.object.status().is_some() || !has_intents::<R>() {
            return Continue(());
        }
        let ids = self.annotation(RECORDED).unwrap_or_default().to_owned();
        let marked = self.meta().finalizers.iter().flatten().any(|one| one == FINALIZER);
        if ids.is_empty() && !marked {
            return Continue(());
        }
        let message = restored_message(&ids);
        let intent = self.intent_of_a_restored_object(&ids);
        if let Some(slot) = self.status.intent_mut() {
            *slot = Some(intent);
        }
        self.set(ConditionType::Unknown, true, ConditionReason::Held, &message);
        self.unready(ConditionReason::Held, &message);
        self.save_status().await?;
        self.emit(true, ConditionReason::Held.as_str(), &message).await;
        match annotation::resolution(&*self.object) {
            Some(Ok(_)) => Continue(()),
            _ => Break(self.resync()),
        }
    }

    fn intent_of_a_restored_object(&self, ids: &str) -> Intent {
        Intent {
            id: self.shared.random.id(),
            operation: RESTORED.to_owned(),
            fingerprint: String::new(),
            account: String::new(),
            created_at: self.shared.clock.now().to_string(),
            lease_token: self.token.clone(),
            before: ids.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect(),
            state: IntentState::Held,
            looks: 0,
        }
    }

    /// Writes down beside the status what was made, and sees to it that an object has a status before it bears our finalizer: one that
    /// bears it without a status was restored.
    pub(super) async fn note_recorded(&mut self) -> Flow<Option<(String, String)>> {
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

fn has_intents<R: Reconcile>() -> bool {
    StatusOf::<R>::default().intent_mut().is_some()
}

fn restored_message(ids: &str) -> String {
    let made = if ids.is_empty() { String::new() } else { format!(", which made {ids}") };
    format!(
        "the object was restored, or copied from one that was reconciled{made}; nothing is done before the annotation \
         {RESOLVE_UNKNOWN} says retry (do it, perhaps once more), adopt=<id> (it is done) or abandon"
    )
}
