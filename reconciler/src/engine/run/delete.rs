//! The deletion of an object.

use std::ops::ControlFlow::{Break, Continue};

use concierge_shared::{
    admission::{reference::DELETE_IN_USE_ANNOTATION, seen::FEW},
    status::{ConditionReason, ConditionType},
};

use kube::core::object::HasStatus;

use crate::engine::{
    annotation,
    cluster::objects::ObjectKey,
    kinds::{
        plan::{Deletion, DeletionPolicy, Owner, Planned},
        reconcile::Reconcile,
    },
    once::has_intents,
    retry::Requeue,
    run::{End, Ended, Flow, OrEnd, Run, metadata::is_legacy, status::listed},
    seams::CrashPoint,
};

impl<R: Reconcile> Run<R> {
    /// Removes the remote thing, then the finalizer. Nothing here may depend on objects that may be gone already.
    pub(crate) async fn delete(&mut self) -> Ended {
        if !self.has_finalizer() {
            return Break(End::Gone);
        }
        self.set(ConditionType::Deleting, true, ConditionReason::Deleting, "");
        if self.may_abandon() {
            return self
                .leave_remote(
                    ConditionReason::Abandoned,
                    "the remote thing, if any, is left in place as asked",
                )
                .await;
        }
        self.wait_for_referrers().await?;
        if !self.reconciler.needs_finalizer(&self.object, None) || !self.may_exist() {
            self.release().await?;
            return Break(End::Gone);
        }
        if self.reconciler.deletion_policy(&self.ctx, &self.object) == DeletionPolicy::Retain {
            return self
                .leave_remote(
                    ConditionReason::Abandoned,
                    "the remote thing is left in place: deletionPolicy is Retain",
                )
                .await;
        }
        self.delete_remote().await
    }

    async fn wait_for_referrers(&mut self) -> Flow {
        if annotation::is_set(&*self.object, DELETE_IN_USE_ANNOTATION) {
            return Continue(());
        }
        let (count, referrers) = self.referrers().await?;
        if referrers.is_empty() {
            return Continue(());
        }
        let own = referrers.iter().filter(|referrer| referrer.namespace() == self.target.namespace);
        let mut names: Vec<_> = own.map(|referrer| ObjectKey::from(referrer).to_string()).collect();
        names.sort();
        let message = format!("in use by {}; delete or change them first", users(&names, count));
        self.set(ConditionType::Deleting, true, ConditionReason::Deleting, &message);
        Break(self.resync())
    }

    async fn delete_remote(&mut self) -> Ended {
        let connected = self.connect().await?;
        if !self.only_observes() {
            self.settle(&connected.remote).await?;
        }
        let steps = match self.plan_deletion(&connected.remote).await? {
            None => return self.finish_deletion().await,
            Some(steps) => steps,
        };
        if self.only_observes() {
            let would = listed(steps.iter().map(|planned| planned.step.to_string()));
            self.set(
                ConditionType::Deleting,
                true,
                ConditionReason::ObserveOnly,
                &format!("only observed; would {would}"),
            );
            return Break(self.resync());
        }
        // The cache may lag behind: the object may be gone by force, and another of its name may have what it made, as after a restored
        // backup.
        if !self.is_stored().await.or_end()? {
            return Break(End::Gone);
        }
        let taken = self.act(&connected.remote, &steps).await?;
        if !taken.is_complete() {
            return Break(self.report_incomplete(&taken));
        }
        match self.plan_deletion(&connected.remote).await? {
            None => self.finish_deletion().await,
            Some(steps) => {
                let left = listed(steps.iter().map(|planned| planned.step.to_string()));
                self.set(
                    ConditionType::Deleting,
                    true,
                    ConditionReason::Deleting,
                    &format!("still to do: {left}"),
                );
                Break(End::Requeue(Requeue::BackOff))
            }
        }
    }

    /// What is left to do; `None` when nothing of ours is there any more.
    async fn plan_deletion(&mut self, remote: &R::Remote) -> Flow<Option<Vec<Planned<R::Step>>>> {
        let observed = self.observe(remote).await?;
        match self.reconciler.owner(&self.object, &observed) {
            Owner::Ours => {}
            Owner::Nobody => return Continue(None),
            Owner::Other(whose) => {
                let message = format!("the remote thing is not ours ({whose}); it is left in place");
                self.emit(false, ConditionReason::Abandoned.as_str(), &message).await;
                return Continue(None);
            }
        }
        self.reconciler.report(&self.object, &observed, &mut self.status);
        match self.reconciler.plan_deletion(&self.object, &observed, self.ctx.now()) {
            Deletion::Gone => Continue(None),
            Deletion::Left(message) => {
                self.emit(false, ConditionReason::Abandoned.as_str(), &message).await;
                Continue(None)
            }
            Deletion::Steps(steps) => Continue(Some(steps)),
            Deletion::Wait { message, look_again } => {
                self.set(ConditionType::Deleting, true, ConditionReason::Deleting, &message);
                Break(End::Requeue(Requeue::Resync(look_again)))
            }
            Deletion::Blocked(reason, message) => {
                self.set(ConditionType::Deleting, true, reason, &message);
                Break(self.resync())
            }
        }
    }

    /// The remote thing is observed to be gone.
    async fn finish_deletion(&mut self) -> Ended {
        self.reached(CrashPoint::Gone).await;
        self.release().await?;
        tracing::info!("deleted");
        Break(End::Gone)
    }

    async fn leave_remote(&mut self, reason: ConditionReason, message: &str) -> Ended {
        tracing::info!(message, "deleted");
        self.emit(false, reason.as_str(), message).await;
        self.release().await?;
        Break(End::Gone)
    }

    /// Whether what is stored of the object tells that it exists remotely, or may.
    pub(crate) fn may_exist(&self) -> bool {
        let inherited = self.meta().finalizers.iter().flatten().any(|one| is_legacy::<R>(one));
        inherited && !has_intents::<R>()
            || annotation::is_set(&*self.object, annotation::MADE)
            || self.reconciler.may_exist(&self.object, self.object.status())
    }
}

/// The first of the `names`, and how many more of `all` there are. Nobody learns the names of what is in other namespaces.
fn users(names: &[String], all: usize) -> String {
    let shown = &names[..names.len().min(FEW)];
    match (all.saturating_sub(shown.len()), shown.is_empty()) {
        (0, _) => shown.join(", "),
        (1, true) => "an object in another namespace".to_owned(),
        (more, true) => format!("{more} objects in other namespaces"),
        (more, false) => format!("{} and {more} more", shown.join(", ")),
    }
}
