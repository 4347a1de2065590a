//! One run over one object: the way it goes, and what is written about it.

use std::{
    ops::ControlFlow::{Break, Continue},
    sync::Arc,
    time::Duration,
};

use concierge_shared::{
    admission::{lookup::Found, resync},
    kind::Kind,
    status::{Condition, ConditionReason, ConditionType, Conditions},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::object::HasStatus};
use serde_json::Value;
use tokio::time::Instant;

pub(crate) mod checks;
mod converge;
mod delete;
pub(crate) mod end;
mod metadata;
mod restored;
mod secrets;

use crate::engine::{
    annotation,
    cluster::{ClusterError, ObjectEvent, Target},
    context::{Context, guard::Guard, kubernetes},
    kinds::{
        checks::Checks,
        reconcile::{Reconcile, StatusOf},
    },
    once::calls::SendState,
    retry::{Failure, Requeue},
    run::end::{End, Ended, Flow},
    seams::CrashPoint,
    shared::Shared,
};

/// One run over one object.
pub(crate) struct Run<R: Reconcile> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) reconciler: Arc<R>,
    pub(crate) ctx: Context,
    pub(crate) target: Target,
    /// The newest version that is known: from the cache, or returned by a write.
    pub(crate) object: Arc<R::Kind>,
    /// The status as it is to be.
    pub(crate) status: StatusOf<R>,
    /// What this run has checked so far.
    pub(crate) checks: Checks,
    /// The term of leadership in which the run began.
    pub(crate) token: String,
}

impl<R: Reconcile> Run<R> {
    /// Goes over the object once; how long until it is due again, or `None` until something wakes it.
    pub(crate) async fn execute(reconciler: Arc<R>, ctx: Context, token: String) -> Option<Duration> {
        let (shared, key) = (ctx.shared.clone(), ctx.key().clone());
        let began = Instant::now();
        let (result, requeue, generation) = match Self::begin(reconciler, ctx, token) {
            Ok(mut run) => {
                run.reached(CrashPoint::Begun).await;
                let Break(end) = Box::pin(run.go()).await;
                let generation = run.object.meta().generation;
                let (result, requeue) = run.end(end).await;
                (result, requeue, generation)
            }
            Err((result, requeue)) => (result, requeue, None),
        };
        tracing::debug!(result, ?requeue, "reconciled");
        shared.metrics.run(key.kind, result, began.elapsed());
        requeue.wait(&shared.back_off, &*shared.random, &key, generation)
    }

    /// The run over the newest known version of the object; when there is none, a result for the metric and when to come again.
    fn begin(reconciler: Arc<R>, ctx: Context, token: String) -> Result<Self, (String, Requeue)> {
        let (shared, key) = (ctx.shared.clone(), ctx.key());
        let cached = match shared.objects.find(key.kind, &key.namespace, &key.name) {
            Found::Present(object) => object,
            Found::Absent => return Err(("ok".into(), Requeue::OnChange)),
            Found::Unknown => return Err(("Transient".into(), Requeue::BackOff)),
        };
        let newest = shared.own_writes.newer(key, cached);
        let (Some(object), Some(target)) = (newest.get::<R::Kind>(), shared.target(key)) else {
            return Err(("ok".into(), Requeue::OnChange));
        };
        let status = object.status().cloned().unwrap_or_default();
        Ok(Self { shared, reconciler, ctx, target, object, status, checks: Checks::default(), token })
    }

    async fn go(&mut self) -> Ended {
        self.acknowledge();
        if annotation::is_set(&*self.object, annotation::PAUSED) {
            return self.pause().await;
        }
        self.status.clear(ConditionType::Paused.as_str());
        *self.status.observed_generation_mut() = self.object.meta().generation;
        let deleting = self.object.meta().deletion_timestamp.is_some();
        let abandoned = deleting && self.is_abandoned();
        if !self.only_observes() && !abandoned {
            self.hold_restored().await?;
        }
        if deleting {
            return self.delete().await;
        }
        if !self.only_observes() {
            self.update_metadata().await?;
            self.settle_pending().await?;
        }
        self.validate()?;
        self.resolve_references()?;
        self.converge().await
    }

    /// A new token of the annotation `reconcile-at` is an order to try everything again.
    fn acknowledge(&mut self) {
        let token = self.annotation(annotation::RECONCILE_AT).map(str::to_owned);
        if let (Some(token), Some(slot)) = (token, self.status.reconciled_at_mut())
            && slot.as_ref() != Some(&token)
        {
            *slot = Some(token);
            self.shared.back_off.reset(self.ctx.key());
        }
    }

    /// True when the token of `reconcile-at` is one that no run has acted on.
    pub(crate) fn reconcile_requested(&self) -> bool {
        let mut before = self.object.status().cloned().unwrap_or_default();
        let before = before.reconciled_at_mut().and_then(|slot| slot.take());
        self.annotation(annotation::RECONCILE_AT).is_some_and(|token| before.as_deref() != Some(token))
    }

