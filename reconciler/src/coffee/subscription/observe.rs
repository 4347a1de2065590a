//! What the shop shows of a subscription.

use concierge_shared::{
    admission::review::annotation,
    coffee::{CoffeeSubscription, UsedAccount, subscription::recorded_subscription_key},
};
use jiff::Timestamp;

use super::super::{
    client::{Subscription, operation},
    connection::Connection,
    placing,
};
use crate::engine::{Context, Failure, annotation::ADOPT};

/// What the shop shows.
#[derive(Default)]
pub(in crate::coffee) struct Observed {
    /// `None` when the shop was not asked.
    pub(super) used: Option<UsedAccount>,
    pub(super) at: Timestamp,
    /// The account's subscription to the variant, whoever made it.
    pub(super) found: Option<Subscription>,
    /// Whether it is recorded by this object, or may be taken over.
    pub(super) ours: bool,
    pub(super) hindrance: Option<String>,
    pub(super) address: Option<String>,
    pub(super) card: Option<String>,
    pub(super) removed: bool,
}

/// The id that the object has recorded.
pub(super) fn recorded_id(subscription: &CoffeeSubscription) -> Option<&str> {
    subscription.status.as_ref()?.subscription_id.as_deref()
}

/// All subscriptions of the account.
pub(super) async fn list(ctx: &Context, shop: &Connection) -> Result<Vec<Subscription>, Failure> {
    shop.read(ctx, operation::LIST_SUBSCRIPTIONS, shop.client.subscriptions()).await
}

/// What the shop shows of this one, and what stands in its way.
pub(super) async fn observe(
    ctx: &Context,
    shop: &Connection,
    subscription: &CoffeeSubscription,
) -> Result<Observed, Failure> {
    let spec = &subscription.spec;
    let id = recorded_id(subscription);
    let found = list(ctx, shop).await?.into_iter().find(|one| match id {
        Some(id) => one.id == id,
        None => one.variant == spec.product_variant_id,
    });
    let taken = match &found {
        Some(found) if id.is_none() => {
            let key = recorded_subscription_key(&found.id);
            ctx.find_recorded::<CoffeeSubscription>("", &key, |_| true).await?.is_some()
        }
        _ => false,
    };
    let adopts = annotation(subscription, ADOPT) == Some("true") && !taken;
    let leaving = subscription.metadata.deletion_timestamp.is_some();
    let hindrance = match found.is_none() && id.is_none() && !leaving {
        true => placing::hindrance(ctx, shop, &spec.profile_ref).await?,
        false => None,
    };
    Ok(Observed {
        used: Some(shop.used.clone()),
        at: ctx.now(),
        ours: id.is_some() || adopts,
        found,
        hindrance,
        address: placing::address_id(ctx, Some(&spec.address_ref)),
        card: placing::card_id(ctx, Some(&spec.card_ref)),
        removed: id.is_some_and(|id| shop.is_removed(id)),
    })
}

/// What recognises a subscription among those of an account. No part of it is a secret.
pub(super) fn recognised_by(variant: &str, quantity: i64, address: &str, card: &str) -> String {
    format!("{quantity} of {variant} to {address} by {card}")
}
