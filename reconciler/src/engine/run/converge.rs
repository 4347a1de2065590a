//! Connect, observe, plan, act; and what is said of it.

use std::{
    ops::ControlFlow::{Break, Continue},
    time::Duration,
};

use concierge_shared::{
    kind::Kind,
    status::{ConditionReason, ConditionType, Conditions},
};

use kube::core::object::HasStatus;

use crate::engine::{
    account::Permit,
    annotation,
    kinds::{
        plan::{Owner, Plan, Planned, Readiness},
        reconcile::Reconcile,
    },
    metrics::DriftLabels,
    retry::{Failure, Requeue},
    run::{End, Ended, Flow, OrEnd, Run, status::listed},
    seams::CrashPoint,
};

/// What is due already and not done in the same run is not looked at again sooner.
const SHORTEST: Duration = Duration::from_secs(1);

/// The connection of one run. The place at the account is given back with it.
pub(crate) struct Connected<R: Reconcile> {
    pub(crate) remote: R::Remote,
    _permit: Permit,
}

/// What came of some steps.
#[derive(Default)]
pub(crate) struct Taken {
    failed: Vec<FailedStep>,
    /// The messages of steps that have more to do.
    progress: Vec<String>,
}

/// A step that went wrong.
struct FailedStep {
    text: String,
    independent: bool,
    failure: Failure,
}

impl<R: Reconcile> Run<R> {
    /// Makes the remote side what the spec says.
    ///
    /// A call in doubt is settled before anything is observed: a plan that is made while it may still take effect would plan
    /// the same call again. Observing is repeated after the steps, and only that decides whether the object is in sync.
    pub(crate) async fn converge(&mut self) -> Ended {
        let connected = self.connect().await?;
        if !self.only_observes() {
            self.settle(&connected.remote).await?;
        }
        let observed = self.observe(&connected.remote).await?;
        self.check_owner(&observed)?;
        let plan = self.plan(&observed);
        self.note_drift(&plan);
        self.describe(&plan, &observed);
        self.reached(CrashPoint::Planned).await;
        if self.only_observes() {
            return Break(self.publish_plan(&plan));
        }
        self.add_finalizers(&observed, !plan.steps.is_empty()).await?;
        if plan.steps.is_empty() {
            return Break(self.in_sync(&plan));
        }
        let taken = self.act(&connected.remote, &plan.steps).await?;
        if !taken.is_complete() {
            return Break(self.report_incomplete(&taken));
        }
        self.verify(&connected.remote, &texts(&plan)).await
    }

    /// Finds the account and takes a place at it.
    pub(crate) async fn connect(&mut self) -> Flow<Connected<R>> {
        let (account, remote) = self.reconciler.connect(&self.ctx, &self.object).await.or_end()?;
        let limiter = self.shared.accounts.limiter(&account);
        let Some(permit) = limiter.permit(self.ctx.key(), self.ctx.lane()) else { return Break(End::Parked) };
        if self.reconcile_requested() {
            limiter.allow_probe();
        }
        self.ctx = self.ctx.clone().at(limiter);
        Continue(Connected { remote, _permit: permit })
    }

    pub(crate) async fn observe(&mut self, remote: &R::Remote) -> Flow<R::Observed> {
        let observed = self.reconciler.observe(&self.ctx, remote, &self.object).await.or_end()?;
        self.reached(CrashPoint::Observed).await;
        Continue(observed)
    }

    fn plan(&self, observed: &R::Observed) -> Plan<R::Step> {
        self.reconciler.plan(&self.object, observed, self.ctx.now())
    }

    /// Ends the run when the remote thing belongs to somebody else, and nobody asked for its adoption.
    fn check_owner(&mut self, observed: &R::Observed) -> Flow {
        let Owner::Other(whose) = self.reconciler.owner(&self.object, observed) else { return Continue(()) };
        if annotation::is_set(&*self.object, annotation::ADOPT) {
            return Continue(());
        }
        let message = format!(
            "the remote thing is not ours ({whose}); to take it over, set the annotation {}: \"true\"",
            annotation::ADOPT
        );
        self.reconciler.report(&self.object, observed, &mut self.status);
        self.unready(ConditionReason::OwnedByOther, &message);
        Break(self.resync())
    }

