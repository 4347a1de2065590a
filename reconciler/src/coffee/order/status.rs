//! What an order's status says.

use concierge_shared::{
    coffee::{CoffeeAddress, CoffeeCard, CoffeeOrder, CoffeeOrderStatus, CoffeeProfile, OrderPhase},
    common::ObjectRef,
    kind::Kind,
    status::intent::IntentState,
};

use super::{
    super::{
        client::{Order, TrackingStatus},
        placing::{is_refused, refusal},
        standing::{is_target_ready, last_look, trouble, written},
    },
    Observed, Stage,
};
use crate::engine::ObjectKey;

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
    status.tracking_number.clone_from(&tracking.number);
    status.tracking_url.clone_from(&tracking.url);
    status.tracking_service.clone_from(&tracking.service);
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
pub(super) fn phase(order: &CoffeeOrder, status: &mut CoffeeOrderStatus) {
    status.phase = Some(match status.order_id {
        Some(_) => placed(status),
        None => open(status),
    });
    status.message = refusal(status).or_else(|| trouble(status));
    let ready = |status: &CoffeeOrderStatus, kind, target: Option<&ObjectRef>| {
        let namespace = order.metadata.namespace.as_deref().unwrap_or_default();
        target.map(|target| {
            let key = ObjectKey::new(kind, target.namespace_in(namespace), target.name.clone());
            is_target_ready(status, &key)
        })
    };
    let spec = &order.spec;
    status.profile_ready_status = ready(status, CoffeeProfile::NAME, Some(&spec.profile_ref));
    status.address_ready_status = ready(status, CoffeeAddress::NAME, spec.address_ref.as_ref());
    status.card_ready_status = ready(status, CoffeeCard::NAME, spec.card_ref.as_ref());
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
        None if is_refused(status) => OrderPhase::Failed,
        None => OrderPhase::Pending,
    }
}
