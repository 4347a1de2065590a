//! What is written about a run: conditions, status, events.

use std::{
    ops::ControlFlow::{Break, Continue},
    sync::Arc,
};

use concierge_runtime::warn_seldom;
use concierge_shared::{
    kind::{Kind, store},
    status::{Condition, ConditionReason, ConditionType, Conditions, LONGEST_STATUS_TEXT},
};
use kube::{Resource, core::object::HasStatus};
use serde_json::Value;

use crate::engine::{
    cluster::{ClusterError, ObjectEvent},
    context::kubernetes,
    kinds::reconcile::Reconcile,
    retry::{Failure, Requeue},
    run::{End, Flow, Run},
    seams::CrashPoint,
};

impl<R: Reconcile> Run<R> {
    /// The run's result in conditions, and whether they are to be written.
    pub(super) fn conclude(&mut self, end: End) -> (String, Requeue, bool) {
        match end {
            End::Requeue(requeue) => (self.synced_reason(), requeue, true),
            End::Failed(failure) => {
                self.failed(&failure, &failure.to_string());
                (failure.reason().as_str().into(), failure.requeue(), true)
            }
            End::Cluster(error) => {
                self.tell_unwritten(&error);
                let failure = kubernetes(error);
                self.failed(&failure, &failure.to_string());
                // Whoever wrote in between is to be seen before anything is said.
                (failure.reason().as_str().into(), Requeue::BackOff, !matches!(failure, Failure::Conflict(_)))
            }
            End::Gone => ("ok".into(), Requeue::OnChange, false),
            End::Parked => ("parked".into(), Requeue::OnChange, false),
        }
    }

    /// Says that the object is not as its spec says because of `failure`. Whether it is usable is another
    /// question, which a failure that passes does not answer.
    pub(crate) fn failed(&mut self, failure: &Failure, message: &str) {
        self.step_failed(failure, message, false);
    }

    /// The same for steps. Those on which nothing rests leave the object as usable as it was observed to be.
    pub(crate) fn step_failed(&mut self, failure: &Failure, message: &str, independent: bool) {
        let reason = failure.reason();
        if self.is_deleting() {
            self.set(ConditionType::Deleting, true, reason, message);
        }
        self.set(ConditionType::Synced, false, reason, message);
        if !(independent || failure.passes() && self.was_ready()) {
            self.set(ConditionType::Ready, false, reason, message);
        }
    }

    /// True when the object was ready as it is now specified.
    fn was_ready(&self) -> bool {
        let ready = self.object.status().and_then(|status| status.condition(ConditionType::Ready.as_str()));
        ready.is_some_and(|ready| {
            ready.status == "True" && ready.observed_generation == self.object.meta().generation
        })
    }

    /// `ok`, or why the object is not in sync: a word from the closed list of reasons.
    fn synced_reason(&self) -> String {
        let synced = self.status.condition(ConditionType::Synced.as_str());
        let failing = synced.filter(|condition| condition.status == "False");
        failing.map_or_else(|| "ok".to_owned(), |condition| condition.reason.clone())
    }

    /// Writes the status if it differs from what is stored, and tells people what changed.
    pub(super) async fn publish(&mut self) -> Result<(), ClusterError> {
        for kind in [ConditionType::Ready, ConditionType::Synced] {
            if self.status.condition(kind.as_str()).is_none() {
                self.set(kind, false, ConditionReason::Reconciling, "not looked at yet");
            }
        }
        let before = self.object.status().cloned().unwrap_or_default();
        if json(&before) == json(&self.status) && self.object.status().is_some() {
            return Ok(());
        }
        self.write_status().await?;
        self.reached(CrashPoint::StatusWritten).await;
        let changed: Vec<_> = changes(before.conditions(), self.status.conditions());
        for (warning, reason, message) in changed {
            self.emit(warning, &reason, &message).await;
        }
        if let Some((reason, message)) = self.reconciler.news(&before, &self.status) {
            self.emit(false, reason, message).await;
        }
        Ok(())
    }

    /// Writes the status to the version of the object that is known here, and no other.
    pub(crate) async fn write_status(&mut self) -> Result<(), ClusterError> {
        // Also what is written half-way, such as an intent, is to show in the one word that people read.
        self.reconciler.phase(&self.object, &self.checks, &mut self.status);
        let version = self.object.meta().resource_version.clone().unwrap_or_default();
        let status = json(&self.status);
        self.shared.metrics.write(R::Kind::NAME, "status");
        let written = self.shared.cluster.apply_status(&self.target, &version, &status).await?;
        self.take(written)
    }

    /// Writes the status, or ends the run.
    pub(crate) async fn save_status(&mut self) -> Flow {
        match self.write_status().await {
            Ok(()) => Continue(()),
            Err(error) => Break(self.own_write_failed(error).await),
        }
    }

    /// Goes on with a version of the object that the API server returned.
    pub(crate) fn take(&mut self, returned: Value) -> Result<(), ClusterError> {
        // What serde says is left out: it repeats values.
        let mut object: R::Kind = serde_json::from_value(returned)
            .map_err(|_| ClusterError::Refused("the stored object can't be read".into()))?;
        object.meta_mut().managed_fields = None;
        object.abridge();
        if let Some(tries) = self.shared.unwritten.written(self.ctx.key()) {
            tracing::info!(tries, "written, after it was tried in vain");
        }
        self.object = Arc::new(object);
        self.shared.newer.wrote(store(self.object.clone()));
        Ok(())
    }

    pub(crate) fn set(&mut self, kind: ConditionType, status: bool, reason: ConditionReason, message: &str) {
        self.set_extra(kind.as_str(), status, reason.as_str(), message);
    }

