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
use super::subscription::Subscription;
use super::table::Table;
use super::token::Token;

/// What the shop keeps of one account.
pub(super) struct AccountData {
    pub(super) user: User,
    pub(super) sandbox: bool,
    pub(super) addresses: Table<Address>,
    pub(super) cards: Table<Card>,
    pub(super) cart: Cart,
    pub(super) orders: Table<Order>,
    pub(super) subscriptions: Table<Subscription>,
    pub(super) tokens: Table<Token>,
    pub(super) apps: Table<App>,
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

impl AccountData {
    pub(super) fn new(id: String, sandbox: bool) -> Self {
        let customer = id.replacen("usr_", "cus_", 1);
        Self {
            user: User { id, name: None, email: None, fingerprint: None, customer },
            sandbox,
            addresses: Table::default(),
            cards: Table::default(),
            cart: Cart::default(),
            orders: Table::default(),
            subscriptions: Table::default(),
            tokens: Table::default(),
            apps: Table::default(),
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
        self.read(|data| data.user.id.clone())
    }

    /// The holder's name and e-mail as last set.
    pub fn profile(&self) -> (Option<String>, Option<String>) {
        self.read(|data| (data.user.name.clone(), data.user.email.clone()))
    }

    pub fn addresses(&self) -> Vec<Address> {
        self.read(|data| data.addresses.all().cloned().collect())
    }

    pub fn cards(&self) -> Vec<Card> {
        self.read(|data| data.cards.all().cloned().collect())
    }

    /// Quantity by variant in its cart.
    pub fn cart(&self) -> Vec<(String, i64)> {
        self.read(|data| data.cart.contents())
    }

    pub fn orders(&self) -> Vec<Order> {
        self.read(|data| data.orders.all().cloned().collect())
    }

    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.read(|data| data.subscriptions.all().cloned().collect())
    }

    /// All its tokens but the one it was opened with.
    pub fn tokens(&self) -> Vec<Token> {
        self.read(|data| data.tokens.all().cloned().collect())
    }

    pub fn apps(&self) -> Vec<App> {
        self.read(|data| data.apps.all().cloned().collect())
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

    fn read<T>(&self, look: impl FnOnce(&AccountData) -> T) -> T {
        self.host.with(|state| look(&state.accounts[self.index]))
    }
}
