//! What holds for the schema of every kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::{Map, Value, json};

use crate::{
    admission::{defaults::Defaulted, object::Raw},
    kind::{KINDS, Kind, KindInfo, Visitor, all_rules, visit_kinds},
};

/// The schema of the kind's `spec` and `status`, as an object's.
fn schema(kind: &KindInfo) -> Value {
    let crd = serde_json::to_value((kind.crd)()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Calls `look` with every schema inside of `schema`, and where it is.
fn walk(schema: &Value, path: &str, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(inner, &format!("{path}.{name}"), look);
    }
    for (part, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[part].is_object() {
            walk(&schema[part], &format!("{path}{mark}"), look);
        }
    }
}

/// True for a schema that lets in as much as the API server takes.
fn is_unbounded(schema: &Value) -> bool {
    let bounded_text = schema["enum"].is_array() || schema["format"] == "date-time";
    match schema["type"].as_str() {
        Some("string") => schema["maxLength"].is_null() && !bounded_text,
        Some("array") => schema["maxItems"].is_null(),
        Some("object") => {
            let free = schema["additionalProperties"].is_object() && schema["maxProperties"].is_null();
            free || schema["x-kubernetes-preserve-unknown-fields"] == true
        }
        Some(_) => false,
        // A text, a list or a map: what stands in the list or the map is the rules' to bound.
        None => ["maxLength", "maxItems", "maxProperties"].iter().any(|bound| schema[bound].is_null()),
    }
}

#[test]
fn every_list_text_and_map_of_every_kind_is_bounded() {
    let mut unbounded = Vec::new();
    for kind in KINDS {
        let schema = schema(kind);
        for part in ["spec", "status"] {
            walk(&schema["properties"][part], &format!("{kind:?} {part}"), &mut |path, schema| {
                if is_unbounded(schema) {
                    unbounded.push(path.to_owned());
                }
            });
        }
    }
    assert!(unbounded.is_empty(), "no bound on {unbounded:#?}");
}

/// `kubectl apply` and `helm install` print a warning for each other one.
#[test]
fn every_format_is_one_that_the_api_server_knows() {
    for kind in KINDS {
        walk(&schema(kind), &format!("{kind:?}"), &mut |path, schema| {
            let format = schema["format"].as_str();
            let known = ["int32", "int64", "float", "double", "date-time"];
            assert!(format.is_none_or(|format| known.contains(&format)), "{path}: {format:?}");
        });
    }
}

/// `kubectl explain` and the reference show it.
#[test]
fn every_field_of_every_kind_is_described() {
    let mut silent = Vec::new();
    for kind in KINDS {
        walk(&schema(kind)["properties"]["spec"], &format!("{kind:?} spec"), &mut |path, schema| {
            if !path.ends_with([']', '}']) && schema["description"].is_null() {
                silent.push(path.to_owned());
            }
        });
    }
    assert!(silent.is_empty(), "no description of {silent:#?}");
}

#[test]
fn what_has_no_bound_is_found() {
    for open in [
        json!({"type": "string", "pattern": "^a"}),
        json!({"type": "array", "items": {"type": "integer"}}),
        json!({"type": "object", "additionalProperties": {"type": "integer"}}),
        json!({"x-kubernetes-preserve-unknown-fields": true}),
    ] {
        assert!(is_unbounded(&open), "{open}");
    }
}

/// For a pattern, a format, an enumeration and a rule on the field itself, the API server's message repeats the value.
#[test]
fn the_schema_of_a_secret_field_has_nothing_that_repeats_its_value() {
    for kind in KINDS {
        let schema = schema(kind);
        for field in kind.secret_fields {
            let mut found = false;
            walk(&schema, "", &mut |path, schema| {
                if path.strip_prefix('.') == Some(*field) {
                    found = true;
                    for word in ["pattern", "format", "enum", "minLength", "x-kubernetes-validations"] {
                        assert!(schema[word].is_null(), "{word} of {field} of {kind:?}");
                    }
                }
            });
            assert!(found, "{field} of {kind:?}");
        }
    }
}

/// A field whose name says that it may hold a web address with a password, or a token, is declared secret.
#[test]
fn fields_that_look_as_if_they_held_a_secret_are_declared() {
    let secret =
        |name: &str| ["url", "uri", "token", "password", "origins[]"].iter().any(|end| name.ends_with(end));
    for kind in KINDS {
        walk(&schema(kind)["properties"]["spec"], "spec", &mut |path, schema| {
            let name = path.rsplit('.').next().unwrap_or_default().to_lowercase();
            if schema["type"] == "string" && secret(&name) {
                assert!(kind.secret_fields.contains(&path), "{path} of {kind:?}");
            }
        });
    }
}

/// An object as empty as `schema` lets it be; with `parts`, its optional objects are there, as empty as can be.
fn emptiest(schema: &Value, parts: bool) -> Value {
    let Some("object") = schema["type"].as_str() else { return plain(schema) };
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut object = Map::new();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let wanted = required.contains(&name.as_str());
        if wanted || (parts && inner["type"] == "object") {
            object.insert(name.clone(), emptiest(inner, parts));
        } else if parts && inner["type"] == "array" && inner["items"]["type"] == "object" {
            object.insert(name.clone(), json!([emptiest(&inner["items"], parts)]));
        }
    }
    object.into()
}

