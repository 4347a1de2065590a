//! Tokens and apps: other ways to an account.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{super::SecretText, id::id, time::time};

/// A personal access token, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Token {
    /// `pat_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// When it was minted.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<Timestamp>,
}

/// A token just minted: the only time its text is shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MintedToken {
    /// `pat_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The token itself.
    pub token: SecretText,
}

/// An OAuth client to register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewApp {
    pub name: String,
    /// Where users return to.
    #[serde(rename = "redirectURI")]
    pub redirect_uri: String,
}

/// A registered OAuth client, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct App {
    /// `cli_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
    pub name: String,
    /// Where users return to.
    #[serde(rename = "redirectURI")]
    pub redirect_uri: String,
}

/// An app just registered: the only time its secret is shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MintedApp {
    /// `cli_...`
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The OAuth client secret.
    pub secret: SecretText,
}
