//! The API server asks to have defaults filled in exactly when there are some.
#![allow(clippy::unwrap_used, clippy::panic)] // also in what tests call

use std::collections::HashMap;

use concierge_shared::{
    admission::{
        envelope::Operation,
        lookup::Nothing,
        object::Raw,
        review::{Context, Request, Stage},
        rule::Enforcement,
    },
    group::Settings,
    kind::{KINDS, KindInfo},
};
use concierge_webhook::{
    check::fixture::Fixture,
    manifests::{Names, Part, objects},
};
use kube_cel::{
    KubeCelExt,
    cel::{Context as Variables, Program, Value as CelValue},
};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");

/// The match condition that is about defaults.
fn condition() -> Program {
    let webhooks = objects(Some(Part::Webhook), &Names::default()).unwrap();
    let mutating = webhooks.iter().find(|it| it["kind"] == "MutatingWebhookConfiguration").unwrap();
    let conditions = mutating["webhooks"][0]["matchConditions"].as_array().unwrap();
    let found = conditions.iter().find(|it| it["name"] == "something-to-fill-in").unwrap();
    Program::compile(found["expression"].as_str().unwrap()).unwrap()
}

/// Whether the API server calls for a new object.
fn is_called(condition: &Program, kind: &KindInfo, object: &Value) -> bool {
    let request = json!({
        "operation": "CREATE",
        "kind": {"group": (kind.group)(), "version": (kind.version)(), "kind": kind.name},
    });
    thread_local!(static FUNCTIONS: Variables<'static> = Variables::default().with_all());
    FUNCTIONS.with(|functions| called(condition, functions.new_inner_scope(), request, object))
}

fn called(condition: &Program, mut variables: Variables<'_>, request: Value, object: &Value) -> bool {
    variables.add_variable("request", request).unwrap();
    variables.add_variable("object", object).unwrap();
    match condition.execute(&variables) {
        Ok(CelValue::Bool(called)) => called,
        // The failure policy is Ignore.
        Err(_) => false,
        Ok(other) => panic!("{other:?}"),
    }
}

/// Whether the mutating call changes it; nothing when it is no object of the kind.
fn is_changed(kind: &KindInfo, object: &Value) -> Option<bool> {
    (kind.store)(object.clone()).ok()?;
    let json = object.to_string();
    let request = Request {
        stage: Stage::Mutate,
        operation: Operation::Create,
        namespace: "zoo",
        user: None,
        object: Some(&Raw::from(&*json)),
        old: None,
    };
    let (enforcement, settings) = (Enforcement::default(), Settings::default());
    let context = Context { lookup: &Nothing, enforcement: &enforcement, settings: &settings };
    Some(!(kind.evaluate)(&request, &context).patch.is_empty())
}

/// The places in `value`, each as a JSON pointer. Of a list those of its first and last item, since all items are alike.
fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let inner: Vec<_> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            let last = items.len().saturating_sub(1);
            let ends = items.iter().enumerate().filter(|(index, _)| *index == 0 || *index == last);
            ends.map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in inner {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        places(value, &pointer, found);
        found.push(pointer);
    }
}

/// What can become of a value in an object: it goes, it is nothing, or a text has another shape.
fn others(value: &Value) -> Vec<Option<Value>> {
    let mut others = vec![None, Some(Value::Null)];
    if let Some(text) = value.as_str() {
        let texts =
            [format!(" {text}"), format!("{text}\t"), format!("\u{a0}{text}\u{3000}"), text.to_lowercase()];
        others.extend(texts.into_iter().chain([String::new(), "ß".into()]).map(|text| Some(text.into())));
    }
    others
}

/// `object`, and as it is with one place changed: one of `every` such changes.
fn variants(object: &Value, every: usize) -> impl Iterator<Item = Value> {
    let mut found = Vec::new();
    places(&object["spec"], "/spec", &mut found);
    let of_place = |pointer: String| {
        let others = others(object.pointer(&pointer).unwrap());
        others.into_iter().map(move |other| (pointer.clone(), other))
    };
    let changes: Vec<_> = found.into_iter().flat_map(of_place).step_by(every).collect();
    let changed = changes.into_iter().map(|(pointer, other)| changed(object, &pointer, other));
    std::iter::once(object.clone()).chain(changed)
}

