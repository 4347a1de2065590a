//! What is to be done about a user, and what its status says.

use std::time::Duration;

use concierge_shared::{
    admission::review::abridged,
    s3::{NamesBuckets, Tags, User, UserStatus, policy::PolicyKind},
    status::ConditionReason,
};

use super::{CREATE, Here, Leaving, Observed, POLICY, POLICY_REF, State, Step, TAGS};
use crate::{
    engine::{
        Deletion, Drift, Once, Owner, Plan, Planned, Readiness,
        annotation::{self, ABANDON, ADOPT},
    },
    s3::iam::{self, Change},
};

/// How what was applied is called in the status.
pub(super) const INLINE: &str = "policy";
pub(super) const ATTACHED: &str = "attached:";
pub(super) const TAG: &str = "tag:";
/// When to look again at what goes by itself; its end is heard of sooner.
const SOON: Duration = Duration::from_secs(30);

/// What the status tells of what was applied.
pub(super) fn applied_before(user: &User) -> impl Iterator<Item = &str> {
    user.status.iter().flat_map(|status| &status.applied).map(String::as_str)
}

/// The ARNs of policies that we attached.
pub(in crate::s3) fn attached_before(user: &User) -> impl Iterator<Item = &str> {
    applied_before(user).filter_map(|one| one.strip_prefix(ATTACHED))
}

fn tags_before(user: &User) -> impl Iterator<Item = &str> {
    applied_before(user).filter_map(|one| one.strip_prefix(TAG))
}

/// Whether the spec says anything of what the user may do. Of one that says nothing, what is there stays.
pub(super) fn has_policy(user: &User) -> bool {
    let spec = &user.spec;
    spec.policy.is_some() || spec.policy_document.is_some() || spec.policy_ref.is_some()
}

pub(super) fn plan(user: &User, observed: &Observed) -> Plan<Step> {
    match &observed.state {
        State::Absent => create(user, observed),
        State::Here(here) => keep(user, observed, here),
        State::Closed(reason, why) => Plan::not_ready(*reason, format!("user {}: {why}", user.spec.name)),
    }
}

fn create(user: &User, observed: &Observed) -> Plan<Step> {
    let name = &user.spec.name;
    let once = Once { operation: CREATE, fingerprint: format!("user/{name}"), before: Vec::new() };
    let was_there = user.status.as_ref().is_some_and(|status| status.user_id.is_some());
    let drift = was_there.then(|| Drift::new("spec.name", "no user", name));
    let create = Planned {
        once: Some(once),
        drift: drift.into_iter().collect(),
        ..Planned::new(Step::Create(name.clone()))
    };
    let mut plan =
        Plan::not_ready(ConditionReason::Reconciling, format!("user {name} is being made")).with(create);
    if user.spec.document().is_some() && observed.not_held.is_empty() {
        plan = plan.step(Step::SetPolicy { replaces: false });
    }
    if let Some(arn) = &observed.policy {
        plan = plan.step(Step::Attach(arn.clone()));
    }
    let tags = Change::of(user.spec.tags.as_ref(), std::iter::empty(), &Tags::new());
    match tags.filter(|_| observed.has_tags) {
        Some(change) => plan.step(Step::Tag(change)),
        None => plan,
    }
}

fn keep(user: &User, observed: &Observed, here: &Here) -> Plan<Step> {
    let mut plan = here.refusals.tell(Plan::ready());
    if !here.refusals.has(POLICY) {
        plan = correct_policy(plan, user, observed, here);
    }
    if !here.refusals.has(POLICY_REF) {
        plan = correct_attached(plan, user, observed, here);
    }
    if !plan.steps.is_empty() {
        let message = "what the user may do is not as specified yet";
        plan.readiness = Readiness::NotReady(ConditionReason::Reconciling, message.to_owned());
    }
    if !observed.not_held.is_empty() {
        let message = iam::waits_for(&observed.not_held, user.recorded());
        plan.readiness = Readiness::NotReady(ConditionReason::ReferencesMissing, message);
    }
    if user.spec.policy_ref.is_some() && observed.policy.is_none() {
        let message = "the IAMPolicy that policyRef names has no ARN yet";
        plan.readiness = Readiness::NotReady(ConditionReason::ReferencesMissing, message.to_owned());
    }
    match Change::of(user.spec.tags.as_ref(), tags_before(user), &here.tags) {
        Some(change) if !here.refusals.has(TAGS) => {
            let drift = change.drift();
            plan.correct_independently(Step::Tag(change), [drift])
        }
        _ => plan,
    }
}

fn correct_policy(plan: Plan<Step>, user: &User, observed: &Observed, here: &Here) -> Plan<Step> {
    const WANTED: &str = "as specified";
    let drift = |found: &str, wanted: &str| [Drift::new(POLICY, found, wanted)];
    match (user.spec.document(), &here.inline) {
        (Some(wanted), Some(found)) if iam::says_the_same(PolicyKind::Inline, &wanted, found) => plan,
        // Nobody gets rights on a bucket that only an object speaks of: it may be another's.
        (Some(_), _) if !observed.not_held.is_empty() => plan,
        (Some(_), Some(_)) => {
            plan.correct_independently(Step::SetPolicy { replaces: true }, drift("another policy", WANTED))
        }
        (Some(_), None) => {
            plan.correct_independently(Step::SetPolicy { replaces: false }, drift("no policy", WANTED))
        }
        (None, Some(_)) => plan.correct_independently(Step::RemovePolicy, drift("a policy", "none")),
        (None, None) => plan,
    }
}

