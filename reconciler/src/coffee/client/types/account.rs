//! An account: who, where, and how it pays.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{super::SecretText, id::id, time::time};

/// The account behind a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `usr_...`
    #[serde(deserialize_with = "id")]
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
    #[serde(deserialize_with = "id")]
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
    #[serde(deserialize_with = "id")]
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
    pub url: SecretText,
}
