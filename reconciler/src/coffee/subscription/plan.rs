//! What is to be done about a subscription.

use std::fmt;

use concierge_shared::{
    coffee::{CoffeeSubscription, CoffeeSubscriptionSpec, ScheduleType},
    status::ConditionReason,
};
use jiff::Timestamp;

use super::{
    super::{
        client::{NewSubscription, Schedule, Subscription, SubscriptionChange},
        placing::{self, REFUSALS},
    },
    observe::{Observed, recognised_by, recorded_id},
};
use crate::common::{
    refusals,
    standing::{PRESENT, SOON, is_asked, is_gone},
};
use crate::engine::{Drift, Once, Plan};

/// The operation's name in intents.
const SUBSCRIBE: &str = "POST /subscription";
/// The reason of [`PRESENT`] once the shop has had no such subscription for long enough.
pub(super) const CANCELLED: &str = "Cancelled";

pub(in crate::coffee) enum Step {
    Subscribe(NewSubscription),
    Update(String, SubscriptionChange),
    Cancel(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Subscribe(new) => write!(f, "subscribe to {}", new.variant),
            Step::Update(id, _) => write!(f, "change subscription {id}"),
            Step::Cancel(id) => write!(f, "cancel subscription {id}"),
        }
    }
}

/// What is to be done about a subscription.
pub(super) fn plan(subscription: &CoffeeSubscription, observed: &Observed, now: Timestamp) -> Plan<Step> {
    let status = subscription.status.as_ref();
    match (recorded_id(subscription), &observed.found) {
        _ if observed.used.is_none() => {
            Plan::not_ready(ConditionReason::Deleted, "the shop no longer has it")
        }
        (_, Some(found)) if observed.ours => follow(subscription, observed, found),
        (Some(id), _) => {
            let gone = is_gone(status, now);
            let (reason, word, message) = match gone {
                true => (
                    ConditionReason::Deleted,
                    CANCELLED,
                    format!(
                        "the shop no longer lists subscription {id}: it was cancelled there, and is not made again"
                    ),
                ),
                false => (
                    ConditionReason::Reconciling,
                    "NotListed",
                    format!("the shop does not list subscription {id}"),
                ),
            };
            // Looked at now and then for good: one that is listed again is paid for again.
            let plan = Plan::not_ready(reason, message.clone()).condition(PRESENT, false, word, message);
            if gone { plan } else { plan.look_again(SOON) }
        }
        (None, Some(_)) => {
            Plan::not_ready(ConditionReason::OwnedByOther, "another object has the subscription")
        }
        (None, None) => subscribe(subscription, observed),
    }
}

/// A subscription that is to be made.
fn subscribe(subscription: &CoffeeSubscription, observed: &Observed) -> Plan<Step> {
    let status = subscription.status.clone().unwrap_or_default();
    if let Some(intent) = refusals::abandoned(&status) {
        return refusals::plan_abandoned(intent);
    }
    if REFUSALS.is_refused(&status) && !is_asked(subscription, status.reconciled_at.as_deref()) {
        return REFUSALS.plan(&status);
    }
    if let Some(hindrance) = &observed.hindrance {
        return Plan::not_ready(ConditionReason::Reconciling, hindrance.clone()).look_again(SOON);
    }
    let spec = &subscription.spec;
    let (Some(address), Some(card)) = (&observed.address, &observed.card) else {
        return Plan::not_ready(ConditionReason::Reconciling, "the address or the card has no id yet")
            .look_again(SOON);
    };
    let (Some(schedule), Ok(quantity)) = (schedule(spec), u32::try_from(spec.quantity.unwrap_or(1))) else {
        let message = "the shop has no such schedule; use weekly or fixed";
        return Plan::not_ready(ConditionReason::Unsupported, message)
            .unsupported("spec.schedule.type", message);
    };
    let new = NewSubscription {
        variant: spec.product_variant_id.clone(),
        quantity,
        address: address.clone(),
        card: card.clone(),
        schedule: Some(schedule),
    };
    let once = Once {
        operation: SUBSCRIBE,
        fingerprint: recognised_by(&new.variant, i64::from(quantity), address, card),
        before: Vec::new(),
    };
    let plan = Plan::not_ready(ConditionReason::Reconciling, "is being made");
    plan.condition(placing::PLACED, false, "Placing", "is being made").once(Step::Subscribe(new), once)
}

/// A subscription that the shop has.
fn follow(subscription: &CoffeeSubscription, observed: &Observed, found: &Subscription) -> Plan<Step> {
    let spec = &subscription.spec;
    let id = &found.id;
    let mut plan = Plan::ready()
        .condition(PRESENT, true, "Listed", format!("the shop lists {id}"))
        .condition(placing::PLACED, true, "Subscribed", format!("made as {id}"));
    let mut change = SubscriptionChange::default();
    let changed = |wanted: &Option<String>, has: &str| wanted.clone().filter(|wanted| wanted != has);
    change.address = changed(&observed.address, &found.address);
    change.card = changed(&observed.card, &found.card);
    change.schedule = schedule(spec).filter(|wanted| !is_schedule(found.schedule, *wanted));
    let differences = [
        ("spec.addressRef", change.address.is_some()),
        ("spec.cardRef", change.card.is_some()),
        ("spec.schedule", change.schedule.is_some()),
    ];
    let differing = differences.into_iter().filter(|(_, differs)| *differs);
    let drift: Vec<_> = differing.map(|(field, _)| Drift::new(field, "another", "as specified")).collect();
    if found.quantity != spec.quantity.unwrap_or(1) || found.variant != spec.product_variant_id {
        let message = format!("the shop has {} of {} and can't change that", found.quantity, found.variant);
        plan = plan.unsupported("spec.quantity", message);
    }
    match drift.is_empty() {
        true => plan,
        false => plan.correct(Step::Update(id.clone(), change), drift),
    }
}

/// A schedule in the shop's words; `None` for one that it does not have.
fn schedule(spec: &CoffeeSubscriptionSpec) -> Option<Schedule> {
    match spec.schedule.kind {
        ScheduleType::Fixed => Some(Schedule::Fixed),
        ScheduleType::Weekly => {
            let interval = u32::try_from(spec.schedule.interval.unwrap_or(1)).ok()?;
            Some(Schedule::Weekly { interval })
        }
        ScheduleType::Monthly => None,
    }
}

/// Whether what the shop has is `wanted`; it leaves out what it decides itself.
fn is_schedule(has: Option<Schedule>, wanted: Schedule) -> bool {
    has.unwrap_or(Schedule::Fixed) == wanted
}