    /// What the plan says of the object as it was observed.
    fn describe(&mut self, plan: &Plan<R::Step>, observed: &R::Observed) {
        self.reconciler.report(&self.object, observed, &mut self.status);
        match &plan.readiness {
            Readiness::Ready => self.set(ConditionType::Ready, true, ConditionReason::Reconciled, ""),
            Readiness::NotReady(reason, message) => self.set(ConditionType::Ready, false, *reason, message),
        }
        match plan.unsupported.is_empty() {
            true => self.status.clear(ConditionType::Unsupported.as_str()),
            false => {
                let fields = plan.unsupported.iter().map(|one| format!("{}: {}", one.field, one.message));
                self.set(ConditionType::Unsupported, true, ConditionReason::Unsupported, &listed(fields));
            }
        }
        for extra in &plan.conditions {
            self.set_extra(extra.kind, extra.status, extra.reason, &extra.message);
        }
    }

    /// A difference is drift only if the remote side was as this generation of the spec says before. Otherwise it is work that is not
    /// done yet.
    fn note_drift(&mut self, plan: &Plan<R::Step>) {
        let synced = self.object.status().and_then(|status| status.condition(ConditionType::Synced.as_str()));
        let generation = self.meta().generation;
        let was_synced =
            synced.is_some_and(|one| one.status == "True" && one.observed_generation == generation);
        let differs = plan.drift().next().is_some();
        if differs && (was_synced || self.only_observes()) {
            let fields = plan.drift().map(|one| format!("{}: {} -> {}", one.field, one.found, one.wanted));
            self.set(ConditionType::Drifted, true, ConditionReason::DriftDetected, &listed(fields));
            for one in plan.drift().filter(|_| was_synced) {
                let labels = DriftLabels { kind: R::Kind::NAME, field: one.field };
                self.shared.metrics.drift.get_or_create(&labels).inc();
            }
        } else if !differs && self.status.condition(ConditionType::Drifted.as_str()).is_some() {
            self.set(ConditionType::Drifted, false, ConditionReason::InSync, "");
        }
    }

    fn publish_plan(&mut self, plan: &Plan<R::Step>) -> End {
        let steps = listed(plan.steps.iter().map(|planned| planned.step.to_string()));
        match plan.steps.is_empty() {
            true => {
                self.set(ConditionType::Synced, true, ConditionReason::InSync, "only observed; nothing to do")
            }
            false => {
                let message = format!("only observed; would {steps}");
                self.set(ConditionType::Synced, false, ConditionReason::ObserveOnly, &message);
            }
        }
        self.resync()
    }

    fn in_sync(&mut self, plan: &Plan<R::Step>) -> End {
        self.set(ConditionType::Synced, true, ConditionReason::Reconciled, "");
        let resync = self.resync_interval();
        let wait = plan.look_again.map_or(resync, |sooner| sooner.min(resync));
        let until = plan.due.map(|due| due.duration_since(self.ctx.now()));
        let until = until.map(|until| Duration::try_from(until).unwrap_or_default());
        // A resync may be a tenth late, and what is due may not.
        End::Requeue(match until.filter(|until| *until < wait.mul_f64(1.1)) {
            Some(until) => Requeue::After(until.max(SHORTEST)),
            None => Requeue::Resync(wait),
        })
    }

    /// Takes the steps in order. After one that has failed, or of which there is more, only those that do not build upon it are taken.
    pub(crate) async fn act(&mut self, remote: &R::Remote, steps: &[Planned<R::Step>]) -> Flow<Taken> {
        let mut taken = Taken::default();
        for planned in steps {
            if !taken.is_complete() && !planned.independent {
                continue;
            }
            self.note_place(remote, &planned.step).await?;
            let result = match &planned.once {
                Some(once) => self.act_once(remote, &planned.step, once).await?.map(|()| None),
                None => self.act_repeatably(remote, &planned.step).await,
            };
            match result {
                Ok(progress) => taken.progress.extend(progress),
                Err(failure) => taken.failed.push(FailedStep {
                    text: planned.step.to_string(),
                    independent: planned.independent,
                    failure,
                }),
            }
        }
        Continue(taken)
    }

