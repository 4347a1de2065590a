use super::*;
use crate::{
    admission::{
        envelope::Operation,
        lookup::World,
        review::{Context, Request, Stage, evaluate},
        rule::Enforcement,
    },
    catalyst::Project,
    group::Settings,
    pets::Pet,
};

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

fn nested_project(depth: usize, inside: &str) -> String {
    let nested = "[".repeat(depth) + inside + &"]".repeat(depth);
    format!(r#"{{"spec":{{"sources":[],"monitoring":{nested}}}}}"#)
}

#[test]
fn a_spec_that_is_nested_too_deep_is_refused_at_its_field_and_read_where_it_is_stored() {
    let project = |depth| nested_project(depth, "");
    assert!(Raw::from(&*project(49)).decode::<Project>().is_ok());
    for depth in [50, 126, 20_000] {
        let problem = Raw::from(&*project(depth)).decode::<Project>().unwrap_err();
        let field = problem.field.to_string();
        // Too many would be what others keep it from having.
        assert_eq!(
            (problem.rule.id, &*field, problem.cause),
            ("object.nesting", "spec.monitoring", Cause::Invalid)
        );
    }
    assert!(Raw::from(&*project(126)).decode_stored::<Project>().is_ok());
}

#[test]
fn what_is_stored_already_may_stay_as_deep_as_it_is() {
    let is_too_deep = |operation, old: Option<usize>, new| {
        let (old, new) = (old.map(|depth| nested_project(depth, "")), nested_project(new, "1"));
        let (old, new) = (old.as_deref().map(Raw::from), Raw::from(&*new));
        let (object, old, stage) = (Some(&new), old.as_ref(), Stage::Validate);
        let request = Request { stage, operation, namespace: "bar", user: None, object, old };
        let (lookup, enforcement, settings) = (World::default(), Enforcement::default(), Settings::default());
        let context = Context { lookup: &lookup, enforcement: &enforcement, settings: &settings };
        evaluate::<Project>(&request, &context).denials.iter().any(|problem| problem.rule == &NESTING)
    };
    for (operation, old, new, expected) in [
        (Operation::Create, None, 60, true),
        (Operation::Update, Some(49), 60, true),
        (Operation::Update, Some(60), 61, true),
        (Operation::Update, Some(60), 60, false),
        (Operation::Update, Some(60), 55, false),
        // As the reconciler asks about what is stored.
        (Operation::Update, None, 60, false),
    ] {
        assert_eq!(is_too_deep(operation, old, new), expected, "{operation:?} {old:?} {new}");
    }
}
