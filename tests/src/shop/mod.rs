//! A fake of the Terminal shop, API 1.0.3, that keeps true records.
//!
//! Shapes, ids, errors and rules follow the published API; where that is silent, the shop's published back end
//! of October 2024. `tests/shop.rs` drives it with the shop's official SDK in strict mode, so that what our
//! client is tested against is what the shop's own client understands.
//!
//! * [`Shop::new`] needs no sockets and works on tokio's paused clock: give [`Shop::transport`] to a client.
//! * [`Shop::start`] serves it on 127.0.0.1.
//! * [`Shop::charges`] is the truth about money, whatever a client was told.
//! * [`Shop::faults`] makes things go wrong.

mod account;
mod address;
mod app;
mod card;
mod cart;
mod direct;
mod order;
mod problem;
mod product;
mod profile;
mod router;
pub mod sdk;
mod state;
mod subscription;
mod table;
mod token;

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;

use crate::faults::{Faults, Host, Listening, Logged};

pub use self::account::Account;
pub use self::address::{Address, Place};
pub use self::app::App;
pub use self::card::{Card, Plastic};
pub use self::direct::Direct;
pub use self::order::{Charge, Order, Tracking};
pub use self::product::{CRON, DARK_MODE, MUG, Product, SEGFAULT, Variant};
pub use self::state::State;
pub use self::subscription::{Schedule, Subscription};
pub use self::token::Token;

/// The host of a fake shop.
pub type ShopHost = Host<State>;

/// A fake shop. Clones are the same shop.
#[derive(Clone)]
pub struct Shop {
    host: Arc<ShopHost>,
}

/// A fake shop on a port of 127.0.0.1. Dropping it closes the port.
pub struct Served {
    shop: Shop,
    listening: Listening<State>,
}

impl Shop {
    /// A shop without sockets. Its clock starts now and runs with tokio's; ids and chances follow `seed`.
    pub fn new(seed: u64) -> Self {
        Self::at(Timestamp::now(), seed)
    }

    /// As [`new`](Self::new), its clock starting at `epoch`: equal seeds, epochs and requests give equal ids.
    pub fn at(epoch: Timestamp, seed: u64) -> Self {
        Self { host: Host::new(State::new(seed), epoch, seed) }
    }

    /// A shop on a free port.
    pub async fn start() -> io::Result<Served> {
        let shop = Self::new(0);
        let listening = Listening::start(Arc::clone(&shop.host)).await?;
        Ok(Served { shop, listening })
    }

    /// A way to the shop for our client, without sockets.
    pub fn transport(&self) -> Arc<Direct> {
        Arc::new(Direct::new(Arc::clone(&self.host)))
    }

    /// The account that `token` opens, made on first use. `trm_test_` tokens are the sandbox, where any
    /// address will do; `trm_live_` ones take no test cards.
    pub fn account(&self, token: &str) -> Account {
        let index = self.host.with(|state| state.open(token));
        Account::new(Arc::clone(&self.host), index)
    }

    /// Makes a token worthless.
    pub fn revoke(&self, token: &str) {
        self.host.with(|state| state.revoke(token));
    }

    /// The rules by which requests go wrong.
    pub fn faults(&self) -> &Faults {
        self.host.faults()
    }

    /// Every request that came, secrets marked.
    pub fn log(&self) -> Vec<Logged> {
        self.host.log()
    }

    /// How many requests of an operation came, such as `POST /order`.
    pub fn count(&self, operation: &str) -> usize {
        self.host.count(operation)
    }

    /// The shop's present time.
    pub fn now(&self) -> Timestamp {
        self.host.now()
    }

    /// Every charge of every account, oldest first: one per order really placed.
    pub fn charges(&self) -> Vec<Charge> {
        self.host.with(|state| state.charges.clone())
    }

    /// What is for sale. Every shop starts with segfault, dark mode, a mug and cron.
    pub fn products(&self) -> Vec<Product> {
        self.host.with(|state| state.products.clone())
    }

    /// Puts something on sale, or replaces the product of the same id.
    pub fn sell(&self, product: Product) {
        self.host.with(|state| {
            state.products.retain(|other| other.id != product.id);
            state.products.push(product);
        });
    }

    /// Takes a product off sale. Orders and subscriptions of it stay.
    pub fn withdraw(&self, product: &str) {
        self.host.with(|state| state.products.retain(|other| other.id != product));
    }

    /// Tells the payment service which card is behind a token.
    pub fn issue(&self, token: &str, plastic: Plastic) {
        self.host.with(|state| state.plastics.insert(token.to_owned(), plastic));
    }

    /// Makes addresses with this postal code undeliverable for accounts outside the sandbox.
    pub fn undeliverable(&self, zip: &str) {
        self.host.with(|state| state.undeliverable.insert(zip.to_owned()));
    }

    /// Hands an order to the carrier: a tracking number and status `TRANSIT`. False if there is no such order.
    pub fn ship(&self, order: &str) -> bool {
        self.track(order, Tracking::shipped(order, self.now()))
    }

    /// The carrier delivers. False if there is no such order.
    pub fn deliver(&self, order: &str) -> bool {
        self.set_status(order, "DELIVERED")
    }

    /// Changes an order's tracking status, such as `RETURNED`. False if there is no such order.
    pub fn set_status(&self, order: &str, status: &str) -> bool {
        let now = self.now();
        self.host
            .with(|state| state.order(order).map(|order| order.tracking.set_status(status, now)).is_some())
    }

    /// Replaces an order's tracking. False if there is no such order.
    pub fn track(&self, order: &str, tracking: Tracking) -> bool {
        self.host.with(|state| state.order(order).map(|order| order.tracking = tracking).is_some())
    }
}

impl Served {
    /// The base URL.
    pub fn url(&self) -> String {
        self.listening.url()
    }

    /// Ends all connections and refuses new ones.
    pub async fn refuse(&self) -> io::Result<()> {
        self.listening.refuse().await
    }

    /// Accepts connections again.
    pub fn allow(&self) -> io::Result<()> {
        self.listening.allow()
    }
}

impl Deref for Served {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}
