//! Every kind of coffee in fair weather and foul, all logs at their most talkative: no secret is found anywhere but where its
//! owner put it, or where it is meant to be kept.

use std::collections::BTreeSet;
use std::time::Instant;

use concierge_shared::kind::KINDS;
use concierge_tests::PATIENCE;
use concierge_tests::faults::{Fault, Rule};
use concierge_tests::kubectl::{Kubectl, Output};
use concierge_tests::shop::{Account, DARK_MODE, MUG, Plastic, SEGFAULT};
use concierge_tests::stack::{NAMESPACE, Plan, RELEASE, Stack, get};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::shopping::{
    Objects, ShopCluster, bearer, card_token, coffee, condition, is_held, is_ready, purchase,
};

const CUSTOMER: &str = "planted";
const CLEAR: &str = "tok_planted_clear_1deadbeef";
const INLINE: &str = "tok_planted_inline_2deadbeef";
const INLINE_SECRET: &str = "tok_planted_hidden_3deadbeef";
const DECLINED: &str = "tok_planted_declined_4deadbeef";
const NEVER_STORED: &str = "tok_planted_refused_5deadbeef";
const CARD_NUMBERS: [&str; 3] = ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242"];
/// All that changes something at the shop.
const WRITES: [&str; 7] = [
    "PUT /profile",
    "POST /address",
    "POST /card",
    "POST /order",
    "POST /subscription",
    "POST /token",
    "POST /app",
];
/// How many objects there are of each kind after the first visit, without the account, which changes nothing at the shop.
const FURNISHED: &Counts =
    &[("CoffeeProfile", 1), ("CoffeeAddress", 1), ("CoffeeCard", 2), ("TerminalToken", 1), ("CoffeeApp", 1)];
/// How many the second visit adds.
const BOUGHT: &Counts = &[("CoffeeOrder", 4), ("CoffeeSubscription", 1), ("CoffeeCart", 1)];

/// Texts in which no secret may be, with where they are from.
type Haystack = Vec<(String, String)>;

/// How many objects there are of each kind.
type Counts = [(&'static str, usize)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn a_secret_is_found_nowhere_but_where_it_belongs() {
    let began = Instant::now();
    let cluster = with_verbose_logs().await;
    let mut haystack = Haystack::new();
    first_visit(&cluster, &mut haystack).await;
    second_visit(&cluster, &mut haystack).await;
    foul_weather(&cluster).await;
    refusals(&cluster, &mut haystack).await;
    collect(&cluster, &mut haystack).await;

    let account = cluster.shop.account(&bearer(CUSTOMER));
    let needles = needles(&cluster.stack, &account).await;
    let scanning = Instant::now();
    assert_eq!(scan(&haystack, &needles), Vec::<String>::new());
    let bytes: usize = haystack.iter().map(|(_, text)| text.len()).sum();
    println!(
        "{} secrets looked for in {} texts of {:.1} MB in {:.1?}; {:.1?} in all",
        needles.len(),
        haystack.len(),
        bytes as f64 / 1e6,
        scanning.elapsed(),
        began.elapsed()
    );
    assert_what_is_planted_is_found(haystack, &needles);
    assert_kept(&cluster.stack, &account).await;
}

/// Both programs log all that they can.
async fn with_verbose_logs() -> ShopCluster {
    let args = |more: &[&str]| [&["--log", "trace"], more].concat().into_iter().map(str::to_owned).collect();
    let plan = Plan {
        reconcilers: 2,
        webhook_args: args(&[]),
        reconciler_args: args(&["--request-timeout", "1s", "--settle-time", "500ms"]),
        ..Plan::default()
    };
    let cluster = ShopCluster::start(&[CUSTOMER], plan).await;
    for token in [CLEAR, INLINE, INLINE_SECRET] {
        cluster.shop.issue(token, Plastic::new("visa", "4242", token));
    }
    cluster.shop.issue(DECLINED, Plastic::new("visa", "0341", DECLINED).declining());
    cluster
}

/// What a customer needs before something can be bought.
async fn first_visit(cluster: &ShopCluster, haystack: &mut Haystack) {
    echo(cluster, &WRITES, 400);
    cluster.add_customer(CUSTOMER).await.unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"namespace": CUSTOMER, "name": "cards"},
        "stringData": {"hidden": INLINE_SECRET},
    });
    let kubectl = cluster.stack.plane.kubectl();
    kubectl.run_with_input(&["create", "-f", "-"], &secret.to_string()).await.unwrap().ok().unwrap();
    let mut card = coffee("CoffeeCard", CUSTOMER, "clear", json!({"cardToken": CLEAR}));
    // As the predecessor left it behind.
    card["metadata"]["annotations"] =
        json!({"kopf.zalando.org/last-handled-configuration": card.to_string()});
    let app = json!({"name": "Kiosk", "redirectUri": "https://kiosk.example.com/done"});
    let objects = [
        card,
        coffee("TerminalToken", CUSTOMER, "ci", json!({"description": "CI"})),
        coffee("CoffeeApp", CUSTOMER, "kiosk", app),
    ];
    apply(cluster, haystack, &objects).await;
    weather(cluster, FURNISHED).await;
}

