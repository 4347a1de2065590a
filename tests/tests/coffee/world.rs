//! What the coffee tests share: an API server and a shop.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::{
    coffee::{self, Shops},
    engine::{Kinds, ObjectKey},
};
use concierge_shared::{
    group::Settings,
    kind::{KINDS, KindInfo},
};
use concierge_tests::{
    shop::{SEGFAULT, Shop},
    simulation::{Process, ProcessOptions, Server, Simulated},
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// The token of the account `default`.
pub(crate) const TOKEN: &str = "trm_test_5d41402abc4b2a76b9719d911017c592";

/// How long a lease lasts: over days, little else would happen than that it is renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(120);

/// An API server and a shop.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    pub(crate) shop: Shop,
    /// The account of the whole cluster, if there is one.
    pub(crate) cluster_account: Option<String>,
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        KINDS
    }

    fn rules(&self) -> Settings {
        let mut rules = Settings::default();
        rules.coffee.default_account.clone_from(&self.cluster_account);
        rules
    }

    fn reconcilers(&self) -> Kinds {
        let transport = self.shop.transport();
        coffee::kinds(Kinds::default(), &Shops::dialled(move |_| Ok(transport.clone())))
    }
}

impl World {
    /// Nothing but an account, `default`, with its token.
    pub(crate) fn new() -> Self {
        let server = Server::new();
        let shop = Shop::at(server.now(), 7);
        shop.account(TOKEN);
        let world = Self { server, shop, cluster_account: None };
        world.account("default", TOKEN);
        world
    }

    /// An account with a profile, an address and a card, all called `default`.
    pub(crate) fn ready_to_order() -> Self {
        let world = Self::new();
        world.add_customer("default", "tok_visa");
        world
    }

    /// A TerminalAccount of this name and the Secret with its token.
    pub(crate) fn account(&self, name: &str, token: &str) -> ObjectKey {
        self.shop.account(token);
        self.secret(&format!("{name}-token"), "token", token);
        let spec = json!({
            "baseUrl": "http://shop.default.svc",
            "tokenSecretRef": { "name": format!("{name}-token"), "key": "token" },
        });
        self.put("TerminalAccount", name, json!({}), spec)
    }

    /// A profile, an address and a card of this name, at the account of this name.
    pub(crate) fn add_customer(&self, name: &str, token: &str) {
        let at = json!({ "name": name });
        let profile = json!({ "name": "Ada", "email": "ada@example.com", "accountRef": at });
        self.put("CoffeeProfile", name, json!({}), profile);
        let mut address = place();
        address["accountRef"] = at.clone();
        self.put("CoffeeAddress", name, json!({}), address);
        self.put("CoffeeCard", name, json!({}), json!({ "cardToken": token, "accountRef": at }));
    }

    pub(crate) fn secret(&self, name: &str, key: &str, value: &str) {
        self.server.user_puts(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name, "namespace": "default" },
            "data": { key: ByteString(value.as_bytes().to_vec()) },
        }));
    }

    pub(crate) fn order(&self, name: &str) -> ObjectKey {
        self.put("CoffeeOrder", name, json!({}), order_spec("default", 1))
    }

    /// An order with a card of its own, whose token is in a Secret.
    pub(crate) fn order_with_own_card(&self, name: &str) -> ObjectKey {
        self.secret("own-card", "token", "tok_mastercard");
        let mut spec = order_spec("default", 1);
        spec.as_object_mut().unwrap().remove("cardRef");
        spec["card"] = json!({ "cardTokenSecretRef": { "name": "own-card", "key": "token" } });
        self.put("CoffeeOrder", name, json!({}), spec)
    }

    pub(crate) fn subscription(&self, name: &str) -> ObjectKey {
        let mut spec = order_spec("default", 1);
        spec["schedule"] = json!({ "type": "weekly", "interval": 2 });
        self.put("CoffeeSubscription", name, json!({}), spec)
    }

    pub(crate) fn put(&self, kind: &'static str, name: &str, metadata: Value, spec: Value) -> ObjectKey {
        self.server.user_makes("coffee.terminal.sh/v1alpha1", kind, name, metadata, spec)
    }

    /// Starts a process that is in good health.
    pub(crate) fn healthy(&self) -> Process {
        self.start("healthy", ProcessOptions { lease: LEASE, ..ProcessOptions::default() })
    }

    /// Waits until `done`, and fails after `most`.
    pub(crate) async fn until(&self, what: &str, most: Duration, done: impl Fn(&World) -> bool) {
        let done = self.server.until(most, || done(self)).await;
        assert!(done, "not {what} after {most:?}:\n{}", self.dump());
    }

    /// All coffee there is, for a failing test to show.
    pub(crate) fn dump(&self) -> String {
        let kinds = KINDS.iter().filter(|kind| kind.name != "CoffeeProduct");
        let all = kinds.flat_map(|kind| self.server.of_kind(kind.name));
        let line = |object: Value| {
            format!("{} {}: {:#}", object["kind"], object["metadata"]["name"], object["status"])
        };
        all.map(line).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn phase(&self, key: &ObjectKey) -> String {
        self.server.status(key)["phase"].as_str().unwrap_or_default().to_owned()
    }
}

/// An order's spec at the account, with the profile, address and card, of this name.
pub(crate) fn order_spec(name: &str, quantity: i64) -> Value {
    json!({
        "productVariantId": SEGFAULT,
        "quantity": quantity,
        "profileRef": { "name": name },
        "addressRef": { "name": name },
        "cardRef": { "name": name },
        "accountRef": { "name": name },
    })
}

pub(crate) fn place() -> Value {
    json!({
        "name": "Ada Lovelace",
        "street1": "12 St. James's Sq.",
        "city": "Springfield",
        "province": "IL",
        "zip": "62701",
        "country": "US",
        "phone": "+1 217 555 0100",
    })
}
