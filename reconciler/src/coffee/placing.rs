//! What orders and carts have in common: an order is placed once, and recognised among those of the account.

use std::collections::BTreeMap;

use concierge_shared::{
    coffee::{
        CoffeeAddress, CoffeeCard, CoffeeCart, CoffeeOrder, CoffeeProfile, Postal, fingerprint::fingerprint,
    },
    common::ObjectRef,
    kind::Kind,
};

use super::{
    client::{Address, NewOrder, Order, Place, operation},
    connection::Connection,
    profile,
};
use crate::common::{recorded, refusals::Refusals};
use crate::engine::{
    Context, Effect, Failure, Guard, IfFound, IfNotFound, ObjectKey, Once, Outcome, UnknownPolicy,
};

/// The operation's name in intents.
pub(super) const PLACE: &str = "POST /order";
/// The condition that tells whether what was asked for is placed.
pub(super) const PLACED: &str = "Placed";
/// Refused orders, and subscriptions.
pub(super) const REFUSALS: Refusals = Refusals { condition: PLACED, nothing: "nothing was ordered" };

/// An order that can be placed, and how it will be recognised.
pub(super) struct Placeable {
    pub(super) order: NewOrder,
    pub(super) fingerprint: String,
    before: Vec<String>,
}

/// Looks at what is needed to place an order; `None` when the shop does not show the address.
pub(super) async fn placeable(
    ctx: &Context,
    shop: &Connection,
    order: NewOrder,
) -> Result<Option<Placeable>, Failure> {
    let address = shop.find(ctx, operation::GET_ADDRESS, shop.client.address(&order.address)).await?;
    let Some(address) = address else { return Ok(None) };
    let variants = order.variants.iter().map(|(id, quantity)| (id.clone(), i64::from(*quantity))).collect();
    let fingerprint = fingerprint(&shop.used.name, &variants, &postal(&address.place));
    let orders = shop.read(ctx, operation::LIST_ORDERS, shop.client.orders()).await?;
    let same = orders.iter().filter(|other| of_order(shop, other).as_ref() == Some(&fingerprint));
    let before = same.map(|order| order.id.clone()).collect();
    Ok(Some(Placeable { order, fingerprint, before }))
}

impl Placeable {
    /// How its placing is recognised after a lost answer, so that it is not placed twice.
    pub(super) fn once(&self) -> Once {
        let (fingerprint, before) = (self.fingerprint.clone(), self.before.clone());
        Once { operation: PLACE, fingerprint, before }
    }
}

/// Places `order`: the card is charged.
pub(super) async fn place(guard: &Guard, shop: &Connection, order: &NewOrder) -> Result<Outcome, Failure> {
    let id = shop.write(guard, operation::CREATE_ORDER, shop.client.create_order(order)).await?;
    Ok(Outcome::made(id.clone(), format!("placed order {id}")))
}

/// The order of this id; `None` when the shop shows it neither by itself nor in the list.
pub(super) async fn find(ctx: &Context, shop: &Connection, id: &str) -> Result<Option<Order>, Failure> {
    match shop.find(ctx, operation::GET_ORDER, shop.client.order(id)).await? {
        Some(order) => Ok(Some(order)),
        None => {
            let listed = shop.find(ctx, operation::LIST_ORDERS, shop.client.orders()).await?;
            Ok(listed.into_iter().flatten().find(|order| order.id == id))
        }
    }
}

/// The orders that could be the effect of a call whose outcome is unknown: those that no object has recorded.
pub(super) async fn effects(ctx: &Context, shop: &Connection) -> Result<Vec<Effect>, Failure> {
    let orders = shop.read(ctx, operation::LIST_ORDERS, shop.client.orders()).await?;
    let mut ours = recorded::by_others(ctx, |order: CoffeeOrder| order.status?.order_id).await?;
    ours.extend(recorded::by_others(ctx, |cart: CoffeeCart| cart.status?.order_id).await?);
    let free = orders.iter().filter(|order| !ours.contains(&order.id));
    let effect = |order: &Order| {
        let fingerprint = of_order(shop, order)?;
        Some(Effect { id: order.id.clone(), fingerprint, at: order.created, certain: true, kept: false })
    };
    Ok(free.filter_map(effect).collect())
}

