//! An account as a whole.

use serde::Deserialize;

use super::{
    access::{App, Token},
    account::{Address, Card, User},
    products::Product,
    purchases::{Cart, Order, Subscription},
};

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
