//! The shop's operations by their stable names.

use std::fmt;

/// One operation of the API, named by its method and path template, such as `POST /order`.
///
/// The name is a metric label and part of messages; it holds no id and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operation(&'static str);

impl Operation {
    /// Every operation this client knows: all of API 1.0.3 but `POST /email`.
    pub const ALL: [Operation; 36] = [
        LIST_PRODUCTS,
        GET_PRODUCT,
        GET_PROFILE,
        PUT_PROFILE,
        LIST_ADDRESSES,
        CREATE_ADDRESS,
        GET_ADDRESS,
        DELETE_ADDRESS,
        LIST_CARDS,
        CREATE_CARD,
        GET_CARD,
        DELETE_CARD,
        COLLECT_CARD,
        GET_CART,
        CLEAR_CART,
        SET_CART_ITEM,
        SET_CART_ADDRESS,
        SET_CART_CARD,
        CONVERT_CART,
        LIST_ORDERS,
        CREATE_ORDER,
        GET_ORDER,
        LIST_SUBSCRIPTIONS,
        CREATE_SUBSCRIPTION,
        GET_SUBSCRIPTION,
        UPDATE_SUBSCRIPTION,
        DELETE_SUBSCRIPTION,
        LIST_TOKENS,
        CREATE_TOKEN,
        GET_TOKEN,
        DELETE_TOKEN,
        LIST_APPS,
        CREATE_APP,
        GET_APP,
        DELETE_APP,
        INIT,
    ];

    /// The stable name, such as `DELETE /card/{id}`.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// Whether sending it again can do no harm: everything but POST. Reads change nothing, the shop's
    /// PUTs set values, and a second DELETE finds nothing.
    pub fn is_repeatable(self) -> bool {
        self.verb() != Verb::Post
    }

    /// The HTTP method.
    pub fn verb(self) -> Verb {
        match self.0.split_once(' ') {
            Some(("GET", _)) => Verb::Get,
            Some(("PUT", _)) => Verb::Put,
            Some(("DELETE", _)) => Verb::Delete,
            _ => Verb::Post,
        }
    }

    /// The path template, such as `/card/{id}`.
    pub fn template(self) -> &'static str {
        self.0.split_once(' ').map_or(self.0, |(_, path)| path)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The HTTP methods the shop uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Sets.
    Put,
    /// Creates; the only one that must not be repeated.
    Post,
    /// Removes.
    Delete,
}

impl Verb {
    /// The method as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Put => "PUT",
            Verb::Post => "POST",
            Verb::Delete => "DELETE",
        }
    }
}

macro_rules! operations {
    ($($constant:ident = $name:literal;)*) => {$(
        #[doc = concat!("`", $name, "`")]
        pub const $constant: Operation = Operation($name);
    )*};
}

operations! {
    LIST_PRODUCTS = "GET /product";
    GET_PRODUCT = "GET /product/{id}";
    GET_PROFILE = "GET /profile";
    PUT_PROFILE = "PUT /profile";
    LIST_ADDRESSES = "GET /address";
    CREATE_ADDRESS = "POST /address";
    GET_ADDRESS = "GET /address/{id}";
    DELETE_ADDRESS = "DELETE /address/{id}";
    LIST_CARDS = "GET /card";
    CREATE_CARD = "POST /card";
    GET_CARD = "GET /card/{id}";
    DELETE_CARD = "DELETE /card/{id}";
    COLLECT_CARD = "POST /card/collect";
    GET_CART = "GET /cart";
    CLEAR_CART = "DELETE /cart";
    SET_CART_ITEM = "PUT /cart/item";
    SET_CART_ADDRESS = "PUT /cart/address";
    SET_CART_CARD = "PUT /cart/card";
    CONVERT_CART = "POST /cart/convert";
    LIST_ORDERS = "GET /order";
    CREATE_ORDER = "POST /order";
    GET_ORDER = "GET /order/{id}";
    LIST_SUBSCRIPTIONS = "GET /subscription";
    CREATE_SUBSCRIPTION = "POST /subscription";
    GET_SUBSCRIPTION = "GET /subscription/{id}";
    UPDATE_SUBSCRIPTION = "PUT /subscription/{id}";
    DELETE_SUBSCRIPTION = "DELETE /subscription/{id}";
    LIST_TOKENS = "GET /token";
    CREATE_TOKEN = "POST /token";
    GET_TOKEN = "GET /token/{id}";
    DELETE_TOKEN = "DELETE /token/{id}";
    LIST_APPS = "GET /app";
    CREATE_APP = "POST /app";
    GET_APP = "GET /app/{id}";
    DELETE_APP = "DELETE /app/{id}";
    INIT = "GET /view/init";
}
