use serde_json::{Value, json};

use super::*;
use crate::{
    admission::{
        envelope::{Operation, UserInfo},
        lookup::World,
        object::Raw,
        review::{Context, Evaluation, Request, Stage},
        rule::Enforcement,
    },
    group::Settings as AllSettings,
    kind::{Kind, by_name},
};

fn object(kind: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"name": name, "namespace": "lake", "uid": format!("uid-{name}")});
    json!({"apiVersion": "orasi.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn document(spec: Value) -> Value {
    object("Document", "hello", spec)
}

/// A Storage at this prefix, created in this minute.
fn storage(name: &str, prefix: &str, minute: usize) -> Value {
    let s3 = json!({"bucket": "acme-docs", "prefix": prefix, "region": "eu-central-1"});
    let mut storage = object("Storage", name, json!({"type": "S3", "s3": s3}));
    storage["metadata"]["creationTimestamp"] = json!(format!("2026-01-01T12:{minute:02}:00Z"));
    storage
}

/// Who asks for what, and under which settings.
struct Asked<'a> {
    settings: Settings,
    user: Option<UserInfo<'a>>,
    around: Vec<Value>,
}

impl Asked<'_> {
    fn nobody() -> Self {
        Self { settings: Settings::default(), user: None, around: Vec::new() }
    }

    fn evaluation(&self, object: &Value, old: Option<&Value>, operation: Operation) -> Evaluation {
        let kind = by_name(object["kind"].as_str().unwrap()).unwrap();
        let mut world = World::default();
        for one in &self.around {
            world.insert((by_name(one["kind"].as_str().unwrap()).unwrap().store)(one.clone()).unwrap());
        }
        let (object, old) = (object.to_string(), old.map(Value::to_string));
        let (object, old) = (Raw::from(&*object), old.as_deref().map(Raw::from));
        let request = Request {
            stage: Stage::Validate,
            operation,
            namespace: "lake",
            user: self.user.as_ref(),
            object: Some(&object),
            old: old.as_ref(),
        };
        let settings = AllSettings { orasi: self.settings.clone(), ..AllSettings::default() };
        let enforcement = Enforcement::default();
        let context = Context { lookup: &world, enforcement: &enforcement, settings: &settings };
        (kind.evaluate)(&request, &context)
    }

    fn denied(&self, object: &Value, old: Option<&Value>, operation: Operation) -> Vec<&'static str> {
        let evaluation = self.evaluation(object, old, operation);
        evaluation.denials.iter().map(|problem| problem.rule.id).collect()
    }
}

/// Jane, in one group or the other.
const WRITER: &str = r#"{"username": "jane", "groups": ["writers"]}"#;
const EDITOR: &str = r#"{"username": "jane", "groups": ["editors"]}"#;

