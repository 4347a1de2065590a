//! The Terminal shop's API, version 1.0.3.
//!
//! ```text
//! call -> Request -> Transport (sockets, or a test) -> Answer -> value, or an Error that says what is known
//! ```
//!
//! * Every call is sent at most once: no retry, no redirect, no reused connection for a POST.
//! * An error tells apart what was never sent, what was refused, and what nobody knows ([`Error`]).
//! * A time-out that ends a call leaves its outcome open. So does dropping a call's future.
//! * Secrets travel as [`Secret`]; no error, Debug output or metric shows them.

mod answer;
mod error;
mod http;
pub mod operation;
mod secret;
mod transport;
mod types;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use tokio::time::{Instant, timeout};

use concierge_shared::coffee::SECRET_PREFIXES;

pub use self::error::{Doubt, Error, Outcome, Refusal};
pub use self::http::{Http, HttpError, HttpSettings};
pub use self::operation::Operation;
pub use self::secret::Secret;
pub use self::transport::{Answer, Failure, Request, Transport};
pub use self::types::*;

use crate::common::redaction::{Prefixes, Redaction};

const PREFIXES: Prefixes = Prefixes {
    secrets: SECRET_PREFIXES,
    ids: &["var_", "shp_", "crd_", "ord_", "sub_", "pat_", "cli_", "prd_", "itm_"],
};

/// Where the shop takes real money.
pub const PRODUCTION: &str = "https://api.terminal.shop";
/// The shop's sandbox: no charges, no fulfilment.
pub const SANDBOX: &str = "https://api.dev.terminal.shop";
/// How long a call may take, from connecting to the answer's last byte.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Told of every call when it has ended.
pub trait Observer: Send + Sync {
    /// `operation` ended as `outcome` after `took`.
    fn call(&self, operation: Operation, outcome: Outcome, took: Duration);
}

/// Does not watch.
impl Observer for () {
    fn call(&self, _: Operation, _: Outcome, _: Duration) {}
}

/// One account at the shop. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    observer: Arc<dyn Observer>,
    token: Secret,
    timeout: Duration,
}

impl Client {
    /// The account that `token` opens, over `transport`.
    pub fn new(transport: Arc<dyn Transport>, token: Secret) -> Self {
        Self { transport, observer: Arc::new(()), token, timeout: REQUEST_TIMEOUT }
    }

    /// The same client, each of its calls ended after `timeout`. Keep it above the transport's time for
    /// connecting, or a slow connection passes for an unknown outcome.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same client, watched.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// The longest a call can take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// The account itself.
impl Client {
    /// Who the token belongs to.
    pub async fn profile(&self) -> Result<User, Error> {
        self.get::<Profile>(operation::GET_PROFILE).await.map(|profile| profile.user)
    }

    /// Sets name and e-mail of the whole account.
    pub async fn put_profile(&self, name: &str, email: &str) -> Result<User, Error> {
        let body = json!({"name": name, "email": email});
        self.send::<Profile>(operation::PUT_PROFILE, &body).await.map(|profile| profile.user)
    }

    /// Everything of the account at once.
    pub async fn init(&self) -> Result<Overview, Error> {
        self.get(operation::INIT).await
    }
}

/// What the shop sells.
impl Client {
    /// All products.
    pub async fn products(&self) -> Result<Vec<Product>, Error> {
        self.get(operation::LIST_PRODUCTS).await
    }

    /// One product.
    pub async fn product(&self, id: &str) -> Result<Product, Error> {
        self.get_one(operation::GET_PRODUCT, id).await
    }
}

/// Addresses.
impl Client {
    /// All addresses.
    pub async fn addresses(&self) -> Result<Vec<Address>, Error> {
        self.get(operation::LIST_ADDRESSES).await
    }

    /// One address.
    pub async fn address(&self, id: &str) -> Result<Address, Error> {
        self.get_one(operation::GET_ADDRESS, id).await
    }

    /// Creates an address and gives its id. The shop keeps equal addresses apart.
    pub async fn create_address(&self, place: &Place) -> Result<String, Error> {
        self.send(operation::CREATE_ADDRESS, place).await
    }

    /// Removes an address.
    pub async fn delete_address(&self, id: &str) -> Result<(), Error> {
        self.delete(operation::DELETE_ADDRESS, id).await
    }
}

/// Cards.
impl Client {
    /// All cards.
    pub async fn cards(&self) -> Result<Vec<Card>, Error> {
        self.get(operation::LIST_CARDS).await
    }

