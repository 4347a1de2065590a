//! Nothing the client prints shows a secret or what was sent, not even when the shop repeats it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use concierge_reconciler::coffee::client::{
    Answer, Client, Failure, Observer, Operation, Outcome, Request, SecretText, Transport,
};
use concierge_tests::faults::Fault;
use concierge_tests::shop::Shop;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::calls::{Prepared, app, client, place_card, socket_client};

const TOKEN: &str = "trm_test_verysecret";
/// What is sent by the calls of [`Prepared::call`] or secret.
const UNSEEN: [&str; 9] = [
    "verysecret",
    "tok_mastercard",
    "tok_visa",
    "Ann Example",
    "1 Main Street",
    "94107",
    "ann@example.com",
    "https://example.com/back",
    "San Francisco",
];

fn clean(what: &str, shown: &str) {
    for unseen in UNSEEN {
        assert!(!shown.contains(unseen), "{what} shows {unseen}: {shown}");
    }
}

/// A shop that answers every request with an error full of all it was sent.
struct Parrot(u16);

impl Transport for Parrot {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, Failure>> {
        clean("a request", &format!("{request:?}"));
        let body = String::from_utf8(request.body.clone().unwrap_or_default()).unwrap();
        let heard = format!("{body} Authorization: Bearer {}", request.token.expose());
        let error = serde_json::json!({"type": heard, "code": heard, "message": heard, "param": heard});
        let answer =
            Answer { status: self.0, retry_after: None, date: None, body: error.to_string().into_bytes() };
        clean("an answer", &format!("{answer:?}"));
        async move { Ok(answer) }.boxed()
    }
}

/// A line that fails with all it was sent.
struct Gossip;

impl Transport for Gossip {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, Failure>> {
        let body = String::from_utf8(request.body.unwrap_or_default()).unwrap();
        async move { Err(Failure::NeverSent(format!("no connection for {} {body}", request.token.expose()))) }
            .boxed()
    }
}

#[tokio::test]
async fn errors_do_not_repeat_what_the_shop_repeats() {
    let prepared = Prepared::new(&Shop::new(1), TOKEN).await;
    let transports: [Arc<dyn Transport>; 6] = [
        Arc::new(Parrot(400)),
        Arc::new(Parrot(404)),
        Arc::new(Parrot(200)),
        Arc::new(Parrot(500)),
        Arc::new(Parrot(429)),
        Arc::new(Gossip),
    ];
    // Personal tokens are known by their prefix; those of OAuth only by having been sent.
    let tokens = [TOKEN, "eyJhb.verysecret.x"].into_iter();
    for (transport, token) in tokens.flat_map(|token| transports.clone().map(|transport| (transport, token)))
    {
        let client = Client::new(transport, SecretText::trimmed(token));
        for operation in Operation::ALL {
            let error = prepared.call(&client, operation).await.unwrap_err();
            clean("an error", &format!("{error} {error:?} {error:#?}"));
        }
    }
}

#[tokio::test]
async fn errors_of_a_bad_line_show_nothing() {
    let shop = Shop::start().await.unwrap();
    let faults =
        [Fault::DropAfter, Fault::Cut, Fault::Garbage, Fault::StatusAfter(500), Fault::StatusBefore(400)];
    for (nth, fault) in faults.into_iter().enumerate() {
        for operation in Operation::ALL {
            let token = format!("{TOKEN}_{nth}_{operation}").replace(' ', "_");
            let prepared = Prepared::new(&shop, &token).await;
            shop.faults().once(operation.name(), fault.clone());
            let error = prepared.call(&socket_client(&shop, &token), operation).await.unwrap_err();
            clean("an error", &format!("{error} {error:?} {error:#?}"));
        }
    }
}

#[tokio::test]
async fn values_that_hold_secrets_do_not_show_them() {
    let client = client(&Shop::new(1), TOKEN);
    let (token, app) = (client.create_token().await.unwrap(), client.create_app(&app()).await.unwrap());
    let page = client.collect_card().await.unwrap();
    let shown = format!("{token:?} {app:?} {page:?} {:#?}", SecretText::trimmed("tok_visa"));
    for secret in [token.token.expose(), app.secret.expose(), page.url.expose(), "tok_visa"] {
        assert!(secret.len() > 7 && !shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("Secret(..)"));
}

#[derive(Default)]
struct Seen(Mutex<Vec<(Operation, Outcome)>>);

impl Observer for Seen {
    fn call(&self, operation: Operation, outcome: Outcome, took: Duration) {
        assert!(took < Duration::from_secs(60));
        self.0.lock().unwrap().push((operation, outcome));
    }
}

#[tokio::test]
async fn the_observer_hears_of_every_call_by_its_stable_name() {
    let shop = Shop::new(1);
    let seen = Arc::new(Seen::default());
    let client = client(&shop, TOKEN).with_observer(seen.clone());
    place_card(&client, "tok_visa").await;
    client.create_card(&SecretText::trimmed("tok_visa")).await.unwrap_err();
    shop.faults().once("GET /card", Fault::DropAfter);
    client.cards().await.unwrap_err();
    client.card("../x").await.unwrap_err();
    let heard = seen.0.lock().unwrap();
    let heard: Vec<_> =
        heard.iter().map(|(operation, outcome)| (operation.name(), outcome.as_str())).collect();
    assert_eq!(
        heard,
        [
            ("POST /card", "ok"),
            ("POST /card", "refused"),
            ("GET /card", "transient"),
            ("GET /card/{id}", "never_sent")
        ]
    );
}
