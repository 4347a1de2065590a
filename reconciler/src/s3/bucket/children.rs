//! What is made for a bucket once that is there: a User, an AccessKey and a BucketPolicy, kept as the spec says, and gone before the bucket.

mod child;
mod step;

use std::time::Duration;

use concierge_shared::{
    admission::{lookup::Query, reference::referrers_key},
    index::Stored,
    kind::Kind,
    s3::{AccessKey, Bucket, BucketPolicy, BucketStatus, ChildNames, User},
    status::{ConditionReason, Conditions},
};

use super::Step;
use crate::{
    engine::{Context, Deletion, Drift, Failure, Owned, Plan},
    s3::connection::Connection,
};
use child::{Child, agrees, of_this_version};
use step::AnyChild;
pub(super) use step::ChildStep;

/// The condition that tells of what is made for the bucket.
const CONDITION: &str = "ChildrenReady";
const FIELD: &str = "spec.autoManage";
const NO_POLICIES: &str = "makes no BucketPolicy: the provider has none; the User's own policy has to do";
/// When to look at the latest at one that is to be gone; its end is told.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// What there is of the bucket's children, and what there is to be.
pub(super) struct Children {
    /// Whether there are to be any.
    managed: bool,
    user: Child<User>,
    key: Child<AccessKey>,
    policy: Child<BucketPolicy>,
    /// Why nothing, or no policy, can be made.
    lacking: Option<String>,
    /// An AccessKey of somebody else's for the bucket's user, which can't go before it.
    foreign_key: Option<String>,
}

/// Looks at the children in the cluster. What the cache shows as it should be is believed; anything else is read.
pub(super) async fn observe(ctx: &Context, to: &Connection, bucket: &Bucket) -> Result<Children, Failure> {
    let names = bucket.child_names();
    let provider = &to.provider.spec;
    let managed = bucket.spec.managed().is_some() && bucket.metadata.deletion_timestamp.is_none();
    let lacks_iam = managed && provider.iam_endpoint.is_none();
    let mut lacking = lacks_iam.then(|| {
        "makes nothing: the Provider has no iamEndpoint; set it there, or set autoManage.enabled: false"
            .to_owned()
    });
    let may = managed && !lacks_iam;
    let user = Child::observe(ctx, bucket, &names.user, bucket.managed_user().filter(|_| may)).await?;
    let key = Child::observe(ctx, bucket, &names.key, bucket.managed_key().filter(|_| may)).await?;
    let mut policy = None;
    if may {
        match no_policy(ctx, to, bucket, &names) {
            Some(why) => lacking = Some(why),
            None => policy = user.arn(to).and_then(|arn| bucket.managed_policy(&arn)),
        }
    }
    let policy = Child::observe(ctx, bucket, &names.policy, policy).await?;
    let foreign_key = foreign_key(ctx, bucket, &names);
    Ok(Children { managed, user, key, policy, lacking, foreign_key })
}

/// Why the bucket has no policy made for it. The user's own policy lets it in all the same.
fn no_policy(ctx: &Context, to: &Connection, bucket: &Bucket, names: &ChildNames) -> Option<String> {
    if to.provider.spec.said_of(|all| all.bucket_policy, &[]) == Some(false) {
        return Some(NO_POLICIES.to_owned());
    }
    let (namespace, name) = (bucket.metadata.namespace.as_deref()?, bucket.metadata.name.as_deref()?);
    let other = |one: &Stored| one.namespace() != namespace || one.name() != names.policy;
    let users = referrers_key(Bucket::NAME, namespace, name);
    let others = ctx.lookup().first(Query::all(BucketPolicy::NAME, "", &users), 1, &other).objects;
    let other = others.first()?;
    Some(match other.namespace() == namespace {
        true => format!(
            "makes no BucketPolicy beside BucketPolicy {}, for a bucket has one; the User's own policy has to do",
            other.name()
        ),
        false => "makes no BucketPolicy beside that of another namespace, for a bucket has one".to_owned(),
    })
}

/// An AccessKey that others made for the bucket's user.
fn foreign_key(ctx: &Context, bucket: &Bucket, names: &ChildNames) -> Option<String> {
    let namespace = bucket.metadata.namespace.as_deref()?;
    let other = |one: &Stored| one.namespace() != namespace || one.name() != names.key;
    let users = referrers_key(User::NAME, namespace, &names.user);
    let others = ctx.lookup().first(Query::all(AccessKey::NAME, "", &users), 1, &other).objects;
    let here = |one: &Stored| match one.namespace() == namespace {
        true => format!("AccessKey {}", one.name()),
        false => "an AccessKey of another namespace".to_owned(),
    };
    others.first().map(here)
}

/// What is to be done about the children, and what is said of them.
struct Next {
    plan: Plan<Step>,
    /// What keeps the condition from being true.
    waits: Vec<String>,
    conflicts: Vec<String>,
}