    /// Sets a condition of any type.
    pub(crate) fn set_extra(&mut self, kind: &str, status: bool, reason: &str, message: &str) {
        let generation = self.object.meta().generation;
        let now = self.shared.clock.now();
        self.status.set(kind, status, reason, &bounded(message), generation, now);
    }

    /// Says why the object is neither in sync nor usable.
    pub(crate) fn unready(&mut self, reason: ConditionReason, message: &str) {
        self.set(ConditionType::Synced, false, reason, message);
        self.set(ConditionType::Ready, false, reason, message);
    }

    /// Emits an event. A failure is logged and has no other effect.
    pub(crate) async fn emit(&self, warning: bool, reason: &str, message: &str) {
        let event = ObjectEvent {
            key: self.ctx.key().clone(),
            resource: self.target.resource.clone(),
            uid: self.meta().uid.clone().unwrap_or_default(),
            warning,
            reason: reason.to_owned(),
            message: bounded(message),
        };
        self.shared.metrics.write(R::Kind::NAME, "event");
        if let Err(error) = self.shared.cluster.emit_event(&event).await {
            tracing::info!(%error, reason, "an event was not taken");
        }
    }

    /// Logs that the API server did not take a write: a cause that lasts once, one that passes each time.
    pub(super) fn tell_unwritten(&self, error: &ClusterError) {
        if *error == ClusterError::NotFound {
            return tracing::debug!("a write found no object");
        }
        if !error.is_lasting() {
            return tracing::info!(%error, "a write was not taken; trying again");
        }
        if self.shared.unwritten.failed(self.ctx.key(), &error.to_string()) {
            warn_seldom!(self.shared.unwritten.seldom, %error, "a write is refused; it is tried again");
        }
    }

    /// A write to the object itself failed. Only a read that finds nothing means that the object is gone: an old
    /// CustomResourceDefinition without a status answers 404 as well.
    pub(crate) async fn own_write_failed(&self, error: ClusterError) -> End {
        if error != ClusterError::NotFound {
            return End::Cluster(error);
        }
        match self.is_stored().await {
            Ok(true) => {
                if self.shared.unwritten.failed(self.ctx.key(), "not served") {
                    warn_seldom!(
                        self.shared.unwritten.seldom,
                        "the object is there, but can't be written; is its CustomResourceDefinition up to date?"
                    );
                }
                End::Cluster(error)
            }
            Ok(false) => End::Gone,
            Err(error) => End::Cluster(error),
        }
    }

    /// Whether the API server still has the object itself, and not only another of its name.
    pub(super) async fn is_stored(&self) -> Result<bool, ClusterError> {
        let live = self.shared.cluster.get(&self.target).await?;
        Ok(live.is_some_and(|live| live["metadata"]["uid"].as_str() == self.meta().uid.as_deref()))
    }
}

/// A status as it is sent. What a service said may be longer than the API server takes.
pub(crate) fn json(status: &impl serde::Serialize) -> Value {
    let mut status = serde_json::to_value(status).unwrap_or_default();
    let parts = status.as_object_mut().into_iter().flatten();
    // Those of an intent tell calls apart, and conditions are bounded as they are set.
    parts
        .filter(|(name, _)| !matches!(name.as_str(), "intent" | "conditions"))
        .for_each(|(_, part)| cut(part));
    status
}

/// Cuts each text to what the schemas of statuses allow.
fn cut(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LONGEST_STATUS_TEXT => {
            let end = text.floor_char_boundary(LONGEST_STATUS_TEXT - '…'.len_utf8());
            text.truncate(end);
            text.push('…');
        }
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, field)| cut(field)),
        _ => {}
    }
}

/// `text`, cut where it would be too long to be read.
pub(crate) fn bounded(text: &str) -> String {
    const MOST: usize = 1024;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}…", &text[..cut]),
    }
}

/// The first few of `items`, and how many more there are.
pub(crate) fn listed(items: impl IntoIterator<Item = String>) -> String {
    const MOST: usize = 10;
    let items: Vec<_> = items.into_iter().collect();
    let shown = items.iter().take(MOST).cloned().collect::<Vec<_>>().join("; ");
    match items.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// What people want to be told of the way from `old` to `new` conditions.
fn changes(old: &[Condition], new: &[Condition]) -> Vec<(bool, String, String)> {
    let same =
        |a: &Condition, b: &Condition| a.type_ == b.type_ && a.status == b.status && a.reason == b.reason;
    let known = |one: &&Condition| old.iter().any(|old| same(old, one));
    let changed = new.iter().filter(|one| !known(one)).filter_map(|one| {
        let good = match one.type_.as_str() {
            // Of one that was never looked at before, what was done tells more.
            "Ready" if one.status == "True" && old.iter().any(|old| old.type_ == "Ready") => true,
            // What was made does not work, or nothing can be made of what is said.
            "Ready" if one.status == "False" && ["ChildFailed", "Invalid"].contains(&one.reason.as_str()) => {
                false
            }
            "Paused" | "Deleting" if one.status == "True" => {
                one.reason == "Paused" || one.reason == "Deleting"
            }
            "Synced" | "Valid" | "ReferencesResolved" if one.status == "False" => {
                one.reason == "Reconciling" || one.reason == "ObserveOnly"
            }
            "Drifted" | "Unknown" | "Unsupported" if one.status == "True" => false,
            _ => return None,
        };
        Some((!good, one.reason.clone(), one.message.clone()))
    });
    let mut told: Vec<(bool, String, String)> = Vec::new();
    for one in changed {
        if !told.iter().any(|other| (&other.1, &other.2) == (&one.1, &one.2)) {
            told.push(one);
        }
    }
    told
}
