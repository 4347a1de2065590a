use super::*;
use crate::pets::Pet;

#[test]
fn a_problem_is_found_wherever_it_is() {
    for (json, field) in [
        (r#""text""#, ""),
        ("{}", "spec"),
        (r#"{"metadata":{"labels":{"a":1}},"spec":{"id":1,"name":"Rex"}}"#, "metadata.labels.a"),
        (r#"{"metadata":{"name":"rex"},"spec":{"id":"1","name":"Rex"}}"#, "spec.id"),
    ] {
        let problem = Raw::from(json).decode::<Pet>().unwrap_err();
        assert_eq!(problem.field.to_string(), field, "{json}");
    }
}

#[test]
fn specs_are_the_same_when_both_are_there_and_written_alike() {
    let same = |one: &str, other: &str| Raw::from(one).is_judged_like::<Pet>(&Raw::from(other));
    assert!(same(r#"{"spec":{"a":1}}"#, r#"{"metadata":{"labels":{"b":"c"}},"spec":{"a":1}}"#));
    assert!(!same(r#"{"spec":{"a":1}}"#, r#"{"spec":{"a":2}}"#));
    let labelled = r#"{"metadata":{"labels":{"petstore.example.com/store":"a"}},"spec":{"a":1}}"#;
    assert!(!same(r#"{"spec":{"a":1}}"#, labelled));
    assert!(same(labelled, labelled));
    let annotated = r#"{"metadata":{"annotations":{"concierge.dev/resync":"1h"}},"spec":{"a":1}}"#;
    assert!(!same(r#"{"spec":{"a":1}}"#, annotated));
    assert!(same(annotated, annotated));
    assert!(same(r#"{"spec":{"a":1}}"#, r#"{"metadata":{"annotations":{"b":"c"}},"spec":{"a":1}}"#));
    assert!(!same("{}", "{}"));
    assert!(!same("[1]", "[1]"));
}

#[test]
fn a_wrong_type_is_named_and_its_value_is_not() {
    for (found, shown) in [
        ("invalid type: integer `4242`, expected a string", "invalid type: integer, expected a string"),
        ("invalid type: string \"a, expected `b`\", expected i64", "invalid type: string, expected i64"),
        ("invalid type: map, expected a string", "invalid type: map, expected a string"),
        ("unknown variant `x`, expected `a` or `b`", "unknown variant `x`, expected `a` or `b`"),
    ] {
        assert_eq!(without_value(found), shown);
    }
}
