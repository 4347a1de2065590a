//! What holds for whatever JSON comes in.

use proptest::prelude::*;

use super::*;
use crate::{
    admission::{
        defaults::{Defaulted, apply},
        lookup::Nothing,
    },
    common::card_number::has_card_number,
    kind::{Kind, Visitor, visit_kinds},
};

/// Field names of this group's specs, so that arbitrary objects come near to ours.
const FIELDS: &[&str] = &[
    "productVariantId",
    "quantity",
    "profileRef",
    "addressRef",
    "cardRef",
    "accountRef",
    "name",
    "namespace",
    "address",
    "card",
    "cardToken",
    "cardTokenSecretRef",
    "key",
    "description",
    "notes",
    "priority",
    "scheduling",
    "deliveryWindow",
    "street1",
    "street2",
    "city",
    "province",
    "state",
    "zip",
    "country",
    "phone",
    "email",
    "items",
    "convertToOrder",
    "schedule",
    "type",
    "interval",
    "redirectUri",
    "environment",
    "baseUrl",
    "tokenSecretRef",
    "account",
    "productId",
    "variants",
    "subscription",
    "id",
    "price",
];

/// Values that rules look for.
const TEXTS: &[&str] = &[
    "",
    " ",
    "us",
    " US ",
    "GB",
    "33101",
    "tok_visa",
    "4242 4242 4242 4242",
    "var_1",
    VARIANT,
    "Standard",
    "morning",
    "weekly",
    "fixed",
    "monthly",
    "dev",
    "production",
    "https://a/b",
    "http://[::1",
    "a@b",
    "home",
    "../x",
    "\u{0}",
    "ﬁ\u{301}",
    "٣",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(TEXTS).prop_map(Value::from),
        ".{0,24}".prop_map(Value::from),
    ]
}

/// Objects of our fields. Lists are only where we have lists: the API server lets nothing else through to the
/// rules, though our own types would take a list of a struct's fields for the struct.
fn anything() -> impl Strategy<Value = Value> {
    let object = |inner| proptest::collection::hash_map(proptest::sample::select(FIELDS), inner, 0..10);
    let with_lists = |fields: std::collections::HashMap<&'static str, Value>| {
        let listed = |(name, value): (&'static str, Value)| match name {
            "items" | "variants" => (name, json!([value])),
            _ => (name, value),
        };
        json!(fields.into_iter().map(listed).collect::<std::collections::HashMap<_, _>>())
    };
    let value = scalar().prop_recursive(3, 32, 10, move |inner| object(inner).prop_map(with_lists));
    object(value.boxed()).prop_map(with_lists)
}

/// Objects of ours, a few of their fields set to anything.
fn ours() -> impl Strategy<Value = Value> {
    let models =
        [profile(), address(), card(), order(), subscription(), cart(), account("dev"), product("none")];
    let others = [
        object("TerminalToken", "t", json!({"description": "d"})),
        object("CoffeeApp", "a", json!({"name": " a ", "redirectUri": "https://a"})),
        with(order(), json!({"addressRef": null, "address": home(), "scheduling": {}})),
    ];
    let models: Vec<_> = models.into_iter().chain(others).collect();
    let changes = proptest::collection::hash_map(proptest::sample::select(FIELDS), scalar(), 0..3);
    (proptest::sample::select(models), changes).prop_map(|(model, changes)| with(model, json!(changes)))
}

/// Defaults an object of the kind it says it is; what must hold of that.
struct Defaulting<'a>(&'a Value);

impl Visitor for Defaulting<'_> {
    fn visit<K: Kind>(&mut self) {
        if self.0["kind"] != K::NAME {
            return;
        }
        let raw = self.0.to_string();
        let Ok(object) = Raw::from(&*raw).decode::<K>() else { return };
        let (once, patch) = Defaulted::new(object);
        let patched = apply(&raw, &patch).unwrap();
        let again = Raw::from(&*patched.to_string()).decode::<K>().unwrap();
        assert!(again.spec() == once.spec(), "the patch makes what defaulting made: {patched}");
        assert!(Defaulted::new(again).1.is_empty(), "twice is once: {patched}");
    }
}

proptest! {
    #[test]
    fn rules_never_panic_and_defaults_are_stable(object in ours(), anything in anything(), old in ours()) {
        visit_kinds(&mut Defaulting(&object));
        let mut strange = object.clone();
        strange["spec"] = anything;
        visit_kinds(&mut Defaulting(&strange));
        let around = world(&bar());
        for lookup in [&around as &dyn Lookup, &Nothing] {
            for one in [&object, &strange] {
                evaluate_with(Settings::default(), lookup, Operation::Create, Some(one), None);
                evaluate_with(Settings::default(), lookup, Operation::Delete, None, Some(one));
                if old["kind"] == one["kind"] {
                    evaluate_with(Settings::default(), lookup, Operation::Update, Some(one), Some(&old));
                }
            }
        }
    }

    #[test]
    fn a_card_number_is_found_between_any_words(before in "[a-z ,.]{0,9}", after in "[a-z ,.]{0,9}", dash in "[ -]?") {
        let number = ["4242", "4242", "4242", "4242"].join(&dash);
        let text = format!("{before}{number}{after}");
        prop_assert!(has_card_number(&text), "{}", text);
    }

    #[test]
    fn looking_for_card_numbers_never_panics(text in ".{0,64}") {
        has_card_number(&text);
    }
}
