//! The shop's values, as far as the kinds need them. Money is integer US cents; unknown fields are ignored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::secret::Secret;

/// The account behind a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `usr_...`
    pub id: String,
    /// The holder's name, once set.
    pub name: Option<String>,
    /// The e-mail that order confirmations go to, once set.
    pub email: Option<String>,
}

/// An address as the shop stores it, which may be a normalised form of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Address {
    /// `shp_...`
    pub id: String,
    /// The place itself.
    #[serde(flatten)]
    pub place: Place,
    /// When it was created.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<Timestamp>,
}

/// A place that coffee is sent to: what an address is made from and what an order repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The recipient.
    pub name: String,
    /// First line.
    pub street1: String,
    /// Second line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street2: Option<String>,
    /// City.
    pub city: String,
    /// Province or state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Postal code.
    pub zip: String,
    /// Phone number of the recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// A registered card.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Card {
    /// `crd_...`
    pub id: String,
    /// Such as `visa`.
    pub brand: String,
    /// Its last month.
    pub expiration: Expiration,
    /// The last four digits.
    pub last4: String,
    /// When it was registered.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<Timestamp>,
}

/// The last month a card is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Expiration {
    /// 1 to 12.
    pub month: u8,
    /// Four digits.
    pub year: u16,
}

/// A page on which a person can enter a card.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CardPage {
    /// Its address; whoever has it can add a card.
    pub url: Secret,
}

/// The account's one cart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Cart {
    /// What is in it.
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
    /// Shipping.
    #[serde(default)]
    pub shipping: Option<i64>,
    /// All of it.
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
    /// Shipping.
    pub shipping: i64,
    /// Items.
    pub subtotal: i64,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderItem {
    /// `itm_...`
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

/// A personal access token, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Token {
    /// `pat_...`
    pub id: String,
    /// When it was minted.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<Timestamp>,
}

/// A token just minted: the only time its text is shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MintedToken {
    /// `pat_...`
    pub id: String,
    /// The token itself.
    pub token: Secret,
}

/// An OAuth client to register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewApp {
    /// Its name.
    pub name: String,
    /// Where users return to.
    #[serde(rename = "redirectURI")]
    pub redirect_uri: String,
}

/// A registered OAuth client, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct App {
    /// `cli_...`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where users return to.
    #[serde(rename = "redirectURI")]
    pub redirect_uri: String,
}

/// An app just registered: the only time its secret is shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MintedApp {
    /// `cli_...`
    pub id: String,
    /// The OAuth client secret.
    pub secret: Secret,
}

/// Something the shop sells.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// `prd_...`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Sizes and blends.
    pub variants: Vec<Variant>,
    /// Whether it can or must be subscribed to; absent means it cannot.
    #[serde(default)]
    pub subscription: Option<SubscriptionRule>,
}

/// One variant of a product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Variant {
    /// `var_...`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Cents.
    pub price: i64,
}

/// Whether a product can or must be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionRule {
    /// Can be.
    Allowed,
    /// Must be: it cannot be ordered once.
    Required,
    /// Something newer than this client.
    #[serde(other)]
    Other,
}

/// Everything of an account in one answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Overview {
    /// The account.
    pub profile: Profile,
    /// What the shop sells in the account's region.
    pub products: Vec<Product>,
    /// The cart.
    pub cart: Cart,
    /// All addresses.
    pub addresses: Vec<Address>,
    /// All cards.
    pub cards: Vec<Card>,
    /// All subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// All orders.
    pub orders: Vec<Order>,
    /// All tokens.
    pub tokens: Vec<Token>,
    /// All apps.
    pub apps: Vec<App>,
    /// `na`, `eu` or `global`.
    pub region: String,
}

/// The envelope around a user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Profile {
    /// The account.
    pub user: User,
}

/// Reads a time, and takes one it cannot read as absent: an odd date must not hide a list of orders.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}
