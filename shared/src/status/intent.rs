//! Intents: a call that may be sent at most once is written down before it is sent.
//!
//! An object has one intent at a time, also where it makes several things one after the other. A key with two slots, for instance, is
//! replaced like this: the new key is made under an intent; its id is recorded beside the old one in the write that takes the intent out;
//! the old key is deleted, which can be repeated and takes no intent. No second call is planned while one is in doubt, so no more than
//! one thing can be unaccounted for, and whatever is listed is either recorded or the effect of that one call. Intents by purpose would
//! let two calls be in doubt together, whose effects could be mistaken for each other, and nothing would be done sooner: what is in doubt
//! has to be settled before it is known whether a slot is free. Which purpose a call was for is told by its operation and fingerprint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a call that may be sent at most once has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IntentState {
    /// Written down; sent, or about to be.
    Open,
    /// Sent, or perhaps sent; nobody knows whether it took effect.
    Unknown,
    /// Somebody must say what is to be done.
    Held,
    /// Given up on request: the call is not sent again while it would ask for the same.
    Abandoned,
}

/// A call that may be sent at most once, as the object's status remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Tells this attempt from any other.
    #[schemars(length(max = 2048))]
    pub id: String,
    /// The operation, for instance `POST /order`.
    #[schemars(length(max = 2048))]
    pub operation: String,
    /// A digest of what the call asks for, by which its effect is recognised.
    #[schemars(length(max = 2048))]
    pub fingerprint: String,
    /// The remote account at which it is sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub account: String,
    /// When it was written down, RFC 3339.
    #[schemars(length(max = 64))]
    pub created_at: String,
    /// The lease under which it was written; another leader treats it as perhaps sent.
    #[schemars(length(max = 2048))]
    pub lease_token: String,
    /// What the service listed before, so that older things are not mistaken for the effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000), inner(length(max = 2048)))]
    pub before: Vec<String>,
    /// How far it has come.
    pub state: IntentState,
    /// How often its effect was looked for.
    #[serde(default)]
    #[schemars(with = "i32", range(min = 0))]
    pub looks: u32,
}