fn changed(object: &Value, pointer: &str, other: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let mut changed = object.clone();
    match (changed.pointer_mut(parent).unwrap(), other) {
        (Value::Object(fields), None) => drop(fields.remove(name)),
        (Value::Array(items), None) => drop(items.remove(name.parse().unwrap())),
        (Value::Object(fields), Some(other)) => drop(fields.insert(name.to_owned(), other)),
        (Value::Array(items), Some(other)) => items[name.parse::<usize>().unwrap()] = other,
        _ => unreachable!("a place has a parent"),
    }
    changed
}

/// As the API server sees it, with the defaults of its schema, and as it is written.
fn as_seen(fixture: &Fixture, schemas: &HashMap<&str, Value>) -> Option<[Value; 2]> {
    let mut object = fixture.object.clone()?;
    object.as_object_mut().unwrap().remove("status");
    let mut complete = object.clone();
    complete["spec"] = kube_cel::apply_defaults(&schemas[fixture.kind.name], &complete)["spec"].take();
    Some([object, complete])
}

fn schema(kind: &KindInfo) -> Value {
    let schema = (kind.crd)().spec.versions.remove(0).schema.unwrap().open_api_v3_schema.unwrap();
    serde_json::to_value(schema).unwrap()
}

/// All fixtures' objects, and one of `every` variants of each.
fn asks_exactly_when_there_are_some(every: usize) {
    let condition = condition();
    let schemas = KINDS.iter().map(|kind| (kind.name, schema(kind))).collect();
    let (mut asked, mut spared) = (0, 0);
    for fixture in Fixture::load_all(FIXTURES).unwrap() {
        let objects = as_seen(&fixture, &schemas);
        for variant in objects.iter().flatten().flat_map(|object| variants(object, every)) {
            let Some(changed) = is_changed(fixture.kind, &variant) else { continue };
            let called = is_called(&condition, fixture.kind, &variant);
            assert_eq!(called, changed, "{}\n{variant}", fixture.path.display());
            *(if changed { &mut asked } else { &mut spared }) += 1;
        }
    }
    println!("{asked} objects with something to fill in, {spared} without");
    assert!(asked > 100 && spared > 100, "{asked} calls, {spared} without");
}

/// A sample: one variant of fifty.
#[test]
fn the_api_server_asks_for_defaults_exactly_when_there_are_some() {
    asks_exactly_when_there_are_some(50);
}

#[test]
#[ignore = "soak"]
fn the_api_server_asks_for_defaults_exactly_when_any_field_lacks_one() {
    asks_exactly_when_there_are_some(1);
}

/// The status of a new object is gone before the validating call.
#[test]
fn a_new_object_with_a_status_is_asked_about_so_that_its_author_is_warned() {
    let condition = condition();
    for kind in KINDS {
        assert!(is_called(&condition, kind, &json!({"metadata": {}, "spec": {}, "status": {}})), "{kind:?}");
    }
}

/// What the API server would spend on looking through a list that is longer than its schema allows is not spent.
#[test]
fn a_list_that_is_too_long_is_not_looked_through() {
    let condition = condition();
    let store = KINDS.iter().find(|kind| kind.name == "PetStore").unwrap();
    let full = json!({
        "name": "Shop", "endpoints": {"version": "v1"}, "security": {"requireAuthentication": true},
        "config": {"maxPets": 1, "defaultLimit": 1, "enablePagination": true, "allowedTags": vec!["cat"; 1000]},
    });
    let mut object = json!({"metadata": {}, "spec": full});
    assert!(!is_called(&condition, store, &object));
    object["spec"]["config"]["allowedTags"] = json!(vec!["cat"; 1001]);
    assert!(is_called(&condition, store, &object));
}
