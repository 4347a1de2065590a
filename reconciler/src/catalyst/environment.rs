//! An environment: its namespace, what bounds it, and what runs in it; and all of it gone when it goes.
//!
//! | module | what it holds |
//! |---|---|
//! | `place` | namespace, limits, quota |
//! | `network` | NetworkPolicy, Service and Ingress `web` |
//! | `web_secrets` | what the web application keeps for it |
//! | `source`, `builds` | which commits, and the images that are built of them |
//! | `deploy` | the Job that deploys what a source says |
//! | `configured`, `workload`, `service` | what runs where the configuration alone says so |
//! | `checkout` | the source in mode development |
//! | `wishes`, `basis` | all that is wanted, in order |
//! | `observe` | what there is of it |
//! | `part` | the parts of an environment, with a condition for each |
//! | `pods` | why pods do not become ready |
//! | `phase` | all of it in one word |
//! | `expiry` | the end that a ttl sets |

mod basis;
mod builds;
mod checkout;
mod configured;
mod deploy;
mod expiry;
mod network;
mod observe;
mod part;
mod phase;
mod place;
mod pods;
mod service;
mod source;
mod web_secrets;
mod wishes;
mod workload;

use std::{collections::BTreeMap, fmt, time::Duration};

use concierge_shared::{
    admission::{reference::Reference, rule::AdmissionRule},
    catalyst::{Environment, EnvironmentStatus, TARGET_FREE},
    status::{ConditionReason, Conditions},
};
use jiff::Timestamp;

use self::{
    expiry::{EXPIRING, Expiry, Stage, Told},
    part::Parts,
};
use super::{means::Means, obstacle};
use crate::engine::{
    Account, Checks, Context, Deletion, Failure, Guard, Outcome, Plan, Planned, Readiness, Reconcile,
    children::ChildStep,
};

/// How often it is looked at why pods do not become ready: no watch tells.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// Makes environments real.
pub(super) struct EnvironmentReconciler {
    means: Means,
    told: Told,
}

impl EnvironmentReconciler {
    pub(super) fn new(means: Means) -> Self {
        Self { means, told: Told::default() }
    }
}

/// What there is of an environment.
pub(super) enum Observed {
    /// It is to go.
    Leaving(Deletion<ChildStep>),
    Here(Box<Here>),
}

/// What there is of an environment that stays.
#[derive(Default)]
pub(super) struct Here {
    /// Its namespace; none while another of this name is not gone, and that of before while it moves.
    namespace: Option<String>,
    url: Option<String>,
    /// By container.
    images: BTreeMap<String, String>,
    /// By source.
    commits: BTreeMap<String, String>,
    parts: Parts,
    expiry: Option<Expiry>,
    /// Whether people are still to be told of the end.
    tell: bool,
}

/// One thing to do.
pub(super) enum Step {
    Child(ChildStep),
    /// Tell people that it ends soon.
    Tell(Expiry),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Child(step) => step.fmt(f),
            Step::Tell(_) => f.write_str("tell that it ends soon"),
        }
    }
}

