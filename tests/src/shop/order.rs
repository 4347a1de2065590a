//! Orders, and the money they cost.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::address::Place;
use super::problem::{Problem, integer};
use super::router::Call;
use super::state::{State, written};

/// A placed order.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// `ord_...`
    pub id: String,
    /// Counts the account's orders from zero.
    pub index: u64,
    /// Where it goes, as the address was at that time.
    pub shipping: Place,
    /// When it was placed.
    pub created: String,
    /// Cents.
    pub amount: Amount,
    /// How far it has come.
    pub tracking: Tracking,
    /// What was bought.
    pub items: Vec<Item>,
}

/// An order's cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Amount {
    pub shipping: i64,
    /// Items.
    pub subtotal: i64,
}

/// One line of an order.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// `itm_...`
    pub id: String,
    /// What it was called.
    pub description: String,
    /// Cents.
    pub amount: i64,
    pub quantity: i64,
    /// `var_...`
    #[serde(rename = "productVariantID")]
    pub variant: String,
}

/// The way of a shipment; empty until it begins.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracking {
    /// The carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The carrier's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The carrier's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `PRE_TRANSIT`, `TRANSIT`, `DELIVERED`, `RETURNED`, `FAILURE` or `UNKNOWN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The carrier's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_details: Option<String>,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_updated_at: Option<String>,
}

/// Money taken from a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The number of the request that caused it, as in the log.
    pub request: u64,
    /// `usr_...`
    pub account: String,
    /// `crd_...`
    pub card: String,
    /// `ord_...`
    pub order: String,
    /// Items and shipping.
    pub cents: i64,
    /// Quantity by variant.
    pub variants: BTreeMap<String, i64>,
    /// When.
    pub at: Timestamp,
}

impl Tracking {
    /// Handed to the carrier.
    pub fn shipped(order: &str, at: Timestamp) -> Self {
        let number = format!("9400-{}", order.chars().rev().take(8).collect::<String>());
        let mut tracking = Self {
            service: Some("USPS Ground Advantage".to_owned()),
            url: Some(format!("https://tools.usps.invalid/{number}")),
            number: Some(number),
            ..Self::default()
        };
        tracking.set_status("TRANSIT", at);
        tracking
    }

    /// Moves to a status.
    pub fn set_status(&mut self, status: &str, at: Timestamp) {
        self.status = Some(status.to_owned());
        self.status_details = Some(format!("The carrier reports {status}"));
        self.status_updated_at = Some(written(at));
    }
}

pub(super) fn list(call: &mut Call) -> Result<Value, Problem> {
    let at = call.at;
    Ok(json!(call.data().orders.list(at)))
}

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    let (id, at) = (call.id, call.at);
    let order = call.data().orders.get(id, at);
    Ok(json!(order.ok_or_else(|| Problem::not_found("Order", id))?))
}

pub(super) fn create(call: &mut Call) -> Result<Value, Problem> {
    let fields = call.fields()?;
    let (card, address) = (fields.text("cardID")?, fields.text("addressID")?);
    let mut variants = BTreeMap::new();
    for (variant, quantity) in fields.object("variants")? {
        variants.insert(variant.clone(), integer("variants", quantity, 1)?);
    }
    place(call, &address, &card, variants).map(|order| json!(order.id))
}

/// Charges the card and writes the order.
pub(super) fn place(
    call: &mut Call,
    address: &str,
    card: &str,
    variants: BTreeMap<String, i64>,
) -> Result<Order, Problem> {
    let items = items(call, &variants)?;
    let data = call.data();
    let unknown = |param: &str| Problem::invalid(param, format!("{param} does not belong to this account"));
    let shipping = data.addresses.find(address).ok_or_else(|| unknown("addressID"))?.place.clone();
    if data.cards.find(card).ok_or_else(|| unknown("cardID"))?.declines {
        return Err(Problem::validation("payment.invalid", "Your card was declined."));
    }
    let account = data.user.id.clone();
    let index = data.next;
    data.next += 1;
    let subtotal = items.iter().map(|item| item.amount).sum();
    let amount = Amount { subtotal, shipping: shipping_cents(&shipping.country, subtotal) };
    let (id, created, tracking) = (call.new_id("ord"), written(call.at), Tracking::default());
    let order = Order { id: id.clone(), index, shipping, created, amount, tracking, items };
    let (at, request, hidden) = (call.at, call.number, call.hidden);
    let (cents, card) = (amount.subtotal + amount.shipping, card.to_owned());
    call.state.charges.push(Charge { request, account, card, order: id.clone(), cents, variants, at });
    call.data().orders.add(&id, order.clone(), hidden, at);
    Ok(order)
}

/// What shipping costs: 800 in the US and free from 4000; elsewhere the carrier's one rate.
pub(super) fn shipping_cents(country: &str, subtotal: i64) -> i64 {
    match country {
        "US" if subtotal >= 4000 => 0,
        "US" => 800,
        _ => 1490,
    }
}

/// A variant's price, if it can be bought once.
pub(super) fn price(state: &State, variant: &str) -> Result<(i64, String), Problem> {
    let missing = || Problem::invalid("productVariantID", format!("Product variant {variant} was not found"));
    let (product, found) = state.variant(variant).ok_or_else(missing)?;
    if product.subscription == Some("required") {
        return Err(Problem::invalid("productVariantID", "This product is sold by subscription only"));
    }
    Ok((found.price, format!("{} - {}", product.name, found.name)))
}

fn items(call: &mut Call, variants: &BTreeMap<String, i64>) -> Result<Vec<Item>, Problem> {
    if variants.is_empty() {
        return Err(Problem::invalid("variants", "An order needs at least one item"));
    }
    let mut items = Vec::new();
    for (variant, quantity) in variants {
        let (price, description) = price(call.state, variant)?;
        let amount = price
            .checked_mul(*quantity)
            .ok_or_else(|| Problem::invalid("variants", "That is too much coffee"))?;
        let id = call.new_id("itm");
        items.push(Item { id, description, amount, quantity: *quantity, variant: variant.clone() });
    }
    Ok(items)
}
