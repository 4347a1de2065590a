//! What the shop sells.

use serde::Deserialize;

use super::id::id;

/// Something the shop sells.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// `prd_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
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
    #[serde(deserialize_with = "id")]
    pub id: String,
    pub name: String,
    /// Cents.
    pub price: i64,
}

/// Whether a product can or must be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionRule {
    Allowed,
    /// Must be: it cannot be ordered once.
    Required,
    /// Something newer than this client.
    #[serde(other)]
    Other,
}
