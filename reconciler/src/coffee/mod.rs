//! Coffee: the Terminal shop's kinds made real.
//!
//! Calls of one account are made one pass at a time: it has one profile, and orders that look alike are told apart by the order in
//! which they were placed. What a call made is recognised among what the shop lists; what the shop does not list (yet) is
//! never made twice.

mod address;
mod card;
pub mod client;
mod connection;
mod order;
mod placing;
mod profile;
mod standing;

use crate::engine::Kinds;
pub use connection::{Dial, Shops};

/// Adds the reconcilers of this group.
pub fn kinds(kinds: Kinds, shops: &Shops) -> Kinds {
    kinds
        .with(profile::ProfileReconciler(shops.clone()))
        .with(address::AddressReconciler(shops.clone()))
        .with(card::CardReconciler(shops.clone()))
        .with(order::OrderReconciler(shops.clone()))
}