/// What can be bought: by references, with a card of its own in clear and in a Secret, and with one that the bank declines.
async fn second_visit(cluster: &ShopCluster, haystack: &mut Haystack) {
    echo(cluster, &WRITES, 400);
    // Each of another quantity: equal ones would wait for each other.
    let order = |name: &str, quantity: u32, card: Value| {
        let mut spec = purchase(SEGFAULT);
        spec["quantity"] = json!(quantity);
        spec["card"] = card;
        spec.as_object_mut().unwrap().remove("cardRef");
        coffee("CoffeeOrder", CUSTOMER, name, spec)
    };
    let mut subscription = purchase(DARK_MODE);
    subscription["schedule"] = json!({"type": "weekly", "interval": 2});
    let default = json!({"name": "default"});
    let cart = json!({
        "items": [{"productVariantId": MUG, "quantity": 1}],
        "addressRef": default, "cardRef": default, "convertToOrder": true,
    });
    let hidden = json!({"cardTokenSecretRef": {"name": "cards", "key": "hidden"}});
    let objects = [
        coffee("CoffeeOrder", CUSTOMER, "plain", purchase(SEGFAULT)),
        order("clear", 2, json!({"cardToken": INLINE})),
        order("hidden", 3, hidden),
        order("declined", 4, json!({"cardToken": DECLINED})),
        coffee("CoffeeSubscription", CUSTOMER, "weekly", subscription),
        coffee("CoffeeCart", CUSTOMER, "desk", cart),
    ];
    apply(cluster, haystack, &objects).await;
    weather(cluster, BOUGHT).await;
}

/// Refused, then in doubt, then well: the shop repeats in each answer all that it has heard, until it is well.
async fn weather(cluster: &ShopCluster, counts: &Counts) {
    let refused =
        all(cluster, counts, "refused", |one| condition(one, "Ready").starts_with("False Refused")).await;
    echo(cluster, &WRITES, 500);
    ask(cluster, &refused, "again").await;
    all(cluster, counts, "in doubt", is_in_doubt).await;
    cluster.shop.faults().clear();
    for (kind, objects) in all(cluster, counts, "well or held", |one| is_held(one) || is_well(one)).await {
        cluster.retry_held(kind, &objects).await;
    }
    all(cluster, counts, "well", is_well).await;
}

/// Every answer, also to calls that only look, repeats what was heard.
async fn foul_weather(cluster: &ShopCluster) {
    let counts = [&[("TerminalAccount", 1)], FURNISHED, BOUGHT].concat();
    let objects = all(cluster, &counts, "there", |_| true).await;
    for status in [500, 200, 400, 401] {
        cluster.shop.faults().clear();
        cluster.shop.faults().inject(Rule::any(), Fault::Echo(status));
        let token = format!("when it says {status}");
        ask(cluster, &objects, &token).await;
        all(cluster, &counts, "looked at", |one| one["status"]["reconciledAt"] == token.as_str()).await;
    }
    let refused = |one: &Value| condition(one, "TokenAccepted").starts_with("False Refused");
    all(cluster, &[("TerminalAccount", 1)], "refused", refused).await;
    cluster.shop.faults().clear();
}

