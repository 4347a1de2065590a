//! A policy of its own: made once, known by its path and its ARN, kept as the spec says in versions of which old ones go, and let go when
//! only users of ours have it.

mod observe;
mod plan;
mod versions;

use std::fmt;

use concierge_shared::{
    admission::reference::Reference,
    s3::{IAMPolicy, IAMPolicyStatus, Tags, waiting_buckets},
    status::{ConditionReason, ConditionType, Conditions, intent::Intent},
};
use jiff::Timestamp;

use super::{
    connection::{Connection, Providers},
    iam::{self, Change, Refusals, TAGS},
};
use crate::{
    common::standing::last_look,
    engine::{
        Account, Context, Deletion, Effect, Failure, Guard, IfFound, IfNotFound, ObjectKey, Outcome, Owner,
        Plan, Reconcile, UnknownPolicy,
    },
};

/// The operation's name in intents.
const CREATE: &str = "CreatePolicy";
const POLICY: &str = "spec.policy";

pub(super) struct IAMPolicyReconciler(pub(super) Providers);

pub(super) struct Observed {
    state: State,
    /// The buckets that it names and may not have yet.
    not_held: Vec<String>,
    at: Timestamp,
}

enum State {
    Absent,
    Here(Box<Here>),
    /// It can't be told: why.
    Closed(ConditionReason, String),
}

/// A policy that is there.
struct Here {
    arn: String,
    /// What tells it from another of its name; `None` where the service does not tell.
    id: Option<String>,
    owner: Owner,
    /// What it says, in the version that counts.
    document: Option<String>,
    /// Who has it, as far as the service tells.
    holders: Option<Holders>,
    tags: Tags,
    refusals: Refusals,
    /// The versions beside the one that counts, when it is to go.
    versions: Vec<String>,
}

/// Who has a policy.
#[derive(Default)]
struct Holders {
    users: Vec<String>,
    /// Those of them that are objects' users.
    ours: Vec<String>,
    /// Groups and roles, and users of others.
    foreign: Vec<String>,
}

pub(super) enum Step {
    Create(String),
    Change { arn: String, what: What },
}

/// What is changed of a policy that is there.
pub(super) enum What {
    /// Another version, which counts from then on.
    Document,
    Tags(Change),
    Detach(String),
    Prune(Vec<String>),
    Delete,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Create(policy) => write!(f, "create policy {policy}"),
            Step::Change { arn, what } => match what {
                What::Document => f.write_str("make another version of the policy"),
                What::Tags(change) => write!(f, "set tags: {change}"),
                What::Detach(user) => write!(f, "detach it from user {user}"),
                What::Prune(versions) => write!(f, "delete versions {}", versions.join(", ")),
                What::Delete => write!(f, "delete {arn}"),
            },
        }
    }
}

