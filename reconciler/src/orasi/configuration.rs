//! A configuration: a ConfigMap with what a bridge is told, and a look at the Deployment that is to take it up.
//!
//! | module | what it holds |
//! |---|---|
//! | `bridge` | the JSON, from the spec and from the Pipelines that are taken |
//! | `publish` | whether it may be published, and the ConfigMap |
//! | `rollout` | how far a Deployment has taken it up |

mod bridge;
mod publish;
mod rollout;

use std::time::Duration;

use concierge_shared::{
    orasi::{Configuration, ConfigurationStatus},
    status::Conditions,
};
use jiff::Timestamp;

use self::{publish::Publication, rollout::Rollout};
use crate::{
    common::standing::trouble,
    engine::{
        Account, Checks, Context, Deletion, Failure, Guard, Outcome, Plan, Readiness, Reconcile,
        children::{ChildStep, plan_child_deletion, plan_children},
    },
};

/// How far the Deployment named in the spec has taken up what is published.
const ROLLED_OUT: &str = "RolledOut";
/// How often a Deployment is looked at that has not: no watch tells.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

pub(super) struct ConfigurationReconciler;

/// What there is of a configuration.
pub(super) enum Observed {
    /// It is to go.
    Leaving(Deletion<ChildStep>),
    Here(Box<Here>),
}

/// What there is of a configuration that stays.
pub(super) struct Here {
    publication: Publication,
    /// `None` when no Deployment is named.
    rollout: Option<Rollout>,
}

impl Reconcile for ConfigurationReconciler {
    type Kind = Configuration;
    type Remote = ();
    type Observed = Observed;
    type Step = ChildStep;

    async fn connect(&self, _: &Context, _: &Configuration) -> Result<(Account, ()), Failure> {
        Ok((Account::none(), ()))
    }

    async fn observe(
        &self,
        ctx: &Context,
        (): &(),
        configuration: &Configuration,
    ) -> Result<Observed, Failure> {
        if configuration.metadata.deletion_timestamp.is_some() {
            let stored = ctx.stored_children(configuration).await?;
            return Ok(Observed::Leaving(plan_child_deletion(&stored)));
        }
        let publication = publish::look(ctx, configuration).await?;
        let rollout = rollout::look(ctx, configuration, publication.published.as_ref()).await;
        Ok(Observed::Here(Box::new(Here { publication, rollout })))
    }

    fn plan(&self, _: &Configuration, observed: &Observed, _: Timestamp) -> Plan<ChildStep> {
        let Observed::Here(here) = observed else { return Plan::ready() };
        let Here { publication, rollout } = &**here;
        let plan =
            publication.unwanted.iter().cloned().fold(plan_children(&publication.compared), Plan::step);
        let plan = match &publication.obstacle {
            Some((reason, message)) if plan.readiness == Readiness::Ready => {
                Plan { readiness: Readiness::NotReady(*reason, message.clone()), ..plan }
            }
            _ => plan,
        };
        let Some(rollout) = rollout else { return plan };
        let plan = if rollout.done() { plan } else { plan.look_again(LOOK_AGAIN) };
        plan.condition(ROLLED_OUT, rollout.done(), rollout.reason, &rollout.message)
    }

    async fn act(
        &self,
        guard: &Guard,
        (): &(),
        configuration: &Configuration,
        step: &ChildStep,
    ) -> Result<Outcome, Failure> {
        guard.take_child_step(configuration, step).await
    }

    fn plan_deletion(&self, _: &Configuration, observed: &Observed, _: Timestamp) -> Deletion<ChildStep> {
        match observed {
            Observed::Leaving(deletion) => deletion.clone(),
            Observed::Here(_) => Deletion::wait("looks at it again", LOOK_AGAIN),
        }
    }

    fn report(&self, _: &Configuration, observed: &Observed, status: &mut ConfigurationStatus) {
        let Observed::Here(here) = observed else { return };
        let Here { publication, rollout } = &**here;
        status.pipelines = i64::try_from(publication.pipelines).ok();
        (status.config_map, status.hash) = publication.published.clone().unzip();
        status.rollout = rollout.as_ref().and_then(|rollout| rollout.status.clone());
        if rollout.is_none() {
            status.clear(ROLLED_OUT);
        }
    }

    fn phase(&self, _: &Configuration, _: &Checks, status: &mut ConfigurationStatus) {
        status.message = trouble(status);
    }
}
