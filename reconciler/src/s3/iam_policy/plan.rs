//! What is to be done about a policy, and what its status says.

use concierge_shared::{
    admission::review::abridged,
    s3::{IAMPolicy, IAMPolicyStatus, NamesBuckets, policy::PolicyKind},
    status::ConditionReason,
};

use super::{CREATE, Here, Observed, POLICY, State, Step, TAGS, What, name_of};
use crate::{
    common::standing::SOON,
    engine::{
        Deletion, Drift, Once, Owner, Plan, Planned, Readiness,
        annotation::{self, ABANDON, ADOPT},
    },
    s3::iam::{self, Change},
};

/// How many users are told of in the status.
const TOLD: usize = 100;

fn tags_before(policy: &IAMPolicy) -> impl Iterator<Item = &str> {
    policy.status.iter().flat_map(|status| &status.applied_tags).map(String::as_str)
}

pub(super) fn plan(policy: &IAMPolicy, observed: &Observed) -> Plan<Step> {
    match &observed.state {
        State::Absent if !observed.not_held.is_empty() => waits(policy, observed),
        State::Absent => create(policy),
        State::Here(here) => keep(policy, observed, here),
        State::Closed(reason, why) => {
            let plan = Plan::not_ready(*reason, format!("policy {}: {why}", name_of(policy)));
            match reason {
                ConditionReason::Unsupported => plan.unsupported(POLICY, why.clone()),
                _ => plan,
            }
        }
    }
}

/// Nobody gets rights on a bucket that only an object speaks of: it may be another's.
fn waits(policy: &IAMPolicy, observed: &Observed) -> Plan<Step> {
    let message = iam::waits_for(&observed.not_held, policy.recorded());
    Plan::not_ready(ConditionReason::ReferencesMissing, message)
}

fn create(policy: &IAMPolicy) -> Plan<Step> {
    let name = name_of(policy);
    let once = Once { operation: CREATE, fingerprint: format!("policy/{name}"), before: Vec::new() };
    let was_there = policy.status.as_ref().is_some_and(|status| status.policy_arn.is_some());
    let drift = was_there.then(|| Drift::new(POLICY, "no policy", name));
    let create = Planned {
        once: Some(once),
        drift: drift.into_iter().collect(),
        ..Planned::new(Step::Create(name.to_owned()))
    };
    Plan::not_ready(ConditionReason::Reconciling, format!("policy {name} is being made")).with(create)
}

fn keep(policy: &IAMPolicy, observed: &Observed, here: &Here) -> Plan<Step> {
    let is_held = observed.not_held.is_empty();
    let mut plan = here.refusals.tell(if is_held { Plan::ready() } else { waits(policy, observed) });
    let step = |what| Step::Change { arn: here.arn.clone(), what };
    let wanted = policy.spec.document().unwrap_or_default();
    let found = here.document.as_deref();
    let agrees = found.is_some_and(|found| iam::says_the_same(PolicyKind::Managed, &wanted, found));
    if !agrees && is_held && !here.refusals.has(POLICY) {
        let drift = Drift::new(POLICY, "another policy", "as specified");
        plan = plan.correct_independently(step(What::Document), [drift]);
        let message = "the policy does not say what is specified yet";
        plan.readiness = Readiness::NotReady(ConditionReason::Reconciling, message.to_owned());
    }
    match Change::of(policy.spec.tags.as_ref(), tags_before(policy), &here.tags) {
        Some(change) if !here.refusals.has(TAGS) => {
            let drift = change.drift();
            plan.correct_independently(step(What::Tags(change)), [drift])
        }
        _ => plan,
    }
}

/// Whether the policy was made and may be there although the service has not shown it yet.
pub(super) fn may_be_late(policy: &IAMPolicy, observed: &Observed) -> bool {
    let is_unseen = |status: &IAMPolicyStatus| status.policy_arn.is_some() && status.last_sync_time.is_none();
    policy.status.as_ref().is_some_and(is_unseen) && iam::is_early(policy, observed.at)
}

/// Detached first: services that delete what is attached leave users that can't be deleted any more.
pub(super) fn plan_deletion(policy: &IAMPolicy, observed: &Observed) -> Deletion<Step> {
    let name = name_of(policy);
    let here = match &observed.state {
        State::Absent if may_be_late(policy, observed) => {
            return Deletion::wait(iam::may_show(&format!("policy {name}")), SOON);
        }
        State::Absent => return Deletion::Gone,
        State::Closed(reason, why) => {
            return Deletion::Blocked(
                *reason,
                format!("it can't be told whether policy {name} is there: {why}"),
            );
        }
        State::Here(here) => here,
    };
    let holders = here.holders.as_ref();
    if let Some(foreign) = holders.map(|holders| &holders.foreign).filter(|foreign| !foreign.is_empty()) {
        let message = format!(
            "policy {name} is attached to what Concierge did not make: {}; detach it there, or set the annotation {ABANDON}: \
             \"true\", which leaves the policy there",
            abridged(foreign)
        );
        return Deletion::Blocked(ConditionReason::Held, message);
    }
    let step = |what| Step::Change { arn: here.arn.clone(), what };
    let detached = holders.into_iter().flat_map(|holders| &holders.ours).cloned().map(What::Detach);
    let old = Some(What::Prune(here.versions.clone())).filter(|_| !here.versions.is_empty());
    Deletion::steps(detached.chain(old).chain([What::Delete]).map(step))
}

pub(super) fn report(policy: &IAMPolicy, observed: &Observed, status: &mut IAMPolicyStatus) {
    let here = match &observed.state {
        State::Closed(..) => return,
        State::Absent => {
            status.applied = Some(false);
            // What takes its place is what is made for it now.
            status.policy_id = None;
            status.buckets.clear();
            status.attached_users.clear();
            status.applied_tags.clear();
            return;
        }
        State::Here(here) => here,
    };
    here.refusals.report(status);
    if here.owner != Owner::Ours && !annotation::is_set(policy, ADOPT) {
        return;
    }
    status.policy_arn = Some(here.arn.clone());
    status.policy_id.clone_from(&here.id);
    status.applied = Some(true);
    if let Some(document) = &here.document {
        status.buckets = iam::named_buckets(document);
    }
    if let Some(holders) = &here.holders {
        status.attached_users = holders.users.iter().take(TOLD).cloned().collect();
    }
    if policy.metadata.deletion_timestamp.is_none() && !here.refusals.has(TAGS) {
        status.applied_tags = iam::tags_of(policy.spec.tags.as_ref(), tags_before(policy), &here.tags);
    }
}
