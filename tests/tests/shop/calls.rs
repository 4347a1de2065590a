//! Every call of the client by its operation, with what it needs to succeed.

use std::collections::BTreeMap;
use std::sync::Arc;

use concierge_reconciler::coffee::client::{
    Client, Error, Http, HttpSettings, NewApp, NewOrder, NewSubscription, Operation, Place, Schedule,
    SecretText, SubscriptionChange,
};
use concierge_tests::shop::{DARK_MODE, SEGFAULT, Served, Shop};
use jiff::Timestamp;

/// A client by direct call.
pub(crate) fn client(shop: &Shop, token: &str) -> Client {
    shop.account(token);
    Client::new(shop.transport(), SecretText::trimmed(token))
}

/// A client over sockets.
pub(crate) fn socket_client(shop: &Served, token: &str) -> Client {
    shop.account(token);
    client_at(&shop.url(), token)
}

/// A client of whatever is at `url`.
pub(crate) fn client_at(url: &str, token: &str) -> Client {
    let http = Http::new(&HttpSettings::new(url.parse().unwrap())).unwrap();
    Client::new(Arc::new(http), SecretText::trimmed(token))
}

pub(crate) fn place() -> Place {
    Place {
        name: "Ann Example".to_owned(),
        street1: "1 Main Street".to_owned(),
        city: "San Francisco".to_owned(),
        province: Some("CA".to_owned()),
        country: "US".to_owned(),
        zip: "94107".to_owned(),
        ..Place::default()
    }
}

pub(crate) async fn place_address(client: &Client) -> String {
    client.create_address(&place()).await.unwrap()
}

pub(crate) async fn place_card(client: &Client, token: &str) -> String {
    client.create_card(&SecretText::trimmed(token)).await.unwrap()
}

pub(crate) fn order(address: &str, card: &str, variant: &str, quantity: u32) -> NewOrder {
    let variants = BTreeMap::from([(variant.to_owned(), quantity)]);
    NewOrder { variants, card: card.to_owned(), address: address.to_owned() }
}

pub(crate) fn subscription(address: &str, card: &str, variant: &str, quantity: u32) -> NewSubscription {
    NewSubscription {
        variant: variant.to_owned(),
        quantity,
        address: address.to_owned(),
        card: card.to_owned(),
        schedule: Some(Schedule::Weekly { interval: 2 }),
    }
}

pub(crate) fn app() -> NewApp {
    NewApp { name: "door".to_owned(), redirect_uri: "https://example.com/back".to_owned() }
}

/// An account with one of everything.
pub(crate) struct Prepared {
    product: String,
    pub(crate) address: String,
    pub(crate) card: String,
    order: String,
    subscription: String,
    token: String,
    app: String,
}

impl Prepared {
    /// Prepares an account by direct call, faults of the shop or not: inject them afterwards.
    pub(crate) async fn new(shop: &Shop, token: &str) -> Self {
        let client = client(shop, token);
        let (address, card) = (place_address(&client).await, place_card(&client, "tok_visa").await);
        let order = client.create_order(&order(&address, &card, SEGFAULT, 1)).await.unwrap();
        client.create_subscription(&subscription(&address, &card, DARK_MODE, 1), shop.now()).await.unwrap();
        client.set_cart_item(SEGFAULT, 1).await.unwrap();
        client.set_cart_address(&address).await.unwrap();
        client.set_cart_card(&card).await.unwrap();
        Self {
            product: client.products().await.unwrap()[0].id.clone(),
            order,
            subscription: client.subscriptions().await.unwrap()[0].id.clone(),
            token: client.create_token().await.unwrap().id,
            app: client.create_app(&app()).await.unwrap().id,
            address,
            card,
        }
    }

    /// Makes one call of an operation, which succeeds unless something goes wrong on the way.
    pub(crate) async fn call(&self, client: &Client, operation: Operation) -> Result<(), Error> {
        let Self { product, address, card, order: placed, subscription: running, token, app: door } = self;
        match operation.name() {
            "GET /product" => client.products().await.map(drop),
            "GET /product/{id}" => client.product(product).await.map(drop),
            "GET /profile" => client.profile().await.map(drop),
            "PUT /profile" => client.put_profile("Ann", "ann@example.com").await.map(drop),
            "GET /address" => client.addresses().await.map(drop),
            "POST /address" => client.create_address(&place()).await.map(drop),
            "GET /address/{id}" => client.address(address).await.map(drop),
            "DELETE /address/{id}" => client.delete_address(address).await,
            "GET /card" => client.cards().await.map(drop),
            "POST /card" => client.create_card(&SecretText::trimmed("tok_mastercard")).await.map(drop),
            "GET /card/{id}" => client.card(card).await.map(drop),
            "DELETE /card/{id}" => client.delete_card(card).await,
            "POST /card/collect" => client.collect_card().await.map(drop),
            "GET /cart" => client.cart().await.map(drop),
            "DELETE /cart" => client.clear_cart().await,
            "PUT /cart/item" => client.set_cart_item(SEGFAULT, 2).await.map(drop),
            "PUT /cart/address" => client.set_cart_address(address).await,
            "PUT /cart/card" => client.set_cart_card(card).await,
            "POST /cart/convert" => client.convert_cart().await.map(drop),
            "GET /order" => client.orders().await.map(drop),
            "POST /order" => client.create_order(&order(address, card, SEGFAULT, 1)).await.map(drop),
            "GET /order/{id}" => client.order(placed).await.map(drop),
            "GET /subscription" => client.subscriptions().await.map(drop),
            "POST /subscription" => {
                client
                    .create_subscription(&subscription(address, card, SEGFAULT, 1), Timestamp::UNIX_EPOCH)
                    .await
            }
            "GET /subscription/{id}" => client.subscription(running).await.map(drop),
            "PUT /subscription/{id}" => {
                let change = SubscriptionChange { schedule: Some(Schedule::Fixed), ..Default::default() };
                client.update_subscription(running, &change).await.map(drop)
            }
            "DELETE /subscription/{id}" => client.delete_subscription(running).await,
            "GET /token" => client.tokens().await.map(drop),
            "POST /token" => client.create_token().await.map(drop),
            "GET /token/{id}" => client.token(token).await.map(drop),
            "DELETE /token/{id}" => client.delete_token(token).await,
            "GET /app" => client.apps().await.map(drop),
            "POST /app" => client.create_app(&app()).await.map(drop),
            "GET /app/{id}" => client.app(door).await.map(drop),
            "DELETE /app/{id}" => client.delete_app(door).await,
            "GET /view/init" => client.init().await.map(drop),
            other => panic!("no call for {other}"),
        }
    }
}
