use std::collections::BTreeSet;

use regex::Regex;

use super::*;

/// Everything that the walk, the bounds, the types and the rules look at, and what says nothing about a value.
const EVALUATED: &[&str] = &[
    "type",
    "properties",
    "items",
    "additionalProperties",
    "required",
    "enum",
    "nullable",
    "default",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string",
    "x-kubernetes-map-type",
    "description",
    "title",
    "example",
    "externalDocs",
];

/// The API server takes the formats of numbers from their type alone.
const FORMATS: &[&str] =
    &["date-time", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "double", "float"];

#[test]
fn every_keyword_of_every_kind_is_evaluated() {
    for kind in KINDS {
        let mut unknown = BTreeSet::new();
        let mut schema = root_schema(kind);
        schema["properties"]["metadata"] = json!({});
        look(&schema, &mut unknown);
        assert!(unknown.is_empty(), "{}: {unknown:?}", kind.name);
    }
}

fn look(schema: &Value, unknown: &mut BTreeSet<String>) {
    for (key, value) in schema.as_object().into_iter().flatten() {
        match key.as_str() {
            "properties" => value.as_object().into_iter().flatten().for_each(|(_, one)| look(one, unknown)),
            "items" | "additionalProperties" | "not" => look(value, unknown),
            "allOf" | "anyOf" | "oneOf" => {
                value.as_array().into_iter().flatten().for_each(|one| look(one, unknown))
            }
            "format" if !FORMATS.contains(&value.as_str().unwrap_or_default()) => {
                unknown.insert(format!("format {value}"));
            }
            "pattern" if Regex::new(value.as_str().unwrap_or("(")).is_err() => {
                unknown.insert(format!("pattern {value}"));
            }
            key if !EVALUATED.contains(&key) => {
                unknown.insert(key.to_owned());
            }
            _ => {}
        }
    }
}

#[test]
fn every_rule_of_every_kind_compiles() {
    for kind in KINDS {
        let errors = schema_of(kind).rules.errors();
        assert!(errors.is_empty(), "{}: {errors:?}", kind.name);
    }
}

fn told(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<String> {
    let mut walk = Walk::new("Thing", None);
    walk.object(schema, value, old);
    let mut problems = walk.problems;
    problems.extend(cel::Rules::of(schema).check(value, old));
    problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
}

/// Schemas, each with a value that fits it, one that does not, and what is said of that.
fn keywords() -> Vec<(Value, Value, Value, &'static str)> {
    vec![
        (json!({"type": "integer", "minimum": 1}), json!(1), json!(0), "must be at least 1"),
        (json!({"type": "number", "maximum": 2.5}), json!(2.5), json!(2.6), "must be at most 2.5"),
        (
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            json!(2),
            json!(1),
            "must be more than 1",
        ),
        (json!({"type": "integer", "multipleOf": 5}), json!(10), json!(11), "must be a multiple of 5"),
        (json!({"type": "string", "minLength": 1}), json!("ä"), json!(""), "is empty; give it a value"),
        (
            json!({"type": "string", "maxLength": 2}),
            json!("äö"),
            json!("äöü"),
            "must be at most 2 characters long",
        ),
        (
            json!({"type": "string", "pattern": "^a+$"}),
            json!("aa"),
            json!("ab"),
            "must match the pattern ^a+$",
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            json!("2030-01-31T12:00:00Z"),
            json!("tomorrow"),
            "is no time; write it like 2030-01-31T12:00:00Z",
        ),
        (
            json!({"type": "string", "enum": ["a", "b"]}),
            json!("a"),
            json!("c"),
            "is not supported; use one of a, b",
        ),
        (
            json!({"type": "array", "items": {}, "maxItems": 1}),
            json!([1]),
            json!([1, 2]),
            "must have at most 1 item",
        ),
        (
            json!({"type": "object", "maxProperties": 1, "additionalProperties": {"type": "integer"}}),
            json!({"a": 1}),
            json!({"a": 1, "b": 2}),
            "must have at most 1 field",
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!("80%"),
            json!([]),
            "is a list; use a whole number or a text",
        ),
        (
            json!({"anyOf": [{"minimum": 5}, {"maximum": 1}]}),
            json!(7),
            json!(3),
            "fits none of the forms that its kind allows",
        ),
        (json!({"not": {"enum": [3]}}), json!(7), json!(3), "has a form that its kind forbids"),
        (
            json!({"type": "string", "x-kubernetes-validations": [{"rule": "self != 'b'", "message": "no b"}]}),
            json!("a"),
            json!("b"),
            "no b",
        ),
        (
            json!({"type": "string", "x-kubernetes-validations": [{"rule": "self != 'b'"}]}),
            json!("a"),
            json!("b"),
            "failed rule: self != 'b'",
        ),
    ]
}

#[test]
fn each_keyword_refuses_what_the_api_server_refuses() {
    for (schema, good, bad, message) in keywords() {
        let whole = json!({"type": "object", "properties": {"x": schema}});
        assert_eq!(told(&whole, &json!({"x": good}), None), [""; 0], "{schema}");
        assert_eq!(told(&whole, &json!({"x": bad}), None), [format!("x: {message}")], "{schema}");
        // What is stored already is left alone by an update of something else.
        let old = json!({"x": bad, "y": 1});
        assert_eq!(told(&whole, &json!({"x": bad}), Some(&old)), [""; 0], "{schema}");
    }
}

#[test]
fn a_list_of_a_type_without_repetition_has_none() {
    let set = json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"});
    assert_eq!(told(&set, &json!(["a", "b", "a"]), None), ["[2]: is listed before; remove one"]);
    let map = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]});
    assert_eq!(told(&map, &json!([{"k": 1, "v": 1}, {"k": 1}]), None), ["[1]: is listed before; remove one"]);
}

