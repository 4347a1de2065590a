//! Reconciles the Terminal shop's kinds.
//!
//! Calls of one account are made one run at a time: it has one profile, and orders that look alike are told apart by the order in
//! which they were placed. What a call made is recognised among what the shop lists; what the shop does not list (yet) is
//! never made twice.

mod account;
mod address;
mod app;
mod card;
mod cart;
pub mod client;
mod connection;
mod order;
mod placing;
mod products;
mod profile;
mod subscription;
mod token;

use std::time::Duration;

use crate::engine::Kinds;
pub use connection::{Dial, Shops};

/// Adds the reconcilers of this group.
///
/// # Errors
/// None: clients are made when an object needs one.
pub fn add(kinds: Kinds, connect_timeout: Duration) -> anyhow::Result<Kinds> {
    Ok(self::kinds(kinds, &Shops::over_http(connect_timeout)))
}

/// Adds them with shops that are reached in another way.
pub fn kinds(kinds: Kinds, shops: &Shops) -> Kinds {
    kinds
        .with(account::AccountReconciler(shops.clone()))
        .with(profile::ProfileReconciler(shops.clone()))
        .with(address::AddressReconciler(shops.clone()))
        .with(card::CardReconciler(shops.clone()))
        .with(order::OrderReconciler(shops.clone()))
        .with(cart::CartReconciler(shops.clone()))
        .with(subscription::SubscriptionReconciler(shops.clone()))
        .with(token::TokenReconciler(shops.clone()))
        .with(app::AppReconciler(shops.clone()))
}