impl Reconcile for IAMPolicyReconciler {
    type Kind = IAMPolicy;
    type Remote = Connection;
    type Observed = Observed;
    type Step = Step;
    const LEGACY_FINALIZERS: &'static [&'static str] = super::LEGACY_FINALIZERS;

    async fn connect(&self, ctx: &Context, policy: &IAMPolicy) -> Result<(Account, Connection), Failure> {
        self.0.connect_to_iam(ctx, policy).await
    }

    async fn observe(&self, ctx: &Context, to: &Connection, policy: &IAMPolicy) -> Result<Observed, Failure> {
        observe::observe(ctx, to, policy).await
    }

    fn owner(&self, policy: &IAMPolicy, observed: &Observed) -> Owner {
        match &observed.state {
            State::Absent if !plan::may_be_late(policy, observed) => Owner::Nobody,
            State::Here(here) => here.owner.clone(),
            // What may not be looked at is told of in the plan; nothing is done to it.
            State::Absent | State::Closed(..) => Owner::Ours,
        }
    }

    fn plan(&self, policy: &IAMPolicy, observed: &Observed, _now: Timestamp) -> Plan<Step> {
        plan::plan(policy, observed)
    }

    async fn act(
        &self,
        guard: &Guard,
        to: &Connection,
        policy: &IAMPolicy,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        match step {
            Step::Create(name) => create(guard, to, policy, name).await,
            Step::Change { arn, what: What::Document } => versions::replace(guard, to, policy, arn).await,
            Step::Change { arn, what: What::Tags(change) } => tag(guard, to, policy, arn, change).await,
            Step::Change { arn, what: What::Prune(old) } => versions::delete(guard, to, arn, old).await,
            Step::Change { arn, what: What::Detach(user) } => iam::detach(guard, to, user, arn).await,
            Step::Change { arn, what: What::Delete } => {
                let call = iam::client(to)?.delete_policy().policy_arn(arn);
                iam::gone(to.write(guard, "DeletePolicy", call.send()).await)?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("deleted {arn}")))
            }
        }
    }

    fn plan_deletion(&self, policy: &IAMPolicy, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        plan::plan_deletion(policy, observed)
    }

    fn report(&self, policy: &IAMPolicy, observed: &Observed, status: &mut IAMPolicyStatus) {
        plan::report(policy, observed, status);
        if status.applied == Some(true) {
            let changed = policy.status.as_ref().is_none_or(|before| before.applied != status.applied);
            last_look(&mut status.last_sync_time, observed.at, changed);
        }
    }

    fn record(&self, _intent: &Intent, id: &str, status: &mut IAMPolicyStatus) {
        status.policy_arn = Some(id.to_owned());
        status.applied = Some(true);
        // The next look tells them.
        status.policy_id = None;
        status.last_sync_time = None;
    }

    fn recorded(&self, status: &IAMPolicyStatus) -> Vec<String> {
        status.policy_arn.clone().into_iter().collect()
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        to: &Connection,
        policy: &IAMPolicy,
        intent: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        observe::effect(ctx, to, policy, intent).await
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        UnknownPolicy { looks: 2, if_not_found: IfNotFound::Retry, if_found: IfFound::Adopt }
    }

    /// What is there stays as it was last seen while its Provider does not answer.
    fn needs_ready(&self, policy: &IAMPolicy, _reference: &Reference) -> bool {
        !policy.status.as_ref().is_some_and(|status| status.is_true(ConditionType::Ready.as_str()))
    }

    /// Users attach the policy by its ARN, and buckets wait until it has no rights on them any more.
    fn exports(&self, policy: &IAMPolicy) -> Vec<String> {
        let status = policy.status.iter();
        status.flat_map(|status| status.policy_arn.iter().chain(&status.buckets)).cloned().collect()
    }

    fn onlookers(&self, ctx: &Context, versions: &[&IAMPolicy]) -> Vec<ObjectKey> {
        let waiting = versions.iter().flat_map(|policy| waiting_buckets(ctx.lookup(), *policy));
        waiting.map(|bucket| ObjectKey::from(&bucket)).collect()
    }
}

/// The policy's name at the provider. Every stored object has one.
fn name_of(policy: &IAMPolicy) -> &str {
    policy.policy_name().unwrap_or_default()
}

async fn create(guard: &Guard, to: &Connection, policy: &IAMPolicy, name: &str) -> Result<Outcome, Failure> {
    let text = policy.spec.document().unwrap_or_default();
    let call = iam::client(to)?.create_policy().policy_name(name).policy_document(text);
    let call = call.set_path(observe::place(to, policy).path()).send();
    let made = to.write(guard, CREATE, call).await?;
    let arn = made.policy().and_then(|policy| policy.arn()).map(str::to_owned);
    let arn = arn.ok_or_else(|| Failure::Ambiguous(format!("{CREATE} was answered without a policy")))?;
    Ok(Outcome::made(arn, format!("created policy {name}")))
}

async fn tag(
    guard: &Guard,
    to: &Connection,
    policy: &IAMPolicy,
    arn: &str,
    change: &Change,
) -> Result<Outcome, Failure> {
    let (name, iam) = (name_of(policy), iam::client(to)?);
    let untag = |keys| {
        to.try_write(guard, "UntagPolicy", iam.untag_policy().policy_arn(arn).set_tag_keys(Some(keys)).send())
    };
    let tag =
        |tags| to.try_write(guard, "TagPolicy", iam.tag_policy().policy_arn(arn).set_tags(Some(tags)).send());
    let usual = Outcome::new(ConditionReason::Updated, format!("set tags of policy {name}: {change}"));
    Ok(iam::change_tags(to, policy, change, untag, tag).await?.unwrap_or(usual))
}
