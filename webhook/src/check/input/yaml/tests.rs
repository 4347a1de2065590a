use concierge_shared::field::{FieldPath, at};
use serde_json::json;

use super::*;

fn one(text: &str) -> Node {
    let documents = parse(text);
    assert_eq!(documents.len(), 1, "{text}");
    documents.into_iter().next().unwrap().unwrap()
}

fn failure(text: &str) -> (usize, usize, String) {
    let error = parse(text).into_iter().find_map(Result::err).unwrap();
    (error.span.start.line, error.span.start.column, error.message)
}

#[test]
fn documents_are_split_and_an_error_spoils_only_its_own() {
    let documents = parse("# head\n---\na: 1\n--- # next\na: b: c\n---\n\n---\na: 2\n...\n");
    let read: Vec<_> = documents.iter().map(|one| one.as_ref().map(Node::to_json).ok()).collect();
    assert_eq!(read, [Some(json!({"a": 1})), None, Some(json!({"a": 2}))]);
    assert_eq!(documents[1].as_ref().unwrap_err().span.start, Place { line: 5, column: 5 });
}

// Compared with what sigs.k8s.io/yaml v1.6.0 makes of it.
#[test]
fn merge_keys_work_as_for_kubectl() {
    let base = "a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\n";
    let check =
        |text: &str, expect| assert_eq!(one(&format!("{base}{text}")).to_json()["c"], expect, "{text}");
    check("c: {<<: *a, l: 3}", json!({"k": 1, "l": 3}));
    check("c: {l: 3, <<: *a}", json!({"k": 1, "l": 1}));
    check("c: {<<: [*a, *b]}", json!({"k": 1, "l": 1, "m": 2}));
    check("c: {\"<<\": 1}", json!({"<<": 1}));
    assert!(failure("a: &a 1\nc: {<<: *a}").2.contains("takes a map"));
}

#[test]
fn keys_are_strings_and_unique() {
    assert_eq!(one("on: 1\n2: x\n").to_json(), json!({"true": 1, "2": "x"}));
    assert_eq!(
        failure("a: 1\nb: 2\na: 3\n"),
        (3, 1, "the key \"a\" is already set in line 1; keep one of them".into())
    );
    assert!(failure("yes: 1\non: 2\n").2.contains("\"true\" is already set"));
    assert!(failure("? [a]\n: b\n").2.contains("can't be a key"));
}

#[test]
fn tags_and_quotes_decide_what_a_value_is() {
    let read = one("a: '1'\nb: !!str 1\nc: !!int \"1\"\nd: |\n  yes\n").to_json();
    assert_eq!(read, json!({"a": "1", "b": "1", "c": 1, "d": "yes\n"}));
    assert!(failure("a: .nan").2.contains("quotes"));
}

#[test]
fn aliases_that_never_end_are_refused() {
    assert!(failure("a: &a [*a]").2.contains("holds it"));
    let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
    }
    assert!(failure(&bomb).2.contains("once aliases are resolved"));
    assert!(failure(&format!("{}{}", "[".repeat(120), "]".repeat(120))).2.contains("nested"));
}

fn position(node: &Node, path: FieldPath) -> (usize, usize, usize, usize) {
    let Span { start, end } = node.locate(&path);
    (start.line, start.column, end.line, end.column)
}

#[test]
fn fields_are_found_in_the_file() {
    let text = "---\nkind: Pet\nspec:\n  name: \"Rex\"\n  list:\n  - a: 1\n  - ä b\n  map:\n    x.y/z: 1\n  empty:\n";
    let node = one(text);
    assert_eq!(position(&node, at("spec.name")), (4, 9, 4, 14));
    assert_eq!(position(&node, at("spec.list").index(1)), (7, 5, 7, 8));
    assert_eq!(position(&node, at("spec.list").index(0).field("a")), (6, 8, 6, 9));
    assert_eq!(position(&node, at("spec.map").key("x.y/z")), (9, 12, 9, 13));
    // A map, an empty value, a missing field, a missing item: the nearest key.
    assert_eq!(position(&node, at("spec.map")), (8, 3, 8, 6));
    assert_eq!(position(&node, at("spec.empty")), (10, 3, 10, 8));
    assert_eq!(position(&node, at("spec.config.maxPets")), (3, 1, 3, 5));
    assert_eq!(position(&node, at("spec.list").index(9)), (5, 3, 5, 7));
    assert_eq!(position(&node, at("metadata.name")), (2, 1, 2, 5));
}
