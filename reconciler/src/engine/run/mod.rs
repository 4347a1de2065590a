//! One run over one object: its steps in their order, and how it ends.

pub(crate) mod checks;
mod converge;
mod delete;
mod ending;
mod metadata;
mod referrers;
mod secrets;
pub(crate) mod status;
pub(crate) mod unwritten;

use std::{
    convert::Infallible,
    ops::ControlFlow::{self, Break},
    sync::Arc,
    time::Duration,
};

use concierge_shared::{
    admission::{lookup::Found, resync},
    status::{ConditionReason, ConditionType, Conditions},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::object::HasStatus};
use tokio::time::Instant;

use crate::engine::{
    annotation,
    cluster::{ClusterError, Target},
    context::{Context, guard::Guard},
    kinds::{
        checks::Checks,
        reconcile::{Reconcile, StatusOf},
    },
    once::calls::SendState,
    retry::{Failure, Requeue},
    schedule::queue::Lane,
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
    pub(crate) fencing_token: String,
}

impl<R: Reconcile> Run<R> {
    /// Runs over the object once. Returns how long until it is due again, or `None` until something wakes it.
    pub(crate) async fn execute(
        reconciler: Arc<R>,
        ctx: Context,
        fencing_token: String,
    ) -> Option<(Lane, Duration)> {
        let (shared, key) = (ctx.shared.clone(), ctx.key().clone());
        let longest = reconciler.longest_back_off();
        let began = Instant::now();
        let (result, requeue, generation, left) = match Self::begin(reconciler.clone(), ctx, fencing_token) {
            Ok(mut run) => {
                run.reached(CrashPoint::Begun).await;
                let was_over = run.is_over();
                let Break(end) = Box::pin(run.go()).await;
                let generation = run.object.meta().generation;
                // A time that ran out during the run is seen by the next.
                let left = if !was_over && run.is_over() { Some(Duration::ZERO) } else { run.time_left() };
                let (result, requeue) = run.end(end).await;
                (result, requeue, generation, left)
            }
            Err((result, requeue)) => (result, requeue, None, None),
        };
        tracing::debug!(result, ?requeue, "reconciled");
        reconciler.ran(&result, began.elapsed());
        shared.metrics.run(key.kind, result, began.elapsed());
        let next = requeue.next(&shared.back_off, &*shared.random, &key, generation);
        let next = match requeue {
            Requeue::BackOff => next.map(|(lane, wait)| (lane, wait.min(longest))),
            _ => next,
        };
        ending::in_time(next, left)
    }

    /// The run over the newest known version of the object; when there is none, a result for the metric and when to come again.
    fn begin(reconciler: Arc<R>, ctx: Context, fencing_token: String) -> Result<Self, (String, Requeue)> {
        let (shared, key) = (ctx.shared.clone(), ctx.key());
        let cached = match shared.objects.find(key.kind, &key.namespace, &key.name) {
            Found::Present(object) => object,
            Found::Absent => return Err(("ok".into(), Requeue::OnChange)),
            Found::Unknown => return Err(("Transient".into(), Requeue::BackOff)),
        };
        let newest = shared.newer.newer(key, cached);
        let (Some(object), Some(target)) = (newest.get::<R::Kind>(), shared.target(key)) else {
            return Err(("ok".into(), Requeue::OnChange));
        };
        let status = object.status().cloned().unwrap_or_default();
        Ok(Self { shared, reconciler, ctx, target, object, status, checks: Checks::default(), fencing_token })
    }

    async fn go(&mut self) -> Ended {
        self.acknowledge();
        // Before all that could keep it: by then, `observe-only` is the operator's setting alone (`goes_anyway`).
        if self.is_over() && !self.only_observes() {
            return self.end_by_itself().await;
        }
        if annotation::is_set(&*self.object, annotation::PAUSED) && !self.goes_anyway() {
            return self.pause().await;
        }
        self.status.clear(ConditionType::Paused.as_str());
        *self.status.observed_generation_mut() = self.object.meta().generation;
        let deleting = self.is_deleting();
        let abandoned = deleting && self.may_abandon();
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

    /// A new text of the annotation `reconcile-at` is an order to try everything again.
    fn acknowledge(&mut self) {
        let token = annotation::reconcile_token(&*self.object);
        if let (Some(token), Some(slot)) = (token, self.status.reconciled_at_mut())
            && slot.as_ref() != Some(&token)
        {
            *slot = Some(token);
            self.shared.back_off.reset(self.ctx.key());
        }
    }

    /// True when the text of `reconcile-at` is one that no run has acted on.
    pub(crate) fn reconcile_requested(&self) -> bool {
        let mut before = self.object.status().cloned().unwrap_or_default();
        let before = before.reconciled_at_mut().and_then(|slot| slot.take());
        annotation::reconcile_token(&*self.object).is_some_and(|token| before.as_ref() != Some(&token))
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
                self.tell_unwritten(&error);
                ("Conflict".into(), Requeue::BackOff)
            }
        }
    }

    /// True while the term in which the run began lasts: whoever leads now has the last word.
    fn leads(&self) -> bool {
        self.shared.term.borrow().as_ref().is_some_and(|term| term.token == self.fencing_token)
    }

    pub(crate) fn guard(&self, once: Option<Arc<SendState>>) -> Guard {
        Guard::new(self.ctx.clone(), self.fencing_token.clone(), once)
    }

    pub(crate) async fn reached(&self, point: CrashPoint) {
        self.shared.reached(point, self.ctx.key()).await;
    }

    pub(crate) fn meta(&self) -> &ObjectMeta {
        self.object.meta()
    }

    pub(crate) fn is_deleting(&self) -> bool {
        self.meta().deletion_timestamp.is_some()
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        concierge_shared::admission::review::annotation(&*self.object, key)
    }

    pub(crate) fn only_observes(&self) -> bool {
        let asked = annotation::is_set(&*self.object, annotation::OBSERVE_ONLY) && !self.goes_anyway();
        self.shared.settings.observe_only || asked
    }

    /// Ends the run until the next resync, when nothing changes before.
    pub(crate) fn resync(&self) -> End {
        End::Requeue(Requeue::Resync(self.resync_interval()))
    }

    /// How often the object is reconciled while nothing changes, within what its account can bear.
    pub(crate) fn resync_interval(&self) -> Duration {
        let wanted = resync::resync(self.meta()).unwrap_or_else(|| self.reconciler.resync(&self.object));
        self.ctx.limiter.bearable(wanted)
    }
}

/// How a run ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The conditions say all there is to say.
    Requeue(Requeue),
    /// A step, or what leads to it, went wrong.
    Failed(Failure),
    /// The API server did not take a write of ours.
    Cluster(ClusterError),
    /// There is nothing left to write a status to.
    Gone,
    /// All places at the account are taken; the account wakes the object.
    Parked,
}

/// Goes on with a value, or ends the run.
pub(crate) type Flow<T = ()> = ControlFlow<End, T>;

/// Ends the run in any case.
pub(crate) type Ended = ControlFlow<End, Infallible>;

/// Lets `?` end the run on an error.
pub(crate) trait OrEnd<T> {
    fn or_end(self) -> Flow<T>;
}

impl<T, E: Into<End>> OrEnd<T> for Result<T, E> {
    fn or_end(self) -> Flow<T> {
        match self {
            Ok(value) => Flow::Continue(value),
            Err(error) => Flow::Break(error.into()),
        }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        End::Failed(failure)
    }
}

impl From<ClusterError> for End {
    fn from(error: ClusterError) -> Self {
        End::Cluster(error)
    }
}