/// Holds, and adopts: money is at stake.
pub(super) fn policy() -> UnknownPolicy {
    UnknownPolicy { if_not_found: IfNotFound::Hold, if_found: IfFound::Adopt, ..UnknownPolicy::default() }
}

/// What recognises `order`; `None` when the shop does not say what was bought.
fn of_order(shop: &Connection, order: &Order) -> Option<String> {
    let mut variants = BTreeMap::new();
    for item in &order.items {
        *variants.entry(item.variant.clone()?).or_insert(0) += item.quantity;
    }
    Some(fingerprint(&shop.used.name, &variants, &postal(&order.shipping)))
}

/// A place as the rules see it.
pub(super) fn postal(place: &Place) -> Postal<'_> {
    Postal {
        name: &place.name,
        street1: &place.street1,
        street2: place.street2.as_deref(),
        city: &place.city,
        province: place.province.as_deref(),
        country: &place.country,
        zip: &place.zip,
        phone: place.phone.as_deref(),
    }
}

/// A place as the shop is told of it.
pub(super) fn place_of(postal: &Postal<'_>) -> Place {
    let some = |text: Option<&str>| text.filter(|text| !text.trim().is_empty()).map(str::to_owned);
    Place {
        name: postal.name.to_owned(),
        street1: postal.street1.to_owned(),
        street2: some(postal.street2),
        city: postal.city.to_owned(),
        province: some(postal.province),
        country: postal.country.to_owned(),
        zip: postal.zip.to_owned(),
        phone: some(postal.phone),
    }
}

/// What hinders something from being placed: the account has one profile, and mail goes to whoever is in it.
pub(super) async fn hindrance(
    ctx: &Context,
    shop: &Connection,
    profile: &ObjectRef,
) -> Result<Option<String>, Failure> {
    let user = shop.read(ctx, operation::GET_PROFILE, shop.client.profile()).await?;
    if shop.used.user_id.as_ref().is_some_and(|id| *id != user.id) {
        return Ok(Some(format!("the token of account {} is another user's by now", shop.used.name)));
    }
    let key = key_of::<CoffeeProfile>(ctx, profile);
    let Some(wanted) = ctx.get::<CoffeeProfile>(&key.namespace, &key.name) else {
        return Ok(Some(format!("{key} does not exist")));
    };
    let different = profile::differences(&wanted.spec, &user);
    Ok(different.map(|fields| format!("waits until the account has the {fields} of {key}")))
}

/// The shop's id of the address that `target` names.
pub(super) fn address_id(ctx: &Context, target: Option<&ObjectRef>) -> Option<String> {
    let key = key_of::<CoffeeAddress>(ctx, target?);
    ctx.get::<CoffeeAddress>(&key.namespace, &key.name)?.status.clone()?.address_id
}

/// The shop's id of the card that `target` names.
pub(super) fn card_id(ctx: &Context, target: Option<&ObjectRef>) -> Option<String> {
    let key = key_of::<CoffeeCard>(ctx, target?);
    ctx.get::<CoffeeCard>(&key.namespace, &key.name)?.status.clone()?.card_id
}

/// The object that `target` names in the object of this run.
pub(super) fn key_of<K: Kind>(ctx: &Context, target: &ObjectRef) -> ObjectKey {
    ObjectKey::new(K::NAME, target.namespace_in(&ctx.key().namespace), target.name.clone())
}

/// The address book of an account.
pub(super) async fn addresses(ctx: &Context, shop: &Connection) -> Result<Vec<Address>, Failure> {
    shop.read(ctx, operation::LIST_ADDRESSES, shop.client.addresses()).await
}