/// What we attached and is not wanted any more goes when what is wanted is there; what others attached stays.
fn correct_attached(mut plan: Plan<Step>, user: &User, observed: &Observed, here: &Here) -> Plan<Step> {
    let has = |arn: &str| here.attached.iter().any(|one| one == arn);
    let wanted = observed.policy.as_deref();
    if let Some(arn) = wanted.filter(|arn| !has(arn)) {
        let drift = Drift::new(POLICY_REF, "not attached", arn);
        plan = plan.correct_independently(Step::Attach(arn.to_owned()), [drift]);
    }
    if user.spec.policy_ref.is_some() && wanted.is_none() {
        return plan;
    }
    for arn in attached_before(user).filter(|arn| has(arn) && Some(*arn) != wanted) {
        let drift = Drift::new(POLICY_REF, arn, wanted.unwrap_or("none"));
        plan = plan.correct_independently(Step::Detach(arn.to_owned()), [drift]);
    }
    plan
}

/// Whether the user was made and may be there although the service has not shown it yet.
pub(super) fn may_be_late(user: &User, observed: &Observed) -> bool {
    let is_unseen = |status: &UserStatus| status.user_id.is_some() && status.last_sync_time.is_none();
    user.status.as_ref().is_some_and(is_unseen) && iam::is_early(user, observed.at)
}

pub(super) fn plan_deletion(user: &User, observed: &Observed) -> Deletion<Step> {
    let name = &user.spec.name;
    let here = match &observed.state {
        State::Absent if may_be_late(user, observed) => {
            return Deletion::wait(iam::may_show(&format!("user {name}")), SOON);
        }
        State::Absent => return Deletion::Gone,
        State::Closed(reason, why) => {
            return Deletion::Blocked(
                *reason,
                format!("it can't be told whether user {name} is there: {why}"),
            );
        }
        State::Here(here) => here,
    };
    let Some(leaving) = &here.leaving else { return Deletion::Gone };
    if let Some(blocked) = blocked(name, leaving) {
        return blocked;
    }
    let policy = here.inline.as_ref().map(|_| Step::RemovePolicy);
    let attached = here.attached.iter().map(|arn| Step::Detach(arn.clone()));
    Deletion::steps(policy.into_iter().chain(attached).chain([Step::Delete(name.clone())]))
}

fn blocked(name: &str, leaving: &Leaving) -> Option<Deletion<Step>> {
    if !leaving.foreign.is_empty() {
        let message = format!(
            "user {name} has what Concierge did not make: {}; remove it at the provider, or set the annotation {ABANDON}: \
             \"true\", which leaves the user there",
            abridged(&leaving.foreign)
        );
        return Some(Deletion::Blocked(ConditionReason::Held, message));
    }
    if let Some(why) = leaving.unknown.first() {
        let message = format!("it can't be told what user {name} still has: {why}");
        return Some(Deletion::Blocked(ConditionReason::Refused, message));
    }
    (!leaving.keys.is_empty()).then(|| {
        Deletion::wait(format!("waits for the keys of AccessKeys {}", abridged(&leaving.keys)), SOON)
    })
}

pub(super) fn report(user: &User, observed: &Observed, status: &mut UserStatus) {
    let here = match &observed.state {
        State::Closed(..) => return,
        State::Absent => {
            status.created = Some(false);
            status.applied.clear();
            status.buckets.clear();
            return;
        }
        State::Here(here) => here,
    };
    here.refusals.report(status);
    if here.owner != Owner::Ours && !annotation::is_set(user, ADOPT) {
        return;
    }
    status.user_id = Some(here.id.clone());
    status.arn.clone_from(&here.arn);
    status.created = Some(true);
    if here.leaving.is_none() {
        status.applied = applied(user, observed, here);
        if !here.refusals.has(POLICY) {
            status.buckets = here.inline.as_deref().map(iam::named_buckets).unwrap_or_default();
        }
    }
}

/// What is at the user because the spec says it, or said it. What could not be asked for is as it was.
fn applied(user: &User, observed: &Observed, here: &Here) -> Vec<String> {
    let unknown = |field: &str, word: &str| {
        let before = applied_before(user).filter(|one| one.starts_with(word)).map(str::to_owned);
        before.filter(|_| here.refusals.has(field)).collect::<Vec<_>>()
    };
    let mut applied = [unknown(POLICY, INLINE), unknown(POLICY_REF, ATTACHED), unknown(TAGS, TAG)].concat();
    applied.extend(here.inline.as_ref().map(|_| INLINE.to_owned()));
    let ours = observed.policy.as_deref().into_iter().chain(attached_before(user));
    let attached = ours.filter(|arn| here.attached.iter().any(|one| one == arn));
    applied.extend(attached.map(|arn| format!("{ATTACHED}{arn}")));
    let tags = iam::tags_of(user.spec.tags.as_ref(), tags_before(user), &here.tags);
    applied.extend(tags.iter().map(|key| format!("{TAG}{key}")));
    applied.sort();
    applied.dedup();
    applied
}