    /// Writes where `step` is about to make something into the status that is stored; what this run will say of the object is not true
    /// yet.
    async fn note_place(&mut self, remote: &R::Remote, step: &R::Step) -> Flow {
        let mut stored = self.object.status().cloned().unwrap_or_default();
        let mut said = self.status.clone();
        self.reconciler.note_place(remote, step, &self.status, &mut said);
        if self.reconciler.note_place(remote, step, &self.status, &mut stored) {
            self.status = stored;
            self.save_status().await?;
        }
        self.status = said;
        Continue(())
    }

    /// Returns the step's message if it has more to do.
    async fn act_repeatably(
        &mut self,
        remote: &R::Remote,
        step: &R::Step,
    ) -> Result<Option<String>, Failure> {
        let guard = self.guard(None);
        guard.check()?;
        let result = self.reconciler.act(&guard, remote, &self.object, step).await;
        self.reached(CrashPoint::Acted).await;
        let outcome = result?;
        if outcome.more {
            tracing::debug!(step = %step, outcome = outcome.message, "in progress");
            return Ok(Some(outcome.message));
        }
        tracing::info!(step = %step, outcome = outcome.message, "done");
        self.emit(false, outcome.reason.as_str(), &outcome.message).await;
        Ok(None)
    }

    /// Reports what is not done yet, and why. A step that has more to do goes on whatever else failed: the account's limits bound both.
    pub(crate) fn report_incomplete(&mut self, taken: &Taken) -> End {
        let progress = listed(taken.progress.iter().cloned());
        let Some(soonest) = taken.soonest() else {
            let about = if self.is_deleting() { ConditionType::Deleting } else { ConditionType::Synced };
            let reason =
                if self.is_deleting() { ConditionReason::Deleting } else { ConditionReason::Reconciling };
            self.set(about, self.is_deleting(), reason, &progress);
            return End::Requeue(Requeue::Again);
        };
        let message = taken.failed.iter().map(|one| format!("{}: {}", one.text, one.failure));
        self.step_failed(&soonest, &listed(message), taken.all_independent());
        End::Requeue(match soonest.requeue() {
            _ if !taken.progress.is_empty() => Requeue::Again,
            // The object is reconciled at its usual interval, which tries this step again.
            Requeue::Slow if taken.all_independent() => Requeue::Resync(self.resync_interval()),
            requeue => requeue,
        })
    }

    /// Observes once more after the steps, so that the status tells what is there, not what was expected.
    async fn verify(&mut self, remote: &R::Remote, taken: &[String]) -> Ended {
        let observed = self.observe(remote).await?;
        let plan = self.plan(&observed);
        self.describe(&plan, &observed);
        if plan.steps.is_empty() {
            self.note_mended();
            return Break(self.in_sync(&plan));
        }
        let left = texts(&plan);
        let (message, requeue) = match left == taken {
            // Without this, a service that shows something else than it accepted would get the same call for ever.
            true => ("the service accepted it, but shows no change", Requeue::Stalled),
            false => ("still to do", Requeue::BackOff),
        };
        let message = format!("{message}: {}", listed(left));
        self.set(ConditionType::Synced, false, ConditionReason::Reconciling, &message);
        Break(End::Requeue(requeue))
    }

    fn note_mended(&mut self) {
        if self.status.condition(ConditionType::Drifted.as_str()).is_some() {
            self.set(ConditionType::Drifted, false, ConditionReason::InSync, "");
        }
    }
}

fn texts<S: std::fmt::Display>(plan: &Plan<S>) -> Vec<String> {
    plan.steps.iter().map(|planned| planned.step.to_string()).collect()
}

impl Taken {
    /// Whether all steps were taken to their end.
    pub(crate) fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.progress.is_empty()
    }

    /// Whether what failed is nothing that the rest of the object rests on.
    fn all_independent(&self) -> bool {
        self.failed.iter().all(|one| one.independent)
    }

    /// The failure that is to be retried first, if any; it decides when the object comes again.
    fn soonest(&self) -> Option<Failure> {
        let order = |failure: &Failure| match failure.requeue() {
            Requeue::NotBefore(_) => 1,
            Requeue::Slow => 2,
            _ => 0,
        };
        self.failed.iter().map(|one| &one.failure).min_by_key(|failure| order(failure)).cloned()
    }
}
