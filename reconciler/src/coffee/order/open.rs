//! What is seen of an order at the shop, and what it needs before it can be placed.

use std::collections::BTreeMap;

use concierge_shared::coffee::{CoffeeCard, CoffeeOrder, UsedAccount};
use jiff::Timestamp;

use super::super::{
    address, card,
    client::{Card, NewOrder, Order},
    connection::Connection,
    placing::{self, Placeable},
};
use crate::engine::{Context, Failure, Once};

pub(in crate::coffee) struct Observed {
    /// `None` when the shop was not asked.
    pub(super) used: Option<UsedAccount>,
    pub(super) at: Timestamp,
    pub(super) stage: Stage,
}

pub(in crate::coffee) enum Stage {
    /// Nothing more happens to it.
    Over,
    /// It is placed; this is what the shop shows of it, if it does.
    Placed(Option<Box<Order>>),
    /// It is to be placed.
    Open(Box<Open>),
    /// It is being deleted; these of its own parts are left at the shop.
    Leaving(Vec<Part>),
}

/// Something that was made for the order alone.
#[derive(Clone, Debug)]
pub(in crate::coffee) enum Part {
    Address(String),
    Card(String),
}

/// What is there, and what is not.
pub(in crate::coffee) struct Open {
    /// What hinders it, if something does.
    pub(super) hindrance: Option<String>,
    pub(super) address: Need,
    pub(super) card: Need,
    /// Everything; `None` while something is missing, or the shop does not show the address.
    pub(super) placeable: Option<Placeable>,
}

/// Something that an order needs.
pub(in crate::coffee) enum Need {
    /// The shop has it under this id.
    Met(String),
    /// The object that is referred to has no id yet.
    Awaited,
    /// It is the order's own, and is to be made by this call.
    Ours(Once),
}

impl Need {
    fn of(id: Option<String>) -> Self {
        id.map_or(Need::Awaited, Need::Met)
    }

    /// The id, once there is one.
    pub(super) fn id(&self) -> Option<&String> {
        match self {
            Need::Met(id) => Some(id),
            Need::Awaited | Need::Ours(_) => None,
        }
    }
}

/// Looks at everything that the order needs.
pub(super) async fn observe(ctx: &Context, shop: &Connection, order: &CoffeeOrder) -> Result<Open, Failure> {
    let hindrance = placing::hindrance(ctx, shop, &order.spec.profile_ref).await?;
    let address = address(ctx, shop, order).await?;
    let card = card(ctx, shop, order).await?;
    let new = address.id().zip(card.id()).map(|(address, card)| new_order(order, address, card));
    let placeable = match new.filter(|_| hindrance.is_none()) {
        Some(new) => placing::placeable(ctx, shop, new?).await?,
        None => None,
    };
    Ok(Open { hindrance, address, card, placeable })
}

async fn address(ctx: &Context, shop: &Connection, order: &CoffeeOrder) -> Result<Need, Failure> {
    let Some(own) = &order.spec.address else {
        return Ok(Need::of(placing::address_id(ctx, order.spec.address_ref.as_ref())));
    };
    if let Some(id) = order.status.as_ref().and_then(|status| status.address_id.clone()) {
        return Ok(Need::Met(id));
    }
    let fingerprint = address::recognised_by(&shop.used.name, &own.postal());
    let before = address::alike(shop, &placing::addresses(ctx, shop).await?, &fingerprint);
    Ok(Need::Ours(Once { operation: address::CREATE, fingerprint, before }))
}

async fn card(ctx: &Context, shop: &Connection, order: &CoffeeOrder) -> Result<Need, Failure> {
    if order.spec.card.is_none() {
        return Ok(Need::of(placing::card_id(ctx, order.spec.card_ref.as_ref())));
    }
    if let Some(id) = order.status.as_ref().and_then(|status| status.card_id.clone()) {
        return Ok(Need::Met(id));
    }
    let listed = card::cards(ctx, shop).await?;
    match with_the_same_token(ctx, shop, order, &listed).await? {
        Some(id) => Ok(Need::Met(id)),
        None => Ok(Need::Ours(card::once(&listed))),
    }
}

/// The card that another object of the namespace registered with the same token: the shop takes it only once.
async fn with_the_same_token(
    ctx: &Context,
    shop: &Connection,
    order: &CoffeeOrder,
    listed: &[Card],
) -> Result<Option<String>, Failure> {
    let Some(source) = order.spec.card.as_ref().and_then(|card| card.token_source()) else { return Ok(None) };
    let namespace = &ctx.key().namespace;
    let key = source.index_key(namespace);
    let is_listed = |account: Option<&UsedAccount>, id: Option<&String>| {
        account.is_some_and(|account| account.name == shop.used.name)
            && id.is_some_and(|id| listed.iter().any(|card| card.id == *id))
    };
    let of_order = |other: &CoffeeOrder| {
        let status = other.status.as_ref();
        status.is_some_and(|status| is_listed(status.account.as_ref(), status.card_id.as_ref()))
    };
    if let Some(other) = ctx.find_recorded(namespace, &key, of_order).await? {
        return Ok(other.status.clone().and_then(|status| status.card_id));
    }
    let of_card = |other: &CoffeeCard| {
        let status = other.status.as_ref();
        status.is_some_and(|status| is_listed(status.account.as_ref(), status.card_id.as_ref()))
    };
    let other = ctx.find_recorded(namespace, &key, of_card).await?;
    Ok(other.and_then(|other| other.status.clone()?.card_id))
}

fn new_order(order: &CoffeeOrder, address: &str, card: &str) -> Result<NewOrder, Failure> {
    let quantity = u32::try_from(order.spec.quantity.unwrap_or(1))
        .map_err(|_| Failure::Invalid("spec.quantity is out of range".into()))?;
    let variants = BTreeMap::from([(order.spec.product_variant_id.clone(), quantity)]);
    Ok(NewOrder { variants, card: card.to_owned(), address: address.to_owned() })
}

/// What was made for the order alone and is at the shop still.
pub(super) async fn parts_left(
    ctx: &Context,
    shop: &Connection,
    order: &CoffeeOrder,
) -> Result<Vec<Part>, Failure> {
    let status = order.status.clone().unwrap_or_default();
    let mut parts = Vec::new();
    if let Some(id) = status.address_id.filter(|_| order.spec.address.is_some()) {
        let listed = placing::addresses(ctx, shop).await?.iter().any(|one| one.id == id);
        if listed || !shop.is_removed(&id) {
            parts.push(Part::Address(id));
        }
    }
    if let Some(id) = status.card_id.filter(|_| order.spec.card.is_some()) {
        let listed = card::cards(ctx, shop).await?.iter().any(|one| one.id == id);
        if (listed || !shop.is_removed(&id)) && !card::is_taken(ctx, &id).await? {
            parts.push(Part::Card(id));
        }
    }
    Ok(parts)
}
