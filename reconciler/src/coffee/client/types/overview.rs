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
    pub cart: Cart,
    pub addresses: Vec<Address>,
    pub cards: Vec<Card>,
    pub subscriptions: Vec<Subscription>,
    pub orders: Vec<Order>,
    pub tokens: Vec<Token>,
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