#[test]
fn a_transition_rule_is_about_updates_alone() {
    let rules = json!([{"rule": "self == oldSelf", "message": "is immutable"}]);
    let schema = json!({"type": "object", "properties": {"x": {"type": "integer", "x-kubernetes-validations": rules}}});
    assert_eq!(told(&schema, &json!({"x": 1}), None), [""; 0]);
    assert_eq!(told(&schema, &json!({"x": 1}), Some(&json!({"x": 1}))), [""; 0]);
    assert_eq!(told(&schema, &json!({"x": 2}), Some(&json!({"x": 1}))), ["x: is immutable"]);
}

#[test]
fn rules_see_defaults_and_no_unknown_field() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "default": 1}},
                        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is immutable"}]});
    let check = |new: Value, old: Value| cel::Rules::of(&schema).check(&new, Some(&old)).len();
    assert_eq!(check(json!({"n": 1, "unknown": 2}), json!({})), 0);
    assert_eq!(check(json!({"n": null}), json!({"n": 1})), 0);
    assert_eq!(check(json!({"n": 2}), json!({})), 1);
}

#[test]
fn an_empty_value_is_not_set_for_a_rule() {
    let text = json!({"type": "string", "nullable": true,
                      "x-kubernetes-validations": [{"rule": "self.matches('^a')", "message": "begins with a"}]});
    let schema = json!({"type": "object", "properties": {"a": text, "b": text},
                        "x-kubernetes-validations": [{"rule": "has(self.a) != has(self.b)", "message": "give one"}]});
    let check = |value: Value| cel::Rules::of(&schema).check(&value, None);
    assert_eq!(check(json!({"a": null, "b": "a"})), []);
    assert_eq!(check(json!({"a": null}))[0].message, "give one");
}

#[test]
fn an_empty_value_is_none_of_a_list_that_does_not_say_it() {
    let field = json!({"type": "string", "nullable": true, "enum": ["a", "b"]});
    let schema = json!({"type": "object", "properties": {"x": field}});
    assert_eq!(told(&schema, &json!({"x": null}), None), ["x: is empty; use one of a, b, or remove it"]);
    let field = json!({"type": "string", "enum": ["a", "b"], "default": "a"});
    let schema = json!({"type": "object", "properties": {"x": field}});
    assert_eq!(told(&schema, &json!({"x": null}), None), [""; 0]);
}

#[test]
fn metadata_has_the_fields_that_kubernetes_has() {
    let schema = json!({"type": "object", "properties": {"metadata": metadata_schema()}});
    let exported = json!({"metadata": {
        "name": "rex", "uid": "u", "resourceVersion": "7", "generation": 1, "creationTimestamp": null,
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b", "controller": true}],
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}, "time": "2030-01-31T12:00:00Z"}],
    }});
    assert_eq!(told(&schema, &exported, None), [""; 0]);
    let slip = json!({"metadata": {"lables": {"a": "b"}, "labels": {"a": 7}}});
    assert_eq!(
        told(&schema, &slip, None),
        [
            "metadata.labels.a: is a number; put it in quotes",
            "metadata.lables: is no field of Thing; did you mean \"labels\"?"
        ]
    );
}
