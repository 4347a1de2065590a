//! Carts, orders and subscriptions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{account::Place, id::id, time::time};

/// The account's one cart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Cart {
    pub items: Vec<CartItem>,
    /// Cents without shipping.
    pub subtotal: i64,
    /// The address chosen.
    #[serde(default, rename = "addressID")]
    pub address: Option<String>,
    /// The card chosen.
    #[serde(default, rename = "cardID")]
    pub card: Option<String>,
    /// Cents in parts; shipping only once an address is set.
    pub amount: CartAmount,
}

/// One variant in the cart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CartItem {
    /// `itm_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// `var_...`
    #[serde(rename = "productVariantID")]
    pub variant: String,
    /// How many.
    pub quantity: i64,
    /// Cents.
    pub subtotal: i64,
}

/// A cart's cents in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct CartAmount {
    /// Items.
    pub subtotal: i64,
    #[serde(default)]
    pub shipping: Option<i64>,
    #[serde(default)]
    pub total: Option<i64>,
}

/// What to order. Placing it charges the card at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewOrder {
    /// Quantity by variant.
    pub variants: BTreeMap<String, u32>,
    /// `crd_...`
    #[serde(rename = "cardID")]
    pub card: String,
    /// `shp_...`
    #[serde(rename = "addressID")]
    pub address: String,
}

/// An order that was placed. It names neither its address, nor its card, nor the e-mail.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// `ord_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Counts this account's orders from zero.
    #[serde(default)]
    pub index: Option<i64>,
    /// Where it goes.
    pub shipping: Place,
    /// When it was placed.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<Timestamp>,
    /// Cents.
    pub amount: OrderAmount,
    /// How far it has come; empty until it is shipped.
    #[serde(default)]
    pub tracking: Tracking,
    /// What was bought.
    pub items: Vec<OrderItem>,
}

/// An order's cents in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderAmount {
    pub shipping: i64,
    /// Items.
    pub subtotal: i64,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderItem {
    /// `itm_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Cents.
    pub amount: i64,
    /// How many.
    pub quantity: i64,
    /// What it was called.
    #[serde(default)]
    pub description: Option<String>,
    /// `var_...`
    #[serde(default, rename = "productVariantID")]
    pub variant: Option<String>,
}

/// The way of a shipment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracking {
    /// The carrier.
    #[serde(default)]
    pub service: Option<String>,
    /// The carrier's number.
    #[serde(default)]
    pub number: Option<String>,
    /// The carrier's page.
    #[serde(default)]
    pub url: Option<String>,
    /// Where it is.
    #[serde(default)]
    pub status: Option<TrackingStatus>,
    /// The carrier's words.
    #[serde(default)]
    pub status_details: Option<String>,
    /// When the status last changed.
    #[serde(default, deserialize_with = "time")]
    pub status_updated_at: Option<Timestamp>,
}

/// Where a shipment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TrackingStatus {
    /// Announced to the carrier.
    PreTransit,
    /// On its way.
    Transit,
    /// Arrived.
    Delivered,
    /// Came back.
    Returned,
    /// Lost or broken.
    Failure,
    /// The carrier does not know, or said something new.
    #[serde(other)]
    Unknown,
}

/// What to subscribe to. A second one for the same variant overwrites the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubscription {
    /// `var_...`
    pub variant: String,
    /// How many each time.
    pub quantity: u32,
    /// `shp_...`
    pub address: String,
    /// `crd_...`
    pub card: String,
    /// How often; the shop decides when absent.
    pub schedule: Option<Schedule>,
}

/// A running subscription.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// `sub_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// `var_...`
    #[serde(rename = "productVariantID")]
    pub variant: String,
    /// Cents.
    pub price: i64,
    /// How many each time.
    pub quantity: i64,
    /// `shp_...`
    #[serde(rename = "addressID")]
    pub address: String,
    /// `crd_...`
    #[serde(rename = "cardID")]
    pub card: String,
    /// How often.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// The next shipment, billed when it is sent.
    #[serde(default, deserialize_with = "time")]
    pub next: Option<Timestamp>,
    /// When it was created.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<Timestamp>,
}

/// How often a subscription ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Schedule {
    /// On the product's own dates.
    Fixed,
    /// Every `interval` weeks.
    Weekly {
        /// At least 1.
        interval: u32,
    },
    /// Something newer than this client.
    #[serde(other, skip_serializing)]
    Other,
}

/// What to change about a subscription; absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SubscriptionChange {
    /// `crd_...`
    #[serde(rename = "cardID", skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// `shp_...`
    #[serde(rename = "addressID", skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
}
