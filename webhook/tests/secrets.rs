//! What kinds declare as fields that may hold a secret is repeated by nothing that is said about an object.

#![allow(clippy::unwrap_used, reason = "a test that can't read the fixtures fails")]

use std::collections::{BTreeMap, BTreeSet};

use concierge_shared::kind::KINDS;
use concierge_webhook::check::fixture::Fixture;
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
/// Found nowhere else.
const MARK: &str = "s3cr3tMARK";

/// Values in which somebody hides a secret, well formed and not.
const SECRETS: [&str; 6] = [
    "s3cr3tMARK",
    "tok_s3cr3tMARK",
    "tok s3cr3tMARK",
    "https://jane:s3cr3tMARK@example.com/v3",
    "jane:s3cr3tMARK@example.com",
    "https://example.com/?key=s3cr3tMARK#s3cr3tMARK",
];

/// Puts `value` where `path`, such as `spec.items[].token` or `spec.maps{}.token`, leads; makes what is missing on the way.
fn put(object: &mut Value, path: &str, value: &Value) {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, map) = name.strip_suffix("{}").map_or((name, false), |name| (name, true));
    let (name, list) = name.strip_suffix("[]").map_or((name, false), |name| (name, true));
    if object.is_null() {
        *object = json!({});
    }
    let mut inner = &mut object[name];
    if list {
        if inner.as_array().is_none_or(Vec::is_empty) {
            *inner = json!([null]);
        }
        inner = &mut inner[0];
    }
    if map {
        if inner.as_object().is_none_or(|fields| fields.is_empty()) {
            *inner = json!({"any": {}});
        }
        let first = inner.as_object().and_then(|fields| fields.keys().next().cloned());
        inner = &mut inner[first.unwrap_or_default()];
    }
    if rest.is_empty() {
        *inner = value.clone();
    } else {
        put(inner, rest, value);
    }
}

/// Tries every secret in every place for one, each in one of `every` fixtures of its kind.
fn nothing_said_repeats_a_secret(every: usize) {
    let values: Vec<_> =
        SECRETS.iter().map(|text| json!(text)).chain([json!([MARK]), json!({ MARK: MARK })]).collect();
    let (mut seen, mut tried, mut trials) = (BTreeMap::<_, usize>::new(), BTreeSet::new(), 0);
    for fixture in Fixture::load_all(FIXTURES).unwrap().into_iter().filter(|fixture| fixture.object.is_some())
    {
        let turn = seen.entry(fixture.kind.name).or_default();
        *turn += 1;
        let places = fixture
            .kind
            .secret_fields
            .iter()
            .flat_map(|field| values.iter().map(move |value| (field, value)));
        for (nth, (field, value)) in places.enumerate().skip(*turn % every).step_by(every) {
            let mut changed = fixture.clone();
            // Not the stored one: an update that changes nothing is not looked at.
            changed.object.iter_mut().for_each(|object| put(object, field, value));
            let found = changed.evaluate();
            for problem in found.denials.iter().chain(&found.warnings).chain(&found.unresolved) {
                let text = format!("{}: {}", problem.field, problem.message);
                assert!(!text.contains(MARK), "{}: {text}", fixture.path.display());
            }
            tried.insert((fixture.kind.name, nth));
            trials += 1;
        }
    }
    let all: usize = KINDS.iter().map(|kind| kind.secret_fields.len() * values.len()).sum();
    println!("{trials} objects with a secret; make soak tries each place of each object");
    assert!(all > 100, "{all} secrets in their places");
    assert_eq!(tried.len(), all, "each was tried in some object");
}

/// A sample: a fixture tries a quarter of them, and the next of its kind the next quarter.
#[test]
fn what_is_said_about_an_object_repeats_none_of_its_secrets() {
    nothing_said_repeats_a_secret(4);
}

#[test]
#[ignore = "soak"]
fn what_is_said_about_any_object_repeats_none_of_its_secrets() {
    nothing_said_repeats_a_secret(1);
}

/// The API server repeats the value that a rule of its own field's schema refuses.
#[test]
fn the_schema_of_a_secret_field_has_no_rule_that_would_repeat_it() {
    let mut seen = 0;
    for kind in KINDS {
        let crd = serde_json::to_value((kind.crd)()).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for field in kind.secret_fields {
            let inner = |schema: &Value, name: &str| {
                let found = &schema["properties"][name.trim_end_matches(['[', ']', '{', '}'])];
                match name {
                    _ if name.ends_with("[]") => found["items"].clone(),
                    _ if name.ends_with("{}") => found["additionalProperties"].clone(),
                    _ => found.clone(),
                }
            };
            let found = field.split('.').fold(schema.clone(), |schema, name| inner(&schema, name));
            for rule in ["pattern", "enum", "format", "x-kubernetes-validations"] {
                assert!(
                    found[rule].is_null(),
                    "{field} of {kind:?} has a {rule}; put it on the object around it"
                );
            }
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} fields");
}
