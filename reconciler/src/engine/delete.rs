//! The way out of an object that is being deleted.

use concierge_shared::{
    admission::{reference::DELETE_IN_USE_ANNOTATION, review::abridged},
    status::{ConditionReason, ConditionType},
};

use super::{
    annotation,
    crash::CrashPoint,
    failure::Retry,
    key::ObjectKey,
    next::{Next, Stop},
    plan::{Deletion, DeletionPolicy, Owner, Planned},
    reconcile::Reconcile,
    work::{Work, listed},
};

impl<R: Reconcile> Work<R> {
    /// Removes the remote thing, then the finalizer; nothing here rests on what may be gone already.
    pub(crate) async fn delete(&mut self) -> Result<Next, Stop> {
        if !self.is_held() {
            return Err(Stop::Gone);
        }
        self.set(ConditionType::Deleting, true, ConditionReason::Deleting, "");
        if self.is_abandoned() {
            return self
                .leave(ConditionReason::Abandoned, "the remote thing, if any, is left in place as asked")
                .await;
        }
        self.wait_for_referrers()?;
        if !self.reconciler.needs_finalizer(&self.object) {
            self.let_go().await?;
            return Err(Stop::Gone);
        }
        if self.reconciler.deletion_policy(&self.pass, &self.object) == DeletionPolicy::Retain {
            return self
                .leave(
                    ConditionReason::Abandoned,
                    "the remote thing is left in place: deletionPolicy is Retain",
                )
                .await;
        }
        self.delete_remote().await
    }

    fn wait_for_referrers(&mut self) -> Result<(), Stop> {
        let mut names: Vec<_> =
            self.referrers().iter().map(|referrer| ObjectKey::from(referrer).to_string()).collect();
        if names.is_empty() || annotation::is_set(&*self.object, DELETE_IN_USE_ANNOTATION) {
            return Ok(());
        }
        names.sort();
        let message = format!("in use by {}; delete or change them first", abridged(&names));
        self.set(ConditionType::Deleting, true, ConditionReason::Deleting, &message);
        Err(Stop::Said(self.resync()))
    }

    async fn delete_remote(&mut self) -> Result<Next, Stop> {
        let connected = self.connect().await?;
        if !self.only_observes() {
            self.settle(&connected.remote).await?;
        }
        let steps = match self.look_at_deletion(&connected.remote).await? {
            None => return self.gone().await,
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
            return Err(Stop::Said(self.resync()));
        }
        let failures = self.act(&connected.remote, &steps).await?;
        if !failures.is_empty() {
            return Err(self.say_failures(&failures));
        }
        match self.look_at_deletion(&connected.remote).await? {
            None => self.gone().await,
            Some(steps) => {
                let left = listed(steps.iter().map(|planned| planned.step.to_string()));
                self.set(
                    ConditionType::Deleting,
                    true,
                    ConditionReason::Deleting,
                    &format!("still to do: {left}"),
                );
                Err(Stop::Said(Next::Retry(Retry::BackOff)))
            }
        }
    }

    /// What is left to do; `None` when nothing of ours is there any more.
    async fn look_at_deletion(&mut self, remote: &R::Remote) -> Result<Option<Vec<Planned<R::Step>>>, Stop> {
        let observed = self.observe(remote).await?;
        match self.reconciler.owner(&self.object, &observed) {
            Owner::Ours => {}
            Owner::Nobody => return Ok(None),
            Owner::Other(whose) => {
                let message = format!("the remote thing is not ours ({whose}); it is left in place");
                self.tell(false, ConditionReason::Abandoned.as_str(), &message).await;
                return Ok(None);
            }
        }
        self.reconciler.report(&self.object, &observed, &mut self.status);
        match self.reconciler.plan_deletion(&self.object, &observed, self.pass.now()) {
            Deletion::Gone => Ok(None),
            Deletion::Steps(steps) => Ok(Some(steps)),
            Deletion::Blocked(reason, message) => {
                self.set(ConditionType::Deleting, true, reason, &message);
                Err(Stop::Said(self.resync()))
            }
        }
    }

    /// The remote thing is observed to be gone.
    async fn gone(&mut self) -> Result<Next, Stop> {
        self.reached(CrashPoint::Gone).await;
        self.let_go().await?;
        tracing::info!("deleted");
        Err(Stop::Gone)
    }

    async fn leave(&mut self, reason: ConditionReason, message: &str) -> Result<Next, Stop> {
        tracing::info!(message, "deleted");
        self.tell(false, reason.as_str(), message).await;
        self.let_go().await?;
        Err(Stop::Gone)
    }
}