impl Next {
    fn keep<T: Kind + Into<AnyChild>>(mut self, child: &Child<T>) -> Self {
        let Some(wanted) = &child.wanted else { return self };
        let shown = child.shown();
        match &child.found {
            Owned::Foreign(_) => {
                self.conflicts.push(format!(
                    "{shown} is there and was not made for this Bucket; delete it, or set autoManage.enabled: false"
                ));
            }
            Owned::Absent => {
                self.plan = self.plan.independent(Step::Child(ChildStep::Make(wanted.clone().into())));
                self.waits.push(format!("{shown} is being made"));
            }
            Owned::Ours(_) if child.is_leaving() => self.waits.push(format!("{shown} is being deleted")),
            Owned::Ours(found) => {
                if !agrees(wanted, found) {
                    let drift = Drift::new(FIELD, format!("{shown} changed"), "as the bucket says");
                    let step = Step::Child(ChildStep::Correct(of_this_version(wanted, found).into()));
                    self.plan = self.plan.correct_independently(step, [drift]);
                }
                if !child.is_ready() {
                    self.waits.push(format!("{shown} is not ready; see there"));
                }
            }
        }
        self
    }
}

/// Adds what is to be done about the children of a bucket that is there.
pub(super) fn plan(plan: Plan<Step>, children: &Children) -> Plan<Step> {
    let plan = match &children.lacking {
        Some(why) => plan.unsupported(FIELD, why.clone()),
        None => plan,
    };
    if !children.managed {
        let plan = children.removal().into_iter().fold(plan, Plan::independent);
        let waits = children.waits().map(|message| (CONDITION, false, "Deleting", message));
        return waits
            .into_iter()
            .fold(plan, |plan, (kind, on, reason, text)| plan.condition(kind, on, reason, text));
    }
    let next = Next { plan, waits: Vec::new(), conflicts: Vec::new() };
    let mut next = match children.other_name() {
        Some(conflict) => Next { conflicts: vec![conflict], ..next },
        None => next.keep(&children.user),
    };
    next = next.keep(&children.key).keep(&children.policy);
    if children.lacking.is_none() && children.policy.wanted.is_none() {
        next.waits.push(format!("{} follows once the User is ready", children.policy.shown()));
    }
    let Next { plan, waits, conflicts } = next;
    let message = [conflicts.clone(), waits].concat().join("; ");
    match (message.is_empty(), conflicts.is_empty()) {
        (true, _) if children.user.wanted.is_none() => plan,
        (true, _) => plan.condition(CONDITION, true, "Ready", ""),
        (false, true) => plan.condition(CONDITION, false, "NotReady", message),
        (false, false) => plan.condition(CONDITION, false, ConditionReason::Conflict.as_str(), message),
    }
}

/// Adds what is to be done before the bucket itself goes; `None` when no child is left.
pub(super) fn plan_deletion(children: &Children) -> Option<Deletion<Step>> {
    let steps = children.removal();
    if !steps.is_empty() {
        return Some(Deletion::steps(steps));
    }
    children.waits().map(|message| Deletion::wait(message, LOOK_AGAIN))
}

pub(super) fn report(children: &Children, status: &mut BucketStatus) {
    let secret = children.key.ours().filter(|_| children.managed).and_then(AccessKey::secret_name);
    let before = status.credentials_secret.take();
    // Once there was a key, its Secret is there as long as the object.
    status.credentials_secret =
        secret.filter(|secret| children.key.is_ready() || before.as_ref() == Some(secret));
    let leave = !children.managed && children.are_there();
    if !leave && children.user.wanted.is_none() {
        status.clear(CONDITION);
    }
}

impl Children {
    pub(super) fn are_there(&self) -> bool {
        self.left().next().is_some()
    }

    /// The children that are there.
    fn left(&self) -> impl Iterator<Item = String> {
        let key = self.key.ours().map(|_| self.key.shown());
        let policy = self.policy.ours().map(|_| self.policy.shown());
        let user = self.user.ours().map(|_| self.user.shown());
        key.into_iter().chain(policy).chain(user)
    }

    /// What is waited for until no child is left; `None` when none is.
    fn waits(&self) -> Option<String> {
        let left: Vec<_> = self.left().collect();
        match &self.foreign_key {
            _ if left.is_empty() => None,
            Some(key) if self.is_user_left() => {
                Some(format!("{} can't go while {key} is there; delete that", self.user.shown()))
            }
            _ => Some(format!("waits until {} is gone; see there", left.join(" and "))),
        }
    }

    /// Whether nothing but the user is left, and that is not going yet.
    fn is_user_left(&self) -> bool {
        self.key.ours().is_none() && self.policy.ours().is_none() && !self.user.is_leaving()
    }

    /// What is deleted next: the user after its key, and after the policy that names it.
    fn removal(&self) -> Vec<Step> {
        let key = self.key.ours().filter(|_| !self.key.is_leaving()).cloned().map(AnyChild::from);
        let policy = self.policy.ours().filter(|_| !self.policy.is_leaving()).cloned().map(AnyChild::from);
        let goes = self.is_user_left() && self.foreign_key.is_none();
        let user = self.user.ours().filter(|_| goes).cloned().map(AnyChild::from);
        key.into_iter().chain(policy).chain(user).map(|child| Step::Child(ChildStep::Remove(child))).collect()
    }

    /// What is wrong when the user has another name at the provider than the spec says: that never changes.
    fn other_name(&self) -> Option<String> {
        let (wanted, found) = (self.user.wanted.as_ref()?, self.user.ours()?);
        (wanted.spec.name != found.spec.name).then(|| {
            format!(
                "{} is user {} at the provider, which is another than autoManage.userName says; put that back, or delete {} and \
                 then the User, which are made anew",
                self.user.shown(),
                found.spec.name,
                self.key.shown()
            )
        })
    }
}