fn plain(schema: &Value) -> Value {
    match (schema["enum"].get(0), schema["type"].as_str()) {
        (Some(first), _) => first.clone(),
        (None, Some("string")) => "x".into(),
        (None, Some("integer")) => 1.into(),
        (None, Some("array")) => json!([]),
        (None, Some("boolean")) => false.into(),
        (None, None) if schema["x-kubernetes-int-or-string"] == true => 1.into(),
        (None, None) if schema["x-kubernetes-preserve-unknown-fields"] == true => "x".into(),
        other => panic!("no value for {other:?}"),
    }
}

/// The defaults below `schema`, by JSON pointer, where `object` has the field's parent and not the field.
fn missing_defaults(schema: &Value, object: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        match object.get(name) {
            Some(Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    missing_defaults(&inner["items"], item, &format!("{path}/{index}"), found);
                }
            }
            Some(value) => missing_defaults(inner, value, &path, found),
            None if !inner["default"].is_null() => {
                found.insert(path.clone(), inner["default"].clone());
                missing_defaults(inner, &inner["default"], &path, found);
            }
            None => {}
        }
    }
}

/// Fills in the defaults of the emptiest objects of a kind.
struct Defaults;

impl Visitor for Defaults {
    fn visit<K: Kind>(&mut self) {
        let schema = schema(crate::kind::by_name(K::NAME).unwrap());
        let spec = &schema["properties"]["spec"];
        for parts in [false, true] {
            let object = json!({"apiVersion": K::api_version(&()), "kind": K::NAME,
                                "metadata": {"name": "x", "namespace": "y"}, "spec": emptiest(spec, parts)});
            let mut said = BTreeMap::new();
            missing_defaults(spec, &object["spec"], "/spec", &mut said);
            let (_, patch) = Defaulted::new(Raw::from(&*object.to_string()).decode::<K>().unwrap());
            let patch = serde_json::to_value(patch).unwrap();
            let added = patch.as_array().unwrap().iter().filter(|one| one["op"] == "add");
            let filled: BTreeMap<_, _> =
                added.map(|one| (one["path"].as_str().unwrap().to_owned(), one["value"].clone())).collect();
            assert_eq!(filled, said, "what defaulting fills in, and what the schema of {} says", K::NAME);
        }
    }
}

#[test]
fn defaults_are_those_that_the_schema_says() {
    visit_kinds(&mut Defaults);
}

/// The `code` of every `validate` attribute is a rule: another one would have no level, no docs and no summary.
#[test]
fn the_codes_of_field_rules_are_rules() {
    let rules: BTreeSet<_> = all_rules().into_iter().map(|(rule, _)| rule.id).collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut codes = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for attribute in text.lines().filter(|line| line.trim_start().starts_with("#[validate(")) {
                for code in attribute.split("code = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(rules.contains(code), "{code} in {} is no rule", path.display());
                    codes += 1;
                }
                assert!(
                    attribute.contains("code = ") || attribute.contains("nested"),
                    "{attribute} has no code"
                );
            }
        }
    }
    assert!(codes > 10, "only {codes} codes were found");
}
