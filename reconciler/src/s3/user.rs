//! A user: made once, known by its path and its id, given its policy, and let go when nothing that others made hangs on it.

mod act;
mod observe;
mod plan;

use std::fmt;

use concierge_shared::{
    admission::reference::Reference,
    s3::{Tags, User, UserStatus, waiting_buckets},
    status::{ConditionReason, ConditionType, Conditions, intent::Intent},
};
use jiff::Timestamp;

pub(super) use observe::identity;
pub(super) use plan::attached_before;

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
const CREATE: &str = "CreateUser";
const POLICY: &str = "spec.policy";
const POLICY_REF: &str = "spec.policyRef";

pub(super) struct UserReconciler(pub(super) Providers);

pub(super) struct Observed {
    state: State,
    /// The ARN of the policy that the user is to have, where the spec names one and it is there.
    policy: Option<String>,
    /// The buckets that its own policy names and may not have yet.
    not_held: Vec<String>,
    /// Whether the provider has tags of users.
    has_tags: bool,
    at: Timestamp,
}

enum State {
    Absent,
    Here(Box<Here>),
    /// It can't be told: why.
    Closed(ConditionReason, String),
}

/// A user that is there.
struct Here {
    /// What tells it from another user of its name that was there before.
    id: String,
    /// By which policies name it, where the service tells.
    arn: Option<String>,
    owner: Owner,
    /// The policy under our name.
    inline: Option<String>,
    /// The ARNs of the policies that it has.
    attached: Vec<String>,
    tags: Tags,
    refusals: Refusals,
    /// What hangs on it, when it is to go.
    leaving: Option<Leaving>,
}

/// What keeps a user from going.
struct Leaving {
    /// AccessKeys that still have a key.
    keys: Vec<String>,
    /// What others made: people are told of it.
    foreign: Vec<String>,
    /// What could not be asked for.
    unknown: Vec<String>,
}

pub(super) enum Step {
    Create(String),
    SetPolicy { replaces: bool },
    RemovePolicy,
    Attach(String),
    Detach(String),
    Tag(Change),
    Delete(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Create(user) => write!(f, "create user {user}"),
            Step::SetPolicy { .. } => f.write_str("set the user's policy"),
            Step::RemovePolicy => f.write_str("remove the user's policy"),
            Step::Attach(arn) => write!(f, "attach {arn}"),
            Step::Detach(arn) => write!(f, "detach {arn}"),
            Step::Tag(change) => write!(f, "set tags: {change}"),
            Step::Delete(user) => write!(f, "delete user {user}"),
        }
    }
}

impl Reconcile for UserReconciler {
    type Kind = User;
    type Remote = Connection;
    type Observed = Observed;
    type Step = Step;
    const LEGACY_FINALIZERS: &'static [&'static str] = super::LEGACY_FINALIZERS;

    async fn connect(&self, ctx: &Context, user: &User) -> Result<(Account, Connection), Failure> {
        self.0.connect_to_iam(ctx, user).await
    }

    async fn observe(&self, ctx: &Context, to: &Connection, user: &User) -> Result<Observed, Failure> {
        observe::observe(ctx, to, user).await
    }

    fn owner(&self, user: &User, observed: &Observed) -> Owner {
        match &observed.state {
            State::Absent if !plan::may_be_late(user, observed) => Owner::Nobody,
            State::Here(here) => here.owner.clone(),
            // What may not be looked at is told of in the plan; nothing is done to it.
            State::Absent | State::Closed(..) => Owner::Ours,
        }
    }

    fn plan(&self, user: &User, observed: &Observed, _now: Timestamp) -> Plan<Step> {
        plan::plan(user, observed)
    }

    async fn act(
        &self,
        guard: &Guard,
        to: &Connection,
        user: &User,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        let name = &user.spec.name;
        match step {
            Step::Create(_) => act::create(guard, to, user).await,
            Step::SetPolicy { replaces } => act::set_policy(guard, to, user, *replaces).await,
            Step::RemovePolicy => {
                let call =
                    iam::client(to)?.delete_user_policy().user_name(name).policy_name(policy_name(user));
                iam::gone(to.write(guard, "DeleteUserPolicy", call.send()).await)?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("removed the policy of user {name}")))
            }
            Step::Attach(arn) => act::attach(guard, to, user, arn).await,
            Step::Detach(arn) => iam::detach(guard, to, name, arn).await,
            Step::Tag(change) => act::tag(guard, to, user, change).await,
            Step::Delete(_) => {
                iam::gone(
                    to.write(guard, "DeleteUser", iam::client(to)?.delete_user().user_name(name).send())
                        .await,
                )?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("deleted user {name}")))
            }
        }
    }

    fn plan_deletion(&self, user: &User, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        plan::plan_deletion(user, observed)
    }

    fn report(&self, user: &User, observed: &Observed, status: &mut UserStatus) {
        plan::report(user, observed, status);
        if status.created == Some(true) {
            let changed = user.status.as_ref().is_none_or(|before| before.created != status.created);
            last_look(&mut status.last_sync_time, observed.at, changed);
        }
    }

    fn record(&self, _intent: &Intent, id: &str, status: &mut UserStatus) {
        status.user_id = Some(id.to_owned());
        status.created = Some(true);
        // The next look tells it.
        status.last_sync_time = None;
    }

    fn recorded(&self, status: &UserStatus) -> Vec<String> {
        status.user_id.clone().into_iter().collect()
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        to: &Connection,
        user: &User,
        intent: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        observe::effect(ctx, to, user, intent).await
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        UnknownPolicy { looks: 2, if_not_found: IfNotFound::Retry, if_found: IfFound::Adopt }
    }

    /// What is there stays as it was last seen while its Provider does not answer.
    fn needs_ready(&self, user: &User, _reference: &Reference) -> bool {
        !user.status.as_ref().is_some_and(|status| status.is_true(ConditionType::Ready.as_str()))
    }

    /// Its access keys are woken when it is another user, or can be reached again, and buckets when it has no rights on them any more.
    fn exports(&self, user: &User) -> Vec<String> {
        let status = user.status.clone().unwrap_or_default();
        let synced = status.is_true(ConditionType::Synced.as_str()).to_string();
        [vec![synced, status.user_id.unwrap_or_default()], status.buckets].concat()
    }

    fn onlookers(&self, ctx: &Context, versions: &[&User]) -> Vec<ObjectKey> {
        let waiting = versions.iter().flat_map(|user| waiting_buckets(ctx.lookup(), *user));
        waiting.map(|bucket| ObjectKey::from(&bucket)).collect()
    }
}

/// The name of the user's own policy. The predecessor gave it the same one.
fn policy_name(user: &User) -> String {
    format!("{}-policy", user.spec.name)
}