    /// One card.
    pub async fn card(&self, id: &str) -> Result<Card, Error> {
        self.get_one(operation::GET_CARD, id).await
    }

    /// Registers the card behind a payment token and gives its id. A card the account already has is refused
    /// with code `already_exists`.
    pub async fn create_card(&self, token: &Secret) -> Result<String, Error> {
        self.send(operation::CREATE_CARD, &json!({"token": token.expose()})).await
    }

    /// Removes a card.
    pub async fn delete_card(&self, id: &str) -> Result<(), Error> {
        self.delete(operation::DELETE_CARD, id).await
    }

    /// A temporary page on which a person can enter a card. The link is a capability, hence a secret.
    pub async fn collect_card(&self) -> Result<CardPage, Error> {
        self.call(operation::COLLECT_CARD, None, None).await
    }
}

/// The account's one cart.
impl Client {
    /// What is in it.
    pub async fn cart(&self) -> Result<Cart, Error> {
        self.get(operation::GET_CART).await
    }

    /// Empties it.
    pub async fn clear_cart(&self) -> Result<(), Error> {
        self.call::<IgnoredAny>(operation::CLEAR_CART, None, None).await.map(|_| ())
    }

    /// Sets how many of a variant are in it; 0 takes it out.
    pub async fn set_cart_item(&self, variant: &str, quantity: u32) -> Result<Cart, Error> {
        self.send(operation::SET_CART_ITEM, &json!({"productVariantID": variant, "quantity": quantity})).await
    }

    /// Chooses the address.
    pub async fn set_cart_address(&self, address: &str) -> Result<(), Error> {
        self.send::<IgnoredAny>(operation::SET_CART_ADDRESS, &json!({"addressID": address})).await.map(|_| ())
    }

    /// Chooses the card.
    pub async fn set_cart_card(&self, card: &str) -> Result<(), Error> {
        self.send::<IgnoredAny>(operation::SET_CART_CARD, &json!({"cardID": card})).await.map(|_| ())
    }

    /// Orders what is in it: charges the card at once and empties the cart.
    pub async fn convert_cart(&self) -> Result<Order, Error> {
        self.call(operation::CONVERT_CART, None, None).await
    }
}

/// Orders.
impl Client {
    /// All orders of the account.
    pub async fn orders(&self) -> Result<Vec<Order>, Error> {
        self.get(operation::LIST_ORDERS).await
    }

    /// One order.
    pub async fn order(&self, id: &str) -> Result<Order, Error> {
        self.get_one(operation::GET_ORDER, id).await
    }

    /// Places an order and gives its id. Charges the card at once; the shop has no way back.
    pub async fn create_order(&self, order: &NewOrder) -> Result<String, Error> {
        self.send(operation::CREATE_ORDER, order).await
    }
}

/// Subscriptions.
impl Client {
    /// All subscriptions of the account.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        self.get(operation::LIST_SUBSCRIPTIONS).await
    }

    /// One subscription.
    pub async fn subscription(&self, id: &str) -> Result<Subscription, Error> {
        self.get_one(operation::GET_SUBSCRIPTION, id).await
    }

    /// Subscribes, or overwrites the account's subscription to the same variant. The shop does not tell the
    /// id: list and match the variant.
    pub async fn create_subscription(&self, new: &NewSubscription, now: Timestamp) -> Result<(), Error> {
        // The published schema wants a whole subscription, also what only the shop can know; it ignores these.
        let mut body = json!({
            "id": "sub_XXXXXXXXXXXXXXXXXXXXXXXXXX",
            "created": now.to_string(),
            "price": 0,
            "productVariantID": new.variant,
            "quantity": new.quantity,
            "addressID": new.address,
            "cardID": new.card,
        });
        if let Some(schedule) = new.schedule {
            body["schedule"] = self.json(operation::CREATE_SUBSCRIPTION, &schedule)?;
        }
        self.send::<IgnoredAny>(operation::CREATE_SUBSCRIPTION, &body).await.map(|_| ())
    }

    /// Changes card, address or schedule.
    pub async fn update_subscription(
        &self,
        id: &str,
        change: &SubscriptionChange,
    ) -> Result<Subscription, Error> {
        let body = self.json(operation::UPDATE_SUBSCRIPTION, change)?;
        self.call(operation::UPDATE_SUBSCRIPTION, Some(id), Some(body)).await
    }

