//! Reading by brackets against reading by serde: the same fields and the same verdict for every review, and for what is
//! no valid review the same or a stricter answer, but for `DIFFERENCES`.

mod fuzz;

use proptest::{collection::vec, option, prelude::*, sample};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal, Subject},
    envelope::{Envelope, Operation, parse, parse_with_serde},
    lookup::World,
    object::Raw,
    quick,
    review::{Context, Evaluation, Request, Stage},
    rule::Enforcement,
};
use crate::{group::Settings, kind::by_name};

/// What the two differ in: a review that serde can't read, what is wrong with it, the answer now, and why that may be.
/// None of them can come from the API server, which writes JSON by itself.
const DIFFERENCES: [(&str, Base, &str, &str, bool, &str); 15] = [
    (
        "managedFields is no JSON",
        Base::Create,
        r#""managedFields":[]"#,
        r#""managedFields":[{"a" 1}]"#,
        true,
        UNREAD,
    ),
    (
        "brackets of two kinds",
        Base::Create,
        r#""managedFields":[]"#,
        r#""managedFields":[{"a":[}]]"#,
        true,
        UNREAD,
    ),
    ("a raw control character", Base::Create, r#""generation":1"#, "\"generation\":\"\n\"", true, UNREAD),
    ("an escape that is none", Base::Create, r#""generation":1"#, r#""generation":"\x""#, true, UNREAD),
    ("a number that is none", Base::Create, r#""generation":1"#, r#""generation":1-1"#, true, UNREAD),
    ("options are no JSON", Base::Create, r#""options":{}"#, r#""options":{:}"#, true, UNREAD),
    (
        "an annotation of others is no text",
        Base::Create,
        r#""example.com/a":"b""#,
        r#""example.com/a":"\x""#,
        true,
        UNREAD,
    ),
    (
        "a spec is no JSON",
        Base::Create,
        r#""spec":{"#,
        r#""spec":{,"#,
        false,
        "it is decoded, and that fails",
    ),
    (
        "the same wrong spec twice",
        Base::Same,
        r#""spec":{"#,
        r#""spec":{,"#,
        true,
        "nothing changes that rules read",
    ),
    (
        "the spec of what is being deleted is no JSON",
        Base::Going,
        r#""spec":{"#,
        r#""spec":{,"#,
        true,
        "nothing holds a deletion up",
    ),
    (
        "the spec of what is to be deleted is no JSON",
        Base::Delete,
        r#""spec":{"#,
        r#""spec":{,"#,
        true,
        NOT_STORED,
    ),
    (
        "the stored spec is no JSON",
        Base::Change,
        r#""name":"Rex""#,
        r#""name":"Rex","x" 1"#,
        true,
        NOT_STORED,
    ),
    ("the stored status is no JSON", Base::Change, r#""status":{"#, r#""status":{,"#, true, UNREAD),
    ("a kind of others", Base::OfOthers, r#""spec":{"#, r#""spec":{,"#, true, "no rule is about it"),
    ("a label of others is no text", Base::Create, r#""app":"zoo""#, r#""app":"\x""#, true, UNREAD),
];
const UNREAD: &str = "no rule reads it";
/// All rules apply to what takes its place; only those that compare with it have nothing to say.
const NOT_STORED: &str = "the API server sends what it has stored, so it counts as absent";

/// A review to be spoilt.
#[derive(Clone, Copy)]
enum Base {
    Create,
    /// An update that changes nothing.
    Same,
    /// An update of an object that is being deleted.
    Going,
    Delete,
    /// An update that changes the spec.
    Change,
    /// A create of an object that is not ours.
    OfOthers,
}

impl Base {
    fn body(self) -> String {
        let mut object = json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet", "spec": {"id": 1, "name": "Rex"},
            "metadata": {"name": "rex", "namespace": "zoo", "uid": "u-2", "generation": 1, "managedFields": [],
                         "labels": {"app": "zoo"},
                         "annotations": {"example.com/a": "b", "concierge.dev/resync": "1h"}},
        });
        let mut old = object.clone();
        let review = match self {
            Self::Create => review("CREATE", &object, &Value::Null),
            Self::Same => review("UPDATE", &object, &old),
            Self::Going => {
                object["metadata"]["deletionTimestamp"] = json!("2026-03-01T09:00:00Z");
                object["spec"]["name"] = json!("Max");
                review("UPDATE", &object, &old)
            }
            Self::Delete => review("DELETE", &Value::Null, &old),
            Self::Change => {
                object["spec"]["name"] = json!("Max");
                old["status"] = json!({"phase": "Active"});
                review("UPDATE", &object, &old)
            }
            Self::OfOthers => {
                let mut review = review("CREATE", &object, &Value::Null);
                review["request"]["kind"]["kind"] = json!("Cat");
                review
            }
        };
        review.to_string()
    }
}

fn review(operation: &str, object: &Value, old: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u-1", "operation": operation, "name": "rex", "namespace": "zoo", "options": {}, "dryRun": false,
        "kind": {"group": "petstore.example.com", "version": "v1", "kind": "Pet"},
        "userInfo": {"username": "ann", "uid": "1", "groups": ["a", "b\n"], "extra": {"k": ["v"]}},
        "object": object, "oldObject": old,
    }})
}

fn evaluate(envelope: &Envelope<'_>, stage: Stage) -> Option<Evaluation> {
    let request = Request {
        stage,
        operation: Operation::from(&*envelope.operation),
        namespace: &envelope.namespace,
        user: Some(&envelope.user_info),
        object: envelope.object.as_ref(),
        old: envelope.old_object.as_ref(),
    };
    let (enforcement, settings) = (Enforcement::default(), Settings::default());
    let context = Context { lookup: &World::default(), enforcement: &enforcement, settings: &settings };
    Some((by_name(&envelope.kind.kind)?.evaluate)(&request, &context))
}

/// Whether the review is admitted; as the door answers it, without the caches.
fn admits(envelope: &Envelope<'_>) -> bool {
    evaluate(envelope, Stage::Validate).is_none_or(|evaluation| evaluation.denials.is_empty())
}

/// The two answers to the review.
fn answers(envelope: &Envelope<'_>) -> Vec<String> {
    let of = |stage| {
        let Evaluation { denials, warnings, patch, claims, unresolved, .. } = evaluate(envelope, stage)?;
        let subject = Subject { group: "g", kind: "k", name: &envelope.name };
        let answer = match denials.is_empty() {
            true => Answer::patched(&*envelope.uid, &patch, &warnings),
            false => Answer::refused(&*envelope.uid, subject, Refusal::Invalid, &denials, &warnings),
        };
        let json = String::from_utf8_lossy(&answer.to_json()).into_owned();
        Some(format!("{json} {claims:?} {unresolved:?}"))
    };
    [Stage::Mutate, Stage::Validate].into_iter().filter_map(of).collect()
}

/// Reads `body` in both ways, and the objects a third time, each by itself and whole.
fn compare(body: &[u8]) -> Result<(), TestCaseError> {
    let Some(quick) = quick::review(body) else { return Ok(()) };
    match parse_with_serde(body) {
        Ok(slow) => {
            prop_assert_eq!(format!("{quick:?}"), format!("{slow:?}"));
            let json: Value = serde_json::from_slice(body).unwrap();
            let alone =
                |name: &str| Some(&json["request"][name]).filter(|it| !it.is_null()).map(Value::to_string);
            let (object, old) = (alone("object"), alone("oldObject"));
            let object = object.as_deref().map(Raw::from);
            let old_object = old.as_deref().map(Raw::from);
            prop_assert_eq!(answers(&quick), answers(&Envelope { object, old_object, ..slow }));
        }
        Err(_) if admits(&quick) => check_reason(&quick, body)?,
        Err(_) => {}
    }
    Ok(())
}

/// What is admitted although serde can't read it has nothing wrong in what rules read: without the rest, serde reads it.
fn check_reason(quick: &Envelope<'_>, body: &[u8]) -> Result<(), TestCaseError> {
    let same = quick.object.as_ref().zip(quick.old_object.as_ref());
    let unread_spec = same.is_some_and(|(new, old)| new.spec_alone() == old.spec_alone());
    let readable =
        |object: &Raw<'_>| unread_spec || serde_json::from_str::<Value>(&object.spec_alone()).is_ok();
    let fine = match &*quick.operation {
        "CREATE" | "UPDATE" => quick.object.as_ref().is_none_or(|new| new.terminating() || readable(new)),
        _ => true,
    };
    let fine = fine || by_name(&quick.kind.kind).is_none();
    prop_assert!(fine, "{}", String::from_utf8_lossy(body));
    Ok(())
}

/// Texts as they come and as nobody expects them.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9./-]{0,20}",
        "[\\PC\"\\\\\n\t]{0,12}",
        Just("a\\\\\"b".repeat(20)),
        "[ a-zA-Z]{60,140}"
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((text(), inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Most of the time what belongs there.
fn mostly(usual: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    prop_oneof![9 => usual, 1 => anything()]
}

fn texts_by_key() -> impl Strategy<Value = Value> {
    const KNOWN: [&str; 4] =
        ["concierge.dev/resync", "concierge.dev/delete-in-use", "petstore.example.com/store", "app"];
    let key = prop_oneof![sample::select(&KNOWN[..]).prop_map(str::to_owned), text()];
    let value = prop_oneof![Just("true".to_owned()), Just("1s".to_owned()), text()];
    mostly(
        vec((key, mostly(value.prop_map(Value::from))), 0..6)
            .prop_map(|all| Value::Object(all.into_iter().collect())),
    )
}

fn object() -> impl Strategy<Value = Value> {
    let metadata = (
        mostly(text().prop_map(Value::from)),
        option::of(texts_by_key()),
        option::of(texts_by_key()),
        option::of(mostly(Just(json!("2026-02-01T09:00:00Z")))),
        option::of(mostly(Just(json!("2026-03-01T09:00:00Z")))),
        anything(),
    );
    let metadata = metadata.prop_map(|(name, labels, annotations, creation, deletion, managed)| {
        let mut all = json!({"name": name, "namespace": "zoo", "uid": "u-2", "managedFields": managed});
        let times = [("creationTimestamp", creation), ("deletionTimestamp", deletion)];
        let parts = [("labels", labels), ("annotations", annotations)].into_iter().chain(times);
        for (key, part) in parts {
            part.into_iter().for_each(|part| all[key] = part);
        }
        all
    });
    let spec = (any::<u32>(), text(), option::of(text()), option::of(anything())).prop_map(
        |(id, name, tag, more)| {
            let mut spec = json!({"id": id, "name": name});
            tag.into_iter().for_each(|tag| spec["tag"] = tag.into());
            more.into_iter().for_each(|more| spec["more"] = more);
            spec
        },
    );
    let parts = (mostly(metadata), mostly(spec), option::of(anything()));
    parts.prop_map(|(metadata, spec, status)| {
        let mut object = json!({"kind": "Pet", "metadata": metadata, "spec": spec});
        status.into_iter().for_each(|status| object["status"] = status);
        object
    })
}

fn reviews() -> impl Strategy<Value = String> {
    let parts = (mostly(object()), mostly(object()), any::<bool>(), option::of((0..12_usize, anything())));
    let operation = sample::select(&["CREATE", "UPDATE", "DELETE", "CONNECT"][..]);
    (operation, parts, any::<bool>()).prop_map(|(operation, (object, old, same, strange), pretty)| {
        let old = if same { object.clone() } else { old };
        let (object, old) = match operation {
            "CREATE" => (object, Value::Null),
            "DELETE" => (Value::Null, old),
            _ => (object, old),
        };
        let mut review = review(operation, &object, &old);
        let fields = review["request"].as_object_mut().unwrap();
        if let Some((place, strange)) = strange
            && let Some((_, field)) = fields.iter_mut().nth(place)
        {
            *field = strange;
        }
        if pretty { serde_json::to_string_pretty(&review).unwrap() } else { review.to_string() }
    })
}

/// Changes of single bytes: one is put in, taken out, replaced, repeated, or everything behind it is cut off.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let bytes = *b"{}[]\",:\\ntfu0-e \n\x00\xff'/";
    let change = (any::<sample::Index>(), 0..6_u8, sample::select(bytes.to_vec()));
    (reviews(), vec(change, 0..4)).prop_map(|(text, changes)| {
        let mut body = text.into_bytes();
        for (place, how, byte) in changes {
            if body.is_empty() {
                break;
            }
            let at = place.index(body.len());
            match how {
                0 => body.insert(at, byte),
                1 => drop(body.remove(at)),
                2 => body[at] = byte,
                3 => body.truncate(at),
                4 => body = [&body[..at], b"\\u0061", &body[at..]].concat(),
                _ => {
                    let end = (at + 40).min(body.len());
                    body = [&body[..end], &body[at..]].concat();
                }
            }
        }
        body
    })
}

fn run(cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner.run(&reviews(), |body| compare(body.as_bytes())).unwrap();
    runner.run(&spoilt(), |body| compare(&body)).unwrap();
}

#[test]
fn reviews_are_read_as_serde_reads_them() {
    run(1_000);
}

#[test]
#[ignore = "soak"]
fn reviews_are_read_as_serde_reads_them_many_times() {
    let full = std::env::var_os("FULL").is_some_and(|full| !full.is_empty());
    run(if full { 200_000 } else { 8_000 });
}

/// Else nothing would be compared above.
#[test]
fn reviews_as_the_api_server_writes_them_are_read_quickly() {
    for base in [Base::Create, Base::Same] {
        assert!(quick::review(base.body().as_bytes()).is_some());
    }
}

#[test]
fn what_is_admitted_though_serde_cannot_read_it_is_named() {
    for (what, base, from, to, admitted, reason) in DIFFERENCES {
        let body = base.body();
        assert!(body.contains(from), "{what}");
        assert!(admits(&parse(body.as_bytes()).unwrap()), "{what}: {body}");
        let spoilt = body.replace(from, to);
        assert!(parse_with_serde(spoilt.as_bytes()).is_err(), "{what}: {spoilt}");
        let quick = parse(spoilt.as_bytes()).unwrap();
        assert_eq!(admits(&quick), admitted, "{what}: {reason}");
    }
}

/// What serde refuses and nobody may admit.
#[test]
fn what_rules_read_is_refused_when_it_is_malformed() {
    for (from, to) in [
        (r#""uid":"u-1""#, r#""uid":1"#),
        (r#""uid":"u-1""#, r#""uid":"u-1","uid":"u-2""#),
        (r#""operation":"CREATE""#, r#""operation":"CREATE","operation":"CONNECT""#),
        (r#""username":"ann""#, r#""username":["ann"]"#),
        (r#""dryRun":false"#, r#""dryRun":0"#),
        (r#""name":"rex","namespace":"zoo","uid":"u-2""#, r#""name":"\x","namespace":"zoo","uid":"u-2""#),
        (r#"resync":"1h""#, r#"resync":"\x""#),
        (r#""concierge.dev/resync":"1h""#, r#""concierge.dev/resync":1"#),
        (r#""example.com/a":"b""#, r#""example.com/a":1"#),
        (r#""spec":{"id":1"#, r#""spec":{"id":1,"id":2"#),
        (r#""spec":{"#, r#""spec":{},"spec":{"#),
        (r#""request":{"#, r#""request":{,"#),
    ] {
        let body = Base::Create.body().replace(from, to);
        assert_ne!(body, Base::Create.body(), "{from}");
        let admitted = parse(body.as_bytes()).is_ok_and(|envelope| admits(&envelope));
        assert!(!admitted, "{to}");
    }
    for cut in 0..Base::Create.body().len() {
        assert!(parse(&Base::Create.body().as_bytes()[..cut]).is_err(), "{cut}");
    }
}
