//! What is to be done about an order.

use std::{fmt, time::Duration};

use concierge_shared::{
    coffee::{CoffeeOrder, OrderPhase},
    status::ConditionReason,
};
use jiff::Timestamp;

use super::{
    super::{
        client::{NewOrder, Order, TrackingStatus},
        placing::{PLACED, REFUSALS},
    },
    open::{Need, Open, Part},
};
use crate::common::{
    refusals,
    standing::{PRESENT, SOON, is_asked, is_gone},
};
use crate::engine::Plan;

/// How far it has come.
const TRACKING: &str = "Tracking";
/// The shortest and the longest wait between two looks at an order on its way; in between a tenth of its age.
/// Coffee is not shipped within minutes, and each look takes a turn from orders that wait to be placed.
const LOOKS: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(3600));

pub(in crate::coffee) enum Step {
    CreateAddress,
    RegisterCard,
    Place(NewOrder),
    Remove(Part),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::CreateAddress => f.write_str("create the address"),
            Step::RegisterCard => f.write_str("register the card"),
            Step::Place(_) => f.write_str("place the order"),
            Step::Remove(Part::Address(id)) => write!(f, "delete address {id}"),
            Step::Remove(Part::Card(id)) => write!(f, "delete card {id}"),
        }
    }
}

/// A finished order stays as it is.
pub(super) fn over(order: &CoffeeOrder) -> Plan<Step> {
    let status = order.status.clone().unwrap_or_default();
    match status.phase {
        Some(OrderPhase::Delivered) => Plan::ready(),
        Some(OrderPhase::Cancelled) => {
            Plan::not_ready(ConditionReason::Abandoned, "was given up before it was placed")
        }
        Some(OrderPhase::Failed) if status.order_id.is_none() => REFUSALS.plan(&status),
        _ => {
            let message = status.tracking_status.unwrap_or_default();
            Plan::not_ready(ConditionReason::Held, format!("the carrier reports {message}; ask the shop"))
        }
    }
}

/// What people are told of an order that was seen before, or is long overdue.
const NOT_AGAIN: &str = "check that the account is the one it was placed at. It is not placed again";

/// An order that the shop does not show is late, or somewhere else: never absent.
pub(super) fn unseen(order: &CoffeeOrder, now: Timestamp) -> Plan<Step> {
    let status = order.status.clone().unwrap_or_default();
    let id = status.order_id.clone().unwrap_or_default();
    let seen_before = status.placed_at.is_some();
    let (reason, message) = match seen_before || is_gone(Some(&status), now) {
        false => (ConditionReason::Reconciling, format!("the shop does not show order {id} yet")),
        true => (ConditionReason::Held, format!("the shop does not know order {id}; {NOT_AGAIN}")),
    };
    Plan::not_ready(reason, message.clone())
        .condition(PLACED, true, "Ordered", format!("placed as {id}"))
        .condition(PRESENT, false, "OrderNotFound", message)
        .look_again(if seen_before { LOOKS.1 } else { SOON })
}

/// An order on its way.
pub(super) fn follow(found: &Order, now: Timestamp) -> Plan<Step> {
    let id = &found.id;
    let words = found.tracking.status_details.clone().unwrap_or_default();
    let shipped = found.tracking.number.is_some();
    let (moves, reason, message) = match found.tracking.status {
        Some(TrackingStatus::Delivered) => (true, "Delivered", words),
        Some(TrackingStatus::PreTransit | TrackingStatus::Transit) => (true, "Shipped", words),
        Some(TrackingStatus::Returned) => (false, "Returned", words),
        Some(TrackingStatus::Failure) => (false, "Failure", words),
        _ if shipped => (true, "Shipped", words),
        _ => (false, "NotShipped", "the shop has not shipped it yet".to_owned()),
    };
    let plan = match found.tracking.status {
        Some(TrackingStatus::Returned | TrackingStatus::Failure) => {
            Plan::not_ready(ConditionReason::Held, format!("the carrier reports {reason}; ask the shop"))
        }
        _ => Plan::ready(),
    };
    plan.condition(PLACED, true, "Ordered", format!("placed as {id}"))
        .condition(PRESENT, true, "Shown", format!("the shop shows {id}"))
        .condition(TRACKING, moves, reason, message)
        .look_again(patience(found.created, now))
}

fn patience(created: Option<Timestamp>, now: Timestamp) -> Duration {
    let age = created.map_or(Duration::ZERO, |created| now.duration_since(created).unsigned_abs());
    (age / 10).clamp(LOOKS.0, LOOKS.1)
}

/// An order that is not placed.
pub(super) fn place(order: &CoffeeOrder, open: &Open) -> Plan<Step> {
    let status = order.status.clone().unwrap_or_default();
    if let Some(intent) = refusals::abandoned(&status) {
        return refusals::plan_abandoned(intent);
    }
    if REFUSALS.is_refused(&status) && !is_asked(order, status.reconciled_at.as_deref()) {
        return REFUSALS.plan(&status);
    }
    let waits = |message: &str| {
        let plan = Plan::not_ready(ConditionReason::Reconciling, message);
        plan.condition(PLACED, false, "Waiting", message).look_again(SOON)
    };
    match (&open.hindrance, &open.address, &open.card, &open.placeable) {
        (Some(hindrance), ..) => waits(hindrance),
        (None, Need::Ours(once), ..) => {
            waits("its address is being made").once(Step::CreateAddress, once.clone())
        }
        (None, _, Need::Ours(once), _) => {
            waits("its card is being registered").once(Step::RegisterCard, once.clone())
        }
        (None, Need::Met(_), Need::Met(_), Some(placeable)) => {
            let step = Step::Place(placeable.order.clone());
            let message = "is being placed";
            let plan = Plan::not_ready(ConditionReason::Reconciling, message);
            plan.condition(PLACED, false, "Placing", message).once(step, placeable.once())
        }
        (None, Need::Met(id), Need::Met(_), None) => {
            waits(&format!("the shop does not show address {id} yet"))
        }
        (None, ..) => waits("the address or the card has no id yet"),
    }
}