fn user(json: &'static str) -> Option<UserInfo<'static>> {
    Some(serde_json::from_str(json).unwrap())
}

#[test]
fn a_document_in_a_cache_is_judged_by_the_length_of_its_content() {
    let mut cached: Document = serde_json::from_value(document(json!({"content": "words"}))).unwrap();
    cached.abridge();
    let cached = serde_json::to_value(cached).unwrap();
    assert!(!cached.to_string().contains("words"));
    let mut asked = Asked::nobody();
    assert!(asked.denied(&cached, None, Operation::Update).is_empty());
    asked.settings.max_content_bytes = 4;
    assert_eq!(asked.denied(&cached, None, Operation::Update), ["orasi.document.content-size"]);
}

#[test]
fn nobody_passes_for_a_cache() {
    let digest = "0".repeat(64);
    let forged = document(json!({"content": format!("\0sha256:{digest}:5")}));
    let stored = document(json!({"content": "hello"}));
    let mut asked = Asked::nobody();
    assert_eq!(asked.denied(&forged, None, Operation::Create), ["orasi.document.content"]);
    asked.user = user(WRITER);
    for old in [None, Some(&stored)] {
        assert_eq!(asked.denied(&forged, old, Operation::Update), ["orasi.document.content"]);
    }
}

#[test]
fn an_operator_says_how_long_a_content_may_be_below_the_cap() {
    let check = |bytes: usize, most: i64, expect: &[&str]| {
        // Two bytes each: bytes are counted, not characters.
        let document = document(json!({"content": "ä".repeat(bytes / 2)}));
        let settings = Settings { max_content_bytes: most, ..Settings::default() };
        let denied = Asked { settings, ..Asked::nobody() }.denied(&document, None, Operation::Create);
        assert_eq!(denied, expect, "{bytes} of {most}");
    };
    let usual = Settings::default().max_content_bytes;
    let too_long = ["orasi.document.content-size"];
    check(256 * 1024, usual, &[]);
    check(256 * 1024 + 2, usual, &too_long);
    check(1024 * 1024, i64::MAX, &[]);
    check(1024 * 1024 + 2, i64::MAX, &too_long);
}

#[test]
fn a_hidden_document_is_shown_again_by_whom_an_operator_names() {
    let hidden = document(json!({"content": "hello", "hidden": true}));
    let mut shown = hidden.clone();
    shown["spec"]["hidden"] = json!(false);
    let denied = |names: &[&str], user: Option<UserInfo<'static>>, now: &Value, old: &Value| {
        let document_unhiders = names.iter().map(|name| (*name).to_owned()).collect();
        let settings = Settings { document_unhiders, ..Settings::default() };
        Asked { settings, user, around: Vec::new() }.denied(now, Some(old), Operation::Update)
    };
    let unhide = ["orasi.document.unhide"];
    assert_eq!(denied(&["editors"], user(WRITER), &shown, &hidden), unhide);
    let mut unsaid = shown.clone();
    unsaid["spec"].as_object_mut().unwrap().remove("hidden");
    assert_eq!(denied(&["editors"], user(WRITER), &unsaid, &hidden), unhide, "by saying nothing");
    assert!(denied(&["editors"], user(EDITOR), &shown, &hidden).is_empty());
    assert!(denied(&["editors", "jane"], user(WRITER), &shown, &hidden).is_empty());
    assert!(denied(&["editors"], user(WRITER), &hidden, &shown).is_empty(), "hiding is for everybody");
    assert!(denied(&[], user(WRITER), &shown, &hidden).is_empty(), "nobody is named");
}

#[test]
fn of_two_storages_that_raced_into_each_other_the_older_is_used() {
    let (outer, inner) = (storage("outer", "team-a", 1), storage("inner", "team-a/docs", 0));
    let mut asked = Asked { around: vec![outer.clone(), inner.clone()], ..Asked::nobody() };
    let overlap = ["orasi.storage.overlap"];
    assert!(asked.denied(&inner, None, Operation::Update).is_empty(), "older");
    assert_eq!(asked.denied(&outer, None, Operation::Update), overlap, "younger");
    let mut moved = inner.clone();
    moved["spec"]["s3"]["prefix"] = json!("team-b");
    asked.around[1] = moved.clone();
    assert_eq!(
        asked.denied(&inner, Some(&moved), Operation::Update),
        overlap,
        "older, and elsewhere until now"
    );
    asked.around[1] = inner.clone();
    assert_eq!(asked.denied(&inner, None, Operation::Create), overlap, "whatever age it brings");
    let ageless = |of: &Value| {
        let mut of = of.clone();
        of["metadata"].as_object_mut().unwrap().remove("creationTimestamp");
        of
    };
    assert_eq!(asked.denied(&ageless(&inner), None, Operation::Update), overlap, "of no age, as in a file");
    asked.around[0] = ageless(&outer);
    assert_eq!(asked.denied(&inner, None, Operation::Update), overlap, "the other is of no age");
    assert_eq!(asked.denied(&ageless(&inner), None, Operation::Update), overlap, "neither has one");
}