impl Reconcile for EnvironmentReconciler {
    type Kind = Environment;
    type Remote = ();
    type Observed = Observed;
    type Step = Step;
    const LEGACY_FINALIZERS: &'static [&'static str] = &["catalyst.dev/finalizer"];
    /// A namespace of another is seen, never touched, and told of in a condition.
    const LENIENT: &'static [&'static AdmissionRule] = &[&TARGET_FREE];

    async fn connect(&self, _: &Context, _: &Environment) -> Result<(Account, ()), Failure> {
        Ok((Account::none(), ()))
    }

    async fn observe(&self, ctx: &Context, (): &(), environment: &Environment) -> Result<Observed, Failure> {
        // Neither its Project nor its labels have to be there for it to go.
        if environment.metadata.deletion_timestamp.is_some() {
            return observe::leaving(ctx, environment).await.map(Observed::Leaving);
        }
        let mut here = observe::here(ctx, &self.means, environment).await?;
        here.expiry = Expiry::of(environment, ctx.now());
        if let Some(expiry) = &here.expiry {
            here.tell = expiry.stage == Stage::Soon && !self.told.has(environment, expiry);
        }
        Ok(Observed::Here(Box::new(here)))
    }

    fn plan(&self, _: &Environment, observed: &Observed, _: Timestamp) -> Plan<Step> {
        match observed {
            Observed::Leaving(_) => Plan::ready(),
            Observed::Here(here) => here.plan(),
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        (): &(),
        environment: &Environment,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        match step {
            Step::Child(step) => {
                guard.take_child_step(environment, step).await.map_err(obstacle::with_remedy)
            }
            Step::Tell(expiry) => {
                self.told.note(environment, expiry);
                Ok(Outcome::new(ConditionReason::Deleting, expiry.message()))
            }
        }
    }

    /// One that is kept does not end.
    fn ends_at(&self, environment: &Environment) -> Option<Timestamp> {
        Expiry::end_of(environment).filter(|_| !environment.is_kept())
    }

    fn note_place(&self, (): &(), step: &Step, _: &EnvironmentStatus, noted: &mut EnvironmentStatus) -> bool {
        let Step::Child(ChildStep::Create(wanted)) = step else { return false };
        let key = wanted.key();
        let is_news = key.namespace.is_empty() && noted.namespace.as_deref() != Some(&key.name);
        if is_news {
            noted.namespace = Some(key.name.clone());
        }
        is_news
    }

    fn plan_deletion(&self, _: &Environment, observed: &Observed, _: Timestamp) -> Deletion<Step> {
        match observed {
            Observed::Leaving(Deletion::Steps(steps)) => {
                Deletion::Steps(steps.iter().cloned().map(of_child).collect())
            }
            Observed::Leaving(Deletion::Wait { message, look_again }) => Deletion::wait(message, *look_again),
            Observed::Leaving(_) => Deletion::Gone,
            Observed::Here(_) => Deletion::wait("looks at it again", LOOK_AGAIN),
        }
    }

    fn report(&self, _: &Environment, observed: &Observed, status: &mut EnvironmentStatus) {
        let Observed::Here(here) = observed else { return };
        status.namespace = here.namespace.clone();
        status.namespace_uid = here.parts.namespace_uid().map(str::to_owned);
        status.url = here.url.clone();
        status.images = (!here.images.is_empty()).then(|| here.images.clone());
        // While nobody tells the newest, the last ones stay.
        if !here.commits.is_empty() {
            status.commits = Some(here.commits.clone());
        }
        status.expires_at = here.expiry.as_ref().map(Expiry::text);
        if here.expiry.as_ref().is_none_or(|expiry| expiry.stage == Stage::Later) {
            status.clear(EXPIRING);
        }
    }

    fn phase(&self, environment: &Environment, _: &Checks, status: &mut EnvironmentStatus) {
        status.phase = Some(phase::of(environment, status));
    }

    /// That it is there is enough: what it says is judged with the Environment.
    fn needs_ready(&self, _: &Environment, _: &Reference) -> bool {
        false
    }
}

fn of_child(planned: Planned<ChildStep>) -> Planned<Step> {
    let Planned { step, independent, once, drift } = planned;
    Planned { step: Step::Child(step), independent, once, drift }
}

impl Here {
    fn plan(&self) -> Plan<Step> {
        let Plan { steps, readiness, unsupported, conditions, look_again, due } = self.parts.plan();
        let steps = steps.into_iter().map(of_child).collect();
        let mut plan = Plan { steps, readiness, unsupported, conditions, look_again, due };
        if plan.readiness != Readiness::Ready && self.parts.has_workload() {
            plan = plan.look_again(LOOK_AGAIN);
        }
        match &self.expiry {
            Some(expiry) => self.end(plan, expiry),
            None => plan,
        }
    }

    /// With what follows from the end that is set.
    fn end(&self, plan: Plan<Step>, expiry: &Expiry) -> Plan<Step> {
        let told = |plan: Plan<Step>| plan.condition(EXPIRING, true, "TtlOver", expiry.message());
        let plan = match expiry.stage {
            Stage::Over => told(plan),
            Stage::Soon => told(plan).at(expiry.due()),
            Stage::Later => plan.at(expiry.due()),
        };
        if !self.tell {
            return plan;
        }
        plan.with(Planned { independent: true, ..Planned::new(Step::Tell(expiry.clone())) })
    }
}
