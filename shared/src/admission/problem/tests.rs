use super::*;
use crate::{admission::rule::SCHEMA, field::at};

#[test]
fn problems_come_out_ordered_by_path() {
    let mut problems = Problems::default();
    problems.add(&SCHEMA, Cause::Invalid, at("spec.items").index(10), "late");
    problems.add(&SCHEMA, Cause::Invalid, at("spec.items").index(2), "early");
    let fields: Vec<_> = problems.into_sorted().iter().map(|problem| problem.field.to_string()).collect();
    assert_eq!(fields, ["spec.items[2]", "spec.items[10]"]);
}

#[test]
fn a_long_text_loses_its_middle_at_the_boundaries_of_characters() {
    assert_eq!(shortened("short\ntext", 100), "short text");
    for length in 20..60 {
        let text = format!("{} is bad; mend it", "äö€".repeat(40));
        let cut = shortened(&text, length);
        assert!(cut.len() <= length && cut.starts_with('ä') && cut.contains('…'), "{cut}");
        assert!(cut.ends_with("it"), "{cut}");
    }
}

#[test]
fn problems_beyond_a_bound_are_counted_and_are_a_problem() {
    let mut problems = Problems::default();
    for index in 0..5000 {
        problems.add(&SCHEMA, Cause::Invalid, at("spec.items").index(index), "x".repeat(10_000));
    }
    let problems = problems.into_sorted();
    assert_eq!(problems.len(), MOST + 1);
    assert!(problems.iter().all(|problem| problem.message.len() <= MESSAGE_LENGTH));
    assert_eq!(problems[MOST].message, "has 3000 more problems; mend those that are told first");
}

#[test]
fn a_wrong_code_does_not_let_the_value_in() {
    let mut errors = ValidationErrors::new();
    errors.add("max_pets", validator::ValidationError::new("pets.petstore.no-such-rule"));
    let mut problems = Problems::default();
    problems.add_invalid(crate::pets::PetStore::RULES, at("spec"), &errors);
    let problems = problems.into_sorted();
    assert_eq!((problems[0].rule, problems[0].field.to_string().as_str()), (&SCHEMA, "spec.maxPets"));
}

#[test]
fn rust_names_become_json_names() {
    assert_eq!(camel_case("product_variant_id"), "productVariantId");
}