fn echo(cluster: &ShopCluster, operations: &[&str], status: u16) {
    cluster.shop.faults().clear();
    for operation in operations {
        cluster.shop.faults().inject(Rule::on(operation), Fault::Echo(status));
    }
}

async fn all(
    cluster: &ShopCluster,
    counts: &Counts,
    what: &str,
    is: impl Fn(&Value) -> bool,
) -> Vec<(&'static str, Objects)> {
    let mut found = Vec::new();
    for (kind, count) in counts {
        found.push((*kind, cluster.until(kind, *count, what, PATIENCE, |one, _| is(one)).await));
    }
    found
}

async fn ask(cluster: &ShopCluster, objects: &[(&'static str, Objects)], token: &str) {
    for (kind, objects) in objects {
        for object in objects.values() {
            cluster.annotate(kind, object, "concierge.dev/reconcile-at", token).await;
        }
    }
}

/// In doubt about its own call, or waiting for the end of another's doubt.
fn is_in_doubt(object: &Value) -> bool {
    let waits = condition(object, "Ready").starts_with("False Reconciling: waits for");
    let repeats = condition(object, "Synced").starts_with("False Transient");
    condition(object, "Unknown").starts_with("True ") || waits || repeats
}

/// Usable, or declined by the bank.
fn is_well(object: &Value) -> bool {
    is_ready(object) || condition(object, "Placed").contains("payment.invalid")
}

/// The ordinary user creates `objects`; what kubectl says is part of the haystack.
async fn apply(cluster: &ShopCluster, haystack: &mut Haystack, objects: &[Value]) {
    // Not `apply`, which would keep the whole object in an annotation.
    for object in objects {
        let said = say(cluster.user.kubectl(), haystack, &["create", "-f", "-"], &object.to_string()).await;
        said.ok().unwrap();
    }
}

async fn say(kubectl: Kubectl, haystack: &mut Haystack, args: &[&str], input: &str) -> Output {
    let said = kubectl.run_with_input(args, input).await.unwrap();
    haystack.push((format!("kubectl {}", args.join(" ")), format!("{}{}", said.stdout, said.stderr)));
    said
}

/// Objects that are refused for a secret in the wrong place, or with one in the right place.
async fn refusals(cluster: &ShopCluster, haystack: &mut Haystack) {
    let [plain, spaced, dashed] = CARD_NUMBERS;
    let order = |notes: &str| {
        let mut spec = purchase(SEGFAULT);
        spec["notes"] = json!(notes);
        coffee("CoffeeOrder", CUSTOMER, "refused", spec)
    };
    let card = |spec: Value| coffee("CoffeeCard", CUSTOMER, "refused", spec);
    let long = NEVER_STORED.repeat(20);
    let refused = [
        order(&format!("my card is {plain}")),
        order(&format!("my card is {spaced}")),
        order(&format!("my card is {dashed}")),
        card(json!({"cardToken": plain})),
        card(json!({"cardToken": dashed})),
        card(json!({"cardToken": format!("tok_{plain}")})),
        card(json!({"cardToken": [NEVER_STORED]})),
        card(json!({"cardToken": {"is": NEVER_STORED}})),
        card(json!({"cardToken": format!("{NEVER_STORED}!")})),
        card(json!({"cardToken": long})),
        card(json!({"cardToken": NEVER_STORED, "cardTokenSecretRef": {"name": "cards", "key": "hidden"}})),
        card(json!({"cardToken": CLEAR})),
        coffee("TerminalToken", CUSTOMER, "refused", json!({"description": spaced})),
    ];
    let refused = refused.into_iter().chain(misplaced_passwords());
    for object in refused {
        for how in
            [&["create", "-f", "-"][..], &["create", "-f", "-", "--dry-run=server"], &["apply", "-f", "-"]]
        {
            let said = say(cluster.user.kubectl(), haystack, how, &object.to_string()).await;
            assert!(!said.status.success() && !said.stderr.is_empty(), "{object}");
        }
    }
    let patch = json!({"spec": {"cardToken": NEVER_STORED}}).to_string();
    let change = ["patch", "coffeecard", "clear", "-n", CUSTOMER, "--type=merge", "-p", &patch];
    let said = cluster.user.kubectl().run(&change).await.unwrap();
    assert!(!said.status.success());
    haystack.push(("kubectl patch".to_owned(), said.stderr));
}

/// Objects with a password in a web address, which the API server's own schema refuses, or the webhook.
fn misplaced_passwords() -> impl Iterator<Item = Value> {
    let key = json!({"name": "cards", "key": "hidden"});
    let urls = [
        format!("https://me:{NEVER_STORED}@shop.example/api"),
        format!("ftp://me:{NEVER_STORED}@shop.example"),
        format!("https://shop.example/{}", NEVER_STORED.repeat(200)),
    ];
    urls.into_iter().flat_map(move |url| {
        let account = json!({"baseUrl": url, "tokenSecretRef": key});
        let app = json!({"name": "refused", "redirectUri": url});
        let store =
            json!({"name": "refused", "endpoints": {"baseUrl": url}, "security": {"allowedOrigins": [url]}});
        [
            coffee("TerminalAccount", CUSTOMER, "refused", account),
            coffee("CoffeeApp", CUSTOMER, "refused", app),
            json!({"apiVersion": "petstore.example.com/v1", "kind": "PetStore",
                   "metadata": {"name": "refused", "namespace": CUSTOMER}, "spec": store}),
        ]
    })
}

/// All that the run has left: logs, metrics, objects, events, and what people see of them.
async fn collect(cluster: &ShopCluster, haystack: &mut Haystack) {
    let plane = &cluster.stack.plane;
    for file in std::fs::read_dir(plane.dir()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The API server's own log repeats a value of the wrong type, before it asks anybody.
        if name.starts_with("concierge-") && name.ends_with(".log") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(r#""level":"TRACE""#), "{name} says less than it could");
            haystack.push((name, text));
        }
    }
    let reconcilers = [0, 1].map(|number| cluster.stack.reconciler(number, |program| program.admin));
    for admin in cluster.stack.webhook_admins().into_iter().chain(reconcilers) {
        haystack.push((format!("metrics of {admin}"), get(admin, "/metrics").await.unwrap()));
    }
    let ours = KINDS.iter().map(|kind| kind.crd_name()).collect::<Vec<_>>().join(",");
    let everything =
        format!("{ours},claims.concierge.dev,events,events.events.k8s.io,leases,configmaps,secrets");
    for mut object in list(&cluster.stack, &everything).await {
        forget_what_was_meant(&mut object);
        let meta = &object["metadata"];
        let name = format!("{} {} {}", object["kind"], meta["namespace"], meta["name"]);
        haystack.push((name, object.to_string()));
    }
    for args in
        [&["get", "coffee", "-A", "-o", "wide"][..], &["get", "events", "-A"], &["describe", "secrets", "-A"]]
    {
        say(plane.kubectl(), haystack, args, "").await.ok().unwrap();
    }
}

async fn list(stack: &Stack, resources: &str) -> Vec<Value> {
    let listed =
        stack.plane.kubectl().run(&["get", resources, "-A", "-o", "json"]).await.unwrap().ok().unwrap();
    let list: Value = serde_json::from_str(&listed).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// Takes out the fields into which the user wrote a secret, and the values of Secrets.
fn forget_what_was_meant(object: &mut Value) {
    if object["kind"] == "Secret" {
        object.as_object_mut().unwrap().remove("data");
    }
    for holder in ["/spec", "/spec/card"] {
        if let Some(holder) = object.pointer_mut(holder).and_then(Value::as_object_mut) {
            holder.remove("cardToken");
        }
    }
}

/// What must not be found, and what it is.
async fn needles(stack: &Stack, account: &Account) -> Vec<(String, String)> {
    let kubeconfig = stack.plane.service_account_kubeconfig(NAMESPACE, RELEASE).await.unwrap();
    let kubeconfig: Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
    let kept = kept(account).map(|(_, _, value)| ("what a Secret holds", value));
    let [plain, spaced, dashed] = CARD_NUMBERS.map(str::to_owned);
    let others = [
        ("a card's token in clear", CLEAR.to_owned()),
        ("an order's token in clear", INLINE.to_owned()),
        ("a declined token", DECLINED.to_owned()),
        ("a refused token", NEVER_STORED.to_owned()),
        ("a card number", plain),
        ("a card number with spaces", spaced),
        ("a card number with dashes", dashed),
        // The head of a token is the same for all of this cluster.
        ("a program's own token", token.split('.').next().unwrap().to_owned()),
    ];
    let plain = kept.into_iter().chain(others).map(|(what, value)| (what.to_owned(), value));
    plain
        .flat_map(|(what, value)| {
            [(format!("{what}, encoded"), encoded(&value)), (what, core(&value).to_owned())]
        })
        .collect()
}

/// What is secret of it: how such tokens begin is known to all.
fn core(value: &str) -> &str {
    let token = ["trm_", "tok_", "sec_"].iter().any(|prefix| value.starts_with(prefix));
    value.rsplit('_').next().filter(|_| token).unwrap_or(value)
}

/// The Secrets that hold what is secret: name, key, and value.
fn kept(account: &Account) -> [(&'static str, &'static str, String); 5] {
    [
        ("terminal", "token", bearer(CUSTOMER)),
        ("terminal", "card", card_token(CUSTOMER)),
        ("cards", "hidden", INLINE_SECRET.to_owned()),
        ("ci-token", "token", account.tokens()[0].text.clone()),
        ("kiosk-credentials", "client_secret", account.apps()[0].secret.clone()),
    ]
}

/// As a Secret has it.
fn encoded(value: &str) -> String {
    serde_json::to_value(ByteString(value.into())).unwrap().as_str().unwrap().to_owned()
}

/// Which needle is where.
fn scan(haystack: &Haystack, needles: &[(String, String)]) -> Vec<String> {
    let places = haystack.iter().flat_map(|text| needles.iter().map(move |needle| (text, needle)));
    let found = places.filter_map(|((name, text), (what, value))| {
        let at = text.find(value.as_str())?;
        let around: String =
            text[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
        Some(format!("{what} in {name} after {around:?}"))
    });
    found.collect()
}

/// The scan would tell: each needle, put into a text where it does not belong, is found there.
fn assert_what_is_planted_is_found(mut haystack: Haystack, needles: &[(String, String)]) {
    let texts = haystack.len();
    let mut planted = Vec::new();
    for (number, (what, value)) in needles.iter().enumerate() {
        let (name, text) = &mut haystack[number % texts];
        text.push_str(value);
        planted.push(format!("{what} in {name}"));
    }
    let mut found: Vec<_> = scan(&haystack, needles)
        .iter()
        .map(|found| found.split(" after ").next().unwrap().to_owned())
        .collect();
    found.sort();
    planted.sort();
    assert_eq!(found, planted);
}

/// What is secret is in the Secret that is to hold it, and in no other.
async fn assert_kept(stack: &Stack, account: &Account) {
    let mut holders = BTreeSet::new();
    let expected = kept(account).map(|(name, key, value)| (name.to_owned(), key.to_owned(), encoded(&value)));
    for secret in list(stack, "secrets").await {
        let name = secret["metadata"]["name"].as_str().unwrap();
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap().to_owned();
            if expected.iter().any(|(_, _, kept)| *kept == value) {
                holders.insert((name.to_owned(), key.clone(), value));
            }
        }
    }
    assert_eq!(holders, BTreeSet::from(expected));
}
