//! The shop's operations, a method for each.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::json;

use super::{Client, Error, SecretText, operation, types::*};

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
    pub async fn products(&self) -> Result<Vec<Product>, Error> {
        self.get(operation::LIST_PRODUCTS).await
    }

    pub async fn product(&self, id: &str) -> Result<Product, Error> {
        self.get_one(operation::GET_PRODUCT, id).await
    }
}

/// Addresses.
impl Client {
    pub async fn addresses(&self) -> Result<Vec<Address>, Error> {
        self.get(operation::LIST_ADDRESSES).await
    }

    pub async fn address(&self, id: &str) -> Result<Address, Error> {
        self.get_one(operation::GET_ADDRESS, id).await
    }

    /// Creates an address and gives its id. The shop keeps equal addresses apart.
    pub async fn create_address(&self, place: &Place) -> Result<String, Error> {
        self.send::<Id>(operation::CREATE_ADDRESS, place).await.map(|Id(id)| id)
    }

    /// Removes an address.
    pub async fn delete_address(&self, id: &str) -> Result<(), Error> {
        self.delete(operation::DELETE_ADDRESS, id).await
    }
}

/// Cards.
impl Client {
    pub async fn cards(&self) -> Result<Vec<Card>, Error> {
        self.get(operation::LIST_CARDS).await
    }

    pub async fn card(&self, id: &str) -> Result<Card, Error> {
        self.get_one(operation::GET_CARD, id).await
    }

    /// Registers the card behind a payment token and gives its id. A card the account already has is refused
    /// with code `already_exists`.
    pub async fn create_card(&self, token: &SecretText) -> Result<String, Error> {
        self.send::<Id>(operation::CREATE_CARD, &json!({"token": token.expose()})).await.map(|Id(id)| id)
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

    pub async fn order(&self, id: &str) -> Result<Order, Error> {
        self.get_one(operation::GET_ORDER, id).await
    }

    /// Places an order and gives its id. Charges the card at once; the shop has no way back.
    pub async fn create_order(&self, order: &NewOrder) -> Result<String, Error> {
        self.send::<Id>(operation::CREATE_ORDER, order).await.map(|Id(id)| id)
    }
}

/// Subscriptions.
impl Client {
    /// All subscriptions of the account.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        self.get(operation::LIST_SUBSCRIPTIONS).await
    }

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