    async fn pause(&mut self) -> Ended {
        let message = format!("paused; remove the annotation {} to go on", annotation::PAUSED);
        self.set(ConditionType::Paused, true, ConditionReason::Paused, &message);
        // Whether a call took effect is a question that others wait for too, and looking changes nothing at the service.
        if !self.only_observes() {
            self.settle_pending().await?;
        }
        Break(End::Requeue(Requeue::OnChange))
    }

    /// Writes what the run came to; its result for the metric, and when to come again.
    async fn end(mut self, end: End) -> (String, Requeue) {
        let (result, requeue, written) = self.conclude(end);
        if !written || !self.leads() {
            return (result, requeue);
        }
        self.reconciler.phase(&self.object, &self.checks, &mut self.status);
        match self.publish().await {
            Ok(()) => (result, requeue),
            Err(error) if matches!(self.own_write_failed(error.clone()).await, End::Gone) => {
                ("ok".into(), Requeue::OnChange)
            }
            Err(error) => {
                tracing::info!(%error, "the status is not written; trying again");
                ("Conflict".into(), Requeue::BackOff)
            }
        }
    }

    /// True while the term in which the run began lasts: whoever leads now has the last word.
    fn leads(&self) -> bool {
        self.shared.term.borrow().as_ref().is_some_and(|term| term.token == self.token)
    }

    /// What the run came to, in conditions; and whether they are to be written.
    fn conclude(&mut self, end: End) -> (String, Requeue, bool) {
        match end {
            End::Requeue(requeue) => (self.synced_reason(), requeue, true),
            End::Failed(failure) => {
                self.failed(&failure, &failure.to_string());
                (failure.reason().as_str().into(), failure.requeue(), true)
            }
            End::Cluster(error) => {
                tracing::info!(%error, "a write was not taken; trying again");
                let failure = kubernetes(error);
                // Whoever wrote in between is to be seen before anything is said.
                let written = !matches!(failure, Failure::Conflict(_));
                self.failed(&failure, &failure.to_string());
                (failure.reason().as_str().into(), Requeue::BackOff, written)
            }
            End::Gone => ("ok".into(), Requeue::OnChange, false),
            End::Parked => ("parked".into(), Requeue::OnChange, false),
        }
    }

    /// Says that the object is not as its spec says because of `failure`. Whether it is usable is another
    /// question, which a failure that passes does not answer.
    pub(crate) fn failed(&mut self, failure: &Failure, message: &str) {
        let reason = failure.reason();
        if self.object.meta().deletion_timestamp.is_some() {
            self.set(ConditionType::Deleting, true, reason, message);
        }
        self.set(ConditionType::Synced, false, reason, message);
        if !(failure.passes() && self.was_ready()) {
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
    async fn publish(&mut self) -> Result<(), ClusterError> {
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
        let mut object: R::Kind = serde_json::from_value(returned)
            .map_err(|error| ClusterError::Refused(format!("the stored object can't be read: {error}")))?;
        object.meta_mut().managed_fields = None;
        self.object = Arc::new(object);
        self.shared.own_writes.wrote(self.object.clone());
        Ok(())
    }

    /// Sets a condition.
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

    /// Tells people something, if the API server will take it.
    pub(crate) async fn emit(&self, warning: bool, reason: &str, message: &str) {
        let event = ObjectEvent {
            key: self.ctx.key().clone(),
            resource: self.target.resource.clone(),
            uid: self.meta().uid.clone().unwrap_or_default(),
            warning,
            reason: reason.to_owned(),
            message: bounded(message),
        };
        if let Err(error) = self.shared.cluster.emit_event(&event).await {
            tracing::info!(%error, reason, "an event was not taken");
        }
    }

    pub(crate) fn guard(&self, once: Option<Arc<SendState>>) -> Guard {
        Guard::new(self.ctx.clone(), self.token.clone(), once)
    }

    pub(crate) async fn reached(&self, point: CrashPoint) {
        self.shared.reached(point, self.ctx.key()).await;
    }

    pub(crate) fn meta(&self) -> &ObjectMeta {
        self.object.meta()
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        concierge_shared::admission::review::annotation(&*self.object, key)
    }

    pub(crate) fn only_observes(&self) -> bool {
        self.shared.settings.observe_only || annotation::is_set(&*self.object, annotation::OBSERVE_ONLY)
    }

    /// Ends the run until the next resync, when nothing changes before.
    pub(crate) fn resync(&self) -> End {
        End::Requeue(Requeue::Resync(self.resync_interval()))
    }

    /// How often the object is reconciled while nothing changes, as far as its account can bear it.
    pub(crate) fn resync_interval(&self) -> Duration {
        let wanted = resync::resync(self.meta()).unwrap_or_else(|| self.reconciler.resync(&self.object));
        self.ctx.limiter.bearable(wanted)
    }
}

/// A status as it is sent.
pub(crate) fn json(status: &impl serde::Serialize) -> Value {
    serde_json::to_value(status).unwrap_or_default()
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
            "Ready" if one.status == "True" => true,
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
    let mut told: Vec<_> = changed.collect();
    told.dedup_by(|a, b| (&a.1, &a.2) == (&b.1, &b.2));
    told
}