    /// Ends a subscription.
    pub async fn delete_subscription(&self, id: &str) -> Result<(), Error> {
        self.delete(operation::DELETE_SUBSCRIPTION, id).await
    }
}

/// Personal access tokens.
impl Client {
    /// All tokens, without their text.
    pub async fn tokens(&self) -> Result<Vec<Token>, Error> {
        self.get(operation::LIST_TOKENS).await
    }

    /// One token, without its text.
    pub async fn token(&self, id: &str) -> Result<Token, Error> {
        self.get_one(operation::GET_TOKEN, id).await
    }

    /// Mints a token. This answer is the only place its text is ever shown.
    pub async fn create_token(&self) -> Result<MintedToken, Error> {
        self.call(operation::CREATE_TOKEN, None, None).await
    }

    /// Revokes a token.
    pub async fn delete_token(&self, id: &str) -> Result<(), Error> {
        self.delete(operation::DELETE_TOKEN, id).await
    }
}

/// OAuth apps.
impl Client {
    /// All apps, without their secrets.
    pub async fn apps(&self) -> Result<Vec<App>, Error> {
        self.get(operation::LIST_APPS).await
    }

    /// One app, without its secret.
    pub async fn app(&self, id: &str) -> Result<App, Error> {
        self.get_one(operation::GET_APP, id).await
    }

    /// Registers an app. This answer is the only place its secret is ever shown.
    pub async fn create_app(&self, app: &NewApp) -> Result<MintedApp, Error> {
        self.send(operation::CREATE_APP, app).await
    }

    /// Removes an app.
    pub async fn delete_app(&self, id: &str) -> Result<(), Error> {
        self.delete(operation::DELETE_APP, id).await
    }
}

/// The one way every call takes.
impl Client {
    async fn get<T: DeserializeOwned>(&self, operation: Operation) -> Result<T, Error> {
        self.call(operation, None, None).await
    }

    async fn get_one<T: DeserializeOwned>(&self, operation: Operation, id: &str) -> Result<T, Error> {
        self.call(operation, Some(id), None).await
    }

    async fn delete(&self, operation: Operation, id: &str) -> Result<(), Error> {
        self.call::<IgnoredAny>(operation, Some(id), None).await.map(|_| ())
    }

    async fn send<T: DeserializeOwned>(
        &self,
        operation: Operation,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = self.json(operation, body)?;
        self.call(operation, None, Some(body)).await
    }

    fn json(&self, operation: Operation, body: &impl Serialize) -> Result<serde_json::Value, Error> {
        serde_json::to_value(body)
            .map_err(|_| Error::Unsendable { operation, cause: "the API has no form for these values" })
    }

    async fn call<T: DeserializeOwned>(
        &self,
        operation: Operation,
        id: Option<&str>,
        body: Option<serde_json::Value>,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let result = self.exchange(operation, id, body).await;
        let outcome = result.as_ref().map_or_else(Error::outcome, |_| Outcome::Ok);
        self.observer.call(operation, outcome, start.elapsed());
        result
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        operation: Operation,
        id: Option<&str>,
        body: Option<serde_json::Value>,
    ) -> Result<T, Error> {
        let path = path(operation, id)?.into_owned();
        let body = body.map(|body| body.to_string().into_bytes());
        let redaction = Redaction::new(PREFIXES, self.token.expose(), body.as_deref());
        let request = Request { operation, path, token: self.token.clone(), body };
        match timeout(self.timeout, self.transport.send(request)).await {
            Ok(Ok(answer)) => answer::read(operation, &answer, &redaction),
            Ok(Err(Failure::NeverSent(cause))) => {
                Err(Error::NeverSent { operation, cause: redaction.apply(&cause) })
            }
            Ok(Err(Failure::Lost)) => Err(answer::doubtful(operation, Doubt::Lost)),
            Ok(Err(Failure::TooLong)) => Err(answer::doubtful(operation, Doubt::TooLong)),
            Err(_) => Err(answer::doubtful(operation, Doubt::TimedOut)),
        }
    }
}

/// Fills the id in. Ids of a shape the shop never gives could reach another path, so they are not sent.
fn path(operation: Operation, id: Option<&str>) -> Result<Cow<'static, str>, Error> {
    let Some(id) = id else { return Ok(Cow::Borrowed(operation.template())) };
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.is_empty() || id.len() > 128 || !id.chars().all(safe) {
        return Err(Error::Unsendable { operation, cause: "the id is not one the shop gives" });
    }
    Ok(Cow::Owned(operation.template().replace("{id}", id)))
}
