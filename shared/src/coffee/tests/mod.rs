//! One helper that says what came of a request, and tables of requests.

mod account;
mod address;
mod card;
mod cart;
mod crds;
mod order;
mod others;
mod predecessor;
mod properties;
mod subscription;

use serde_json::{Value, json};

use super::*;
use crate::{
    admission::{
        envelope::Operation,
        lookup::{Lookup, World},
        object::Raw,
        review::{Context, Evaluation, Request, Stage},
        rule::Enforcement,
    },
    kind::by_name,
};

/// An object of this group in the namespace `bar`.
fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "coffee.terminal.sh/v1alpha1", "kind": kind,
           "metadata": {"name": name, "namespace": "bar", "uid": name}, "spec": spec})
}

/// `object` in another namespace.
fn in_namespace(namespace: &str, mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(namespace);
    object
}

/// `object` with this annotation.
fn annotated(mut object: Value, key: &str, value: &str) -> Value {
    object["metadata"]["annotations"][key] = json!(value);
    object
}

/// `object` with this status.
fn with_status(mut object: Value, status: Value) -> Value {
    object["status"] = status;
    object
}

/// `value` with the fields of `changes` in place of its own; `null` removes a field.
fn with(mut value: Value, changes: Value) -> Value {
    json_patch::merge(&mut value, &json!({"spec": changes}));
    value
}

fn world(objects: &[Value]) -> World {
    let mut world = World::default();
    for object in objects {
        let kind = by_name(object["kind"].as_str().unwrap()).unwrap();
        world.insert((kind.store)(object.clone()).unwrap());
    }
    world
}

/// What most objects refer to.
fn bar() -> Vec<Value> {
    vec![profile(), address(), card(), account("dev"), product("none")]
}

fn account(environment: &str) -> Value {
    let spec = json!({"environment": environment, "tokenSecretRef": {"name": "terminal", "key": "token"}});
    object("TerminalAccount", "default", spec)
}

fn product(subscription: &str) -> Value {
    let variants = json!([{"id": VARIANT, "name": "12oz", "price": 2200}]);
    let spec = json!({"account": "default", "productId": "prd_1", "name": "cron",
                      "subscription": subscription, "variants": variants});
    object("CoffeeProduct", "default-prd-1", spec)
}

fn profile() -> Value {
    object("CoffeeProfile", "ada", json!({"email": "ada@example.com", "name": "Ada"}))
}

fn address() -> Value {
    object("CoffeeAddress", "home", home())
}

fn home() -> Value {
    json!({"name": "Ada", "street1": "1 Main St", "city": "Miami", "province": "FL", "zip": "33101", "country": "US"})
}

fn card() -> Value {
    object("CoffeeCard", "visa", json!({"cardTokenSecretRef": {"name": "cards", "key": "visa"}}))
}

const VARIANT: &str = "var_01J1JFDMNBXB5GJCQF6C3AEBCQ";

fn order() -> Value {
    let spec = json!({"productVariantId": VARIANT, "profileRef": {"name": "ada"},
                      "addressRef": {"name": "home"}, "cardRef": {"name": "visa"}});
    object("CoffeeOrder", "monday", spec)
}

fn subscription() -> Value {
    with(
        with(order_as("CoffeeSubscription"), json!({"schedule": {"type": "weekly", "interval": 2}})),
        json!({"quantity": 1}),
    )
}

fn order_as(kind: &str) -> Value {
    object(kind, "weekly", order()["spec"].clone())
}

fn cart() -> Value {
    let spec = json!({"items": [{"productVariantId": VARIANT, "quantity": 1}],
                      "addressRef": {"name": "home"}, "cardRef": {"name": "visa"}});
    object("CoffeeCart", "basket", spec)
}

fn evaluate_with(
    settings: Settings,
    lookup: &dyn Lookup,
    operation: Operation,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Evaluation {
    let subject = object.or(old).unwrap();
    let kind = by_name(subject["kind"].as_str().unwrap()).unwrap();
    let (object, old) = (object.map(Value::to_string), old.map(Value::to_string));
    let (object, old) = (object.as_deref().map(Raw::from), old.as_deref().map(Raw::from));
    let request = Request {
        stage: Stage::Validate,
        operation,
        namespace: subject["metadata"]["namespace"].as_str().unwrap(),
        user: None,
        object: object.as_ref(),
        old: old.as_ref(),
    };
    let settings = crate::group::Settings { coffee: settings, ..Default::default() };
    let context = Context { lookup, enforcement: &Enforcement::default(), settings: &settings };
    (kind.evaluate)(&request, &context)
}

/// What came of a request: `- rule field` for each denial, `~ rule field` for each warning.
fn told(evaluation: &Evaluation) -> Vec<String> {
    let line = |mark: &str, one: &crate::admission::problem::Problem| {
        let rule = one.rule.id.trim_start_matches("coffee.");
        format!("{mark} {rule} {}", one.field)
    };
    let denials = evaluation.denials.iter().map(|one| line("-", one));
    denials.chain(evaluation.warnings.iter().map(|one| line("~", one))).collect()
}

/// The creation of `object` among `around`.
fn create_among(around: &[Value], object: &Value) -> Evaluation {
    evaluate_with(Settings::default(), &world(around), Operation::Create, Some(object), None)
}

#[track_caller]
fn expect(evaluation: &Evaluation, expected: &[&str]) {
    assert_eq!(told(evaluation), expected, "{:#?} {:#?}", evaluation.denials, evaluation.warnings);
}

/// The creation of `object` in the bar is told so.
#[track_caller]
fn create(object: &Value, expected: &[&str]) {
    expect(&create_among(&bar(), object), expected);
}

/// The update of `old` to `object` in the bar is told so.
#[track_caller]
fn update(old: &Value, object: &Value, expected: &[&str]) {
    let mut around = bar();
    around.retain(|one| one["kind"] != old["kind"] || one["metadata"]["name"] != old["metadata"]["name"]);
    around.push(old.clone());
    let found =
        evaluate_with(Settings::default(), &world(&around), Operation::Update, Some(object), Some(old));
    expect(&found, expected);
}

/// The deletion of `old` among `around` is told so.
#[track_caller]
fn delete_among(around: &[Value], old: &Value, expected: &[&str]) {
    expect(&evaluate_with(Settings::default(), &world(around), Operation::Delete, None, Some(old)), expected);
}
