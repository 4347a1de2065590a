//! Objects that own Namespaces, and objects that end by themselves: whoever may edit one can't keep it beyond its end by an annotation.

use std::{ops::ControlFlow::Break, time::Duration};

use concierge_shared::status::ConditionReason;

use crate::engine::{
    annotation,
    children::owns_namespaces,
    kinds::reconcile::Reconcile,
    run::{End, Ended, OrEnd, Run},
    schedule::queue::Lane,
};

impl<R: Reconcile> Run<R> {
    /// Whether the time is over that it was to live.
    pub(crate) fn is_over(&self) -> bool {
        let end = self.reconciler.ends_at(&self.object);
        !self.is_deleting() && end.is_some_and(|end| end <= self.ctx.now())
    }

    /// Whether it goes whatever its annotations say: its Namespaces would stay for ever, for the cluster to bear.
    pub(crate) fn goes_anyway(&self) -> bool {
        self.is_over() || self.is_deleting() && owns_namespaces::<R::Kind>()
    }

    /// True when a person wants the remote thing left behind, and may want that. A Namespace is left to whoever takes its mark off, which
    /// takes rights on Namespaces.
    pub(crate) fn may_abandon(&self) -> bool {
        annotation::is_set(&*self.object, annotation::ABANDON) && !owns_namespaces::<R::Kind>()
    }

    pub(crate) async fn end_by_itself(&mut self) -> Ended {
        self.guard(None).delete_owned(&*self.object).await.or_end()?;
        tracing::info!("deleted, since its time is over");
        let message = "deleted, since the time is over that it was to live";
        self.emit(false, ConditionReason::Deleted.as_str(), message).await;
        // The watch tells of it.
        Break(End::Gone)
    }

    /// How long it is until its time is over.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let end = self.reconciler.ends_at(&self.object).filter(|_| !self.is_deleting())?;
        let left = Duration::try_from(end.duration_since(self.ctx.now())).ok();
        left.filter(|left| !left.is_zero())
    }
}

/// When an object comes again whose time is over after `left`: no later than then, since nothing else may wake it.
pub(crate) fn in_time(next: Option<(Lane, Duration)>, left: Option<Duration>) -> Option<(Lane, Duration)> {
    let Some(left) = left else { return next };
    Some(next.map_or((Lane::Clock, left), |(lane, wait)| (lane, wait.min(left))))
}
