//! What is seen of an order at the shop, and what it needs before it can be placed.

use std::collections::BTreeMap;

use concierge_shared::coffee::{CoffeeCard, CoffeeOrder, UsedAccount, card_token::TokenSource};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

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
pub(super) async fn look(ctx: &Context, shop: &Connection, order: &CoffeeOrder) -> Result<Open, Failure> {
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
    let is_same = |source: Option<TokenSource<'_>>| {
        source.is_some() && source == order.spec.card.as_ref().and_then(|card| card.token_source())
    };
    let same_place = |meta: &ObjectMeta, account: Option<&UsedAccount>| {
        meta.namespace.as_deref() == Some(&ctx.key().namespace)
            && account.is_some_and(|account| account.name == shop.used.name)
    };
    let mut ids = Vec::new();
    let of_order = |other: CoffeeOrder| {
        let Some(status) = other.status else { return };
        let source = other.spec.card.as_ref().and_then(|card| card.token_source());
        if is_same(source) && same_place(&other.metadata, status.account.as_ref()) {
            ids.extend(status.card_id);
        }
    };
    ctx.for_each_stored(of_order).await?;
    let of_card = |other: CoffeeCard| {
        let Some(status) = other.status else { return };
        if is_same(other.spec.token_source()) && same_place(&other.metadata, status.account.as_ref()) {
            ids.extend(status.card_id);
        }
    };
    ctx.for_each_stored(of_card).await?;
    Ok(ids.into_iter().find(|id| listed.iter().any(|card| card.id == *id)))
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
        if (listed || !shop.is_removed(&id)) && !card::taken(ctx).await?.contains(&id) {
            parts.push(Part::Card(id));
        }
    }
    Ok(parts)
}
