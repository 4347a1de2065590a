//! One account: what the shop keeps for it, and a view on that for tests.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::ShopHost;
use super::address::Address;
use super::app::App;
use super::card::Card;
use super::cart::Cart;
use super::order::{Charge, Order};
use super::shelf::Shelf;
use super::subscription::Subscription;
use super::token::Token;

/// The books of one account.
pub(super) struct Books {
    pub(super) user: User,
    pub(super) sandbox: bool,
    pub(super) addresses: Shelf<Address>,
    pub(super) cards: Shelf<Card>,
    pub(super) cart: Cart,
    pub(super) orders: Shelf<Order>,
    pub(super) subscriptions: Shelf<Subscription>,
    pub(super) tokens: Shelf<Token>,
    pub(super) apps: Shelf<App>,
    /// The index of the next order.
    pub(super) next: u64,
}

/// The account's holder.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) fingerprint: Option<String>,
    #[serde(rename = "stripeCustomerID")]
    pub(super) customer: String,
}

impl Books {
    pub(super) fn new(id: String, sandbox: bool) -> Self {
        let customer = id.replacen("usr_", "cus_", 1);
        Self {
            user: User { id, name: None, email: None, fingerprint: None, customer },
            sandbox,
            addresses: Shelf::default(),
            cards: Shelf::default(),
            cart: Cart::default(),
            orders: Shelf::default(),
            subscriptions: Shelf::default(),
            tokens: Shelf::default(),
            apps: Shelf::default(),
            next: 0,
        }
    }
}

/// The truth about one account, hidden or not.
#[derive(Clone)]
pub struct Account {
    host: Arc<ShopHost>,
    index: usize,
}

impl Account {
    pub(super) fn new(host: Arc<ShopHost>, index: usize) -> Self {
        Self { host, index }
    }

    /// `usr_...`: how the log names it.
    pub fn id(&self) -> String {
        self.read(|books| books.user.id.clone())
    }

    /// The holder's name and e-mail as last set.
    pub fn profile(&self) -> (Option<String>, Option<String>) {
        self.read(|books| (books.user.name.clone(), books.user.email.clone()))
    }

    /// All its addresses.
    pub fn addresses(&self) -> Vec<Address> {
        self.read(|books| books.addresses.all().cloned().collect())
    }

    /// All its cards.
    pub fn cards(&self) -> Vec<Card> {
        self.read(|books| books.cards.all().cloned().collect())
    }

    /// Quantity by variant in its cart.
    pub fn cart(&self) -> Vec<(String, i64)> {
        self.read(|books| books.cart.contents())
    }

    /// All its orders.
    pub fn orders(&self) -> Vec<Order> {
        self.read(|books| books.orders.all().cloned().collect())
    }

    /// All its subscriptions.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.read(|books| books.subscriptions.all().cloned().collect())
    }

    /// All its tokens but the one it was opened with.
    pub fn tokens(&self) -> Vec<Token> {
        self.read(|books| books.tokens.all().cloned().collect())
    }

    /// All its apps.
    pub fn apps(&self) -> Vec<App> {
        self.read(|books| books.apps.all().cloned().collect())
    }

    /// What its cards were charged.
    pub fn charges(&self) -> Vec<Charge> {
        let id = self.id();
        self.host.with(|state| state.charges.iter().filter(|charge| charge.account == id).cloned().collect())
    }

    /// The fake's clock.
    pub fn now(&self) -> Timestamp {
        self.host.now()
    }

    fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        self.host.with(|state| look(&state.accounts[self.index]))
    }
}
