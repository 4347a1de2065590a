//! What an order's status says.

use concierge_shared::{
    coffee::{
        CoffeeAddress, CoffeeCard, CoffeeOrder, CoffeeOrderSpec, CoffeeOrderStatus, CoffeeProfile, OrderPhase,
    },
    common::words::first_chars,
    status::{LONGEST_STATUS_TEXT, intent::IntentState},
};

use super::{
    super::{
        client::{Order, TrackingStatus},
        placing::REFUSALS,
    },
    open::{Observed, Stage},
};
use crate::common::standing::{is_target_ready, last_look, trouble, written};
use crate::engine::Checks;

/// Fills in what was observed.
pub(super) fn report(observed: &Observed, status: &mut CoffeeOrderStatus) {
    if let Some(used) = &observed.used {
        status.account = Some(used.clone());
    }
    match &observed.stage {
        Stage::Over | Stage::Leaving(_) | Stage::Placed(None) => {}
        Stage::Placed(Some(found)) => {
            let before = status.clone();
            follow(found, status);
            let changed = before != *status;
            last_look(&mut status.last_status_check, observed.at, changed);
        }
        Stage::Open(open) => {
            status.address_id = open.address.id().cloned();
            status.card_id = open.card.id().cloned();
            if let Some(placeable) = &open.placeable {
                status.fingerprint = Some(placeable.fingerprint.clone());
            }
        }
    }
}

fn follow(found: &Order, status: &mut CoffeeOrderStatus) {
    let tracking = &found.tracking;
    status.order_index = found.index;
    status.subtotal = Some(found.amount.subtotal);
    status.shipping = Some(found.amount.shipping);
    status.placed_at = found.created.map(written).or(status.placed_at.take());
    let told = |text: &Option<String>| text.as_deref().map(|text| first_chars(text, LONGEST_STATUS_TEXT));
    status.tracking_number = told(&tracking.number);
    status.tracking_url = told(&tracking.url);
    status.tracking_service = told(&tracking.service);
    status.tracking_status = tracking.status.map(|status| spelt(status).to_owned());
}

fn spelt(status: TrackingStatus) -> &'static str {
    match status {
        TrackingStatus::PreTransit => "PRE_TRANSIT",
        TrackingStatus::Transit => "TRANSIT",
        TrackingStatus::Delivered => "DELIVERED",
        TrackingStatus::Returned => "RETURNED",
        TrackingStatus::Failure => "FAILURE",
        TrackingStatus::Unknown => "UNKNOWN",
    }
}

/// Fills in what follows from the conditions.
pub(super) fn phase(order: &CoffeeOrder, checks: &Checks, status: &mut CoffeeOrderStatus) {
    status.phase = Some(match status.order_id {
        Some(_) => placed(status),
        None => open(status),
    });
    status.message = REFUSALS.message(status).or_else(|| trouble(status));
    let namespace = order.metadata.namespace.as_deref().unwrap_or_default();
    let CoffeeOrderSpec { profile_ref, address_ref, card_ref, .. } = &order.spec;
    let (profile, address, card) =
        (status.profile_ready_status, status.address_ready_status, status.card_ready_status);
    status.profile_ready_status =
        Some(is_target_ready::<CoffeeProfile>(checks, namespace, profile_ref, profile));
    status.address_ready_status = address_ref
        .as_ref()
        .map(|target| is_target_ready::<CoffeeAddress>(checks, namespace, target, address));
    status.card_ready_status =
        card_ref.as_ref().map(|target| is_target_ready::<CoffeeCard>(checks, namespace, target, card));
}

fn placed(status: &CoffeeOrderStatus) -> OrderPhase {
    match status.tracking_status.as_deref() {
        Some("DELIVERED") => OrderPhase::Delivered,
        Some("RETURNED" | "FAILURE") => OrderPhase::Failed,
        Some("PRE_TRANSIT" | "TRANSIT") => OrderPhase::Shipped,
        _ if status.tracking_number.is_some() => OrderPhase::Shipped,
        _ => OrderPhase::Ordered,
    }
}

fn open(status: &CoffeeOrderStatus) -> OrderPhase {
    match &status.intent {
        Some(intent) if intent.state == IntentState::Abandoned => OrderPhase::Cancelled,
        Some(_) => OrderPhase::Processing,
        None if REFUSALS.is_refused(status) => OrderPhase::Failed,
        None => OrderPhase::Pending,
    }
}
