//! A pipeline: nothing is made of it; it is as ready as its connector and its storage.

use std::convert::Infallible;

use concierge_shared::{
    common::ObjectRef,
    kind::Kind,
    orasi::{Connector, Pipeline, PipelineStatus, Storage},
};
use jiff::Timestamp;

use crate::{
    common::standing::{breaks_rules, trouble},
    engine::{Account, Checks, Context, Deletion, Failure, Guard, Outcome, Plan, Reconcile},
};

pub(super) struct PipelineReconciler;

/// Which Connector and which Storage it is ready with.
pub(super) struct TargetsSeen(String);

impl Reconcile for PipelineReconciler {
    type Kind = Pipeline;
    type Remote = ();
    type Observed = TargetsSeen;
    type Step = Infallible;

    async fn connect(&self, _: &Context, _: &Pipeline) -> Result<(Account, ()), Failure> {
        Ok((Account::none(), ()))
    }

    async fn observe(&self, ctx: &Context, (): &(), pipeline: &Pipeline) -> Result<TargetsSeen, Failure> {
        let (connector, storage) = (&pipeline.spec.connector_ref, &pipeline.spec.storage_ref);
        Ok(TargetsSeen(format!("{} {}", seen::<Connector>(ctx, connector), seen::<Storage>(ctx, storage))))
    }

    /// The engine has waited for what it refers to.
    fn plan(&self, _: &Pipeline, _: &TargetsSeen, _: Timestamp) -> Plan<Infallible> {
        Plan::ready()
    }

    async fn act(&self, _: &Guard, (): &(), _: &Pipeline, step: &Infallible) -> Result<Outcome, Failure> {
        match *step {}
    }

    fn plan_deletion(&self, _: &Pipeline, _: &TargetsSeen, _: Timestamp) -> Deletion<Infallible> {
        Deletion::Gone
    }

    fn report(&self, _: &Pipeline, TargetsSeen(seen): &TargetsSeen, status: &mut PipelineStatus) {
        status.targets_seen = Some(seen.clone());
    }

    fn phase(&self, _: &Pipeline, checks: &Checks, status: &mut PipelineStatus) {
        if let Some(unready) = checks.unready() {
            status.waiting_for = unready.iter().map(ToString::to_string).collect();
        } else if breaks_rules(status) {
            status.waiting_for.clear();
        }
        status.message = trouble(status);
    }

    /// Configurations that take it are told of its end by the watch.
    fn needs_finalizer(&self, _: &Pipeline, _: Option<&TargetsSeen>) -> bool {
        false
    }

    /// What its targets say is written into the Configurations that take it.
    fn exports(&self, pipeline: &Pipeline) -> Vec<String> {
        pipeline.status.iter().filter_map(|status| status.targets_seen.clone()).collect()
    }
}

/// `UID/GENERATION` of a target.
fn seen<K: Kind>(ctx: &Context, target: &ObjectRef) -> String {
    let namespace = target.namespace_in(&ctx.key().namespace);
    let found = ctx.get::<K>(namespace, &target.name);
    let meta = found.as_ref().map(|object| object.meta());
    let uid = meta.and_then(|meta| meta.uid.as_deref()).unwrap_or_default();
    format!("{uid}/{}", meta.and_then(|meta| meta.generation).unwrap_or_default())
}
