//! A project: nothing is made of it; it is counted who refers to it.

use std::convert::Infallible;

use concierge_shared::{
    admission::reference::referrers_key,
    catalyst::{Environment, Project, ProjectStatus},
    kind::Kind,
};
use jiff::Timestamp;

use crate::engine::{Account, Context, Deletion, Failure, Guard, Outcome, Plan, Reconcile};

pub(super) struct ProjectReconciler;

/// How many Environments there are of a project.
pub(super) struct Observed(usize);

impl Reconcile for ProjectReconciler {
    type Kind = Project;
    type Remote = ();
    type Observed = Observed;
    type Step = Infallible;

    async fn connect(&self, _: &Context, _: &Project) -> Result<(Account, ()), Failure> {
        Ok((Account::none(), ()))
    }

    async fn observe(&self, ctx: &Context, (): &(), _: &Project) -> Result<Observed, Failure> {
        let key = referrers_key(Project::NAME, &ctx.key().namespace, &ctx.key().name);
        Ok(Observed(ctx.count(Environment::NAME, &key)?))
    }

    fn plan(&self, project: &Project, Observed(count): &Observed, _: Timestamp) -> Plan<Infallible> {
        let most = project.spec.environments.as_ref().and_then(|limits| limits.max);
        let full = most.is_some_and(|most| i64::try_from(*count).is_ok_and(|count| count >= most));
        let message = match (full, most) {
            (true, Some(most)) => format!("{count} of {most} Environments"),
            _ => String::new(),
        };
        Plan::ready().condition(
            "EnvironmentsAvailable",
            !full,
            if full { "Full" } else { "Available" },
            message,
        )
    }

    async fn act(&self, _: &Guard, (): &(), _: &Project, step: &Infallible) -> Result<Outcome, Failure> {
        match *step {}
    }

    fn plan_deletion(&self, _: &Project, _: &Observed, _: Timestamp) -> Deletion<Infallible> {
        Deletion::Gone
    }

    fn report(&self, _: &Project, Observed(count): &Observed, status: &mut ProjectStatus) {
        status.environments = i64::try_from(*count).ok();
    }

    /// The first Environment that refers to it gives it one: the door can be bypassed.
    fn needs_finalizer(&self, _: &Project, _: Option<&Observed>) -> bool {
        false
    }
}
