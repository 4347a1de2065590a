use super::*;
use crate::{admission::rule::SCHEMA, field::at};

/// A refusal because of `count` problems whose messages are `length` bytes long.
fn refusal(count: usize, length: usize) -> Response {
    let problem = |index| Problem {
        field: at("spec.tags").index(index),
        rule: &SCHEMA,
        cause: problem::Cause::Invalid,
        message: format!("{:?} is bad; choose another", "\u{1}\"ä".repeat(length / 4)),
    };
    let problems: Vec<_> = (0..count).map(problem).collect();
    let subject = Subject { group: "g", kind: "Pet", name: "rex" };
    Answer::refused("u", subject, Refusal::Invalid, &problems, &problems).response
}

#[test]
fn of_many_problems_a_hundred_are_told_and_the_rest_is_counted() {
    let status = refusal(150_000, 8).status.unwrap();
    let causes = status.details.unwrap().causes;
    assert_eq!(causes.len(), 101);
    assert_eq!(causes[99].field, "spec.tags[99]");
    assert_eq!(causes[100].message, "and 149900 more problems");
    assert!(status.message.ends_with("; and 149950 more problems"), "{}", status.message);
    assert_eq!(refusal(100, 8).status.unwrap().details.unwrap().causes.len(), 100);
}

#[test]
fn an_answer_is_small_whatever_is_wrong() {
    for (count, length) in [(1, 3_000_000), (100, 2000), (5000, 5000)] {
        let answer = Answer { api_version: "v1", kind: "AdmissionReview", response: refusal(count, length) };
        assert!(answer.to_json().len() < 200 * 1024, "{count} {length}: {}", answer.to_json().len());
    }
}

#[test]
fn a_long_message_keeps_its_beginning_and_its_remedy() {
    let causes = refusal(1, 100_000).status.unwrap().details.unwrap().causes;
    let message = &causes[0].message;
    assert!(message.len() < MESSAGE_LENGTH + 32, "{}", message.len());
    assert!(message.ends_with("is bad; choose another [object.schema]"), "{message}");
}

#[test]
fn no_patch_means_no_patch_type() {
    let json = String::from_utf8(Answer::patched("u", &[], &[]).to_json()).unwrap();
    assert!(!json.contains("patch"), "{json}");
}
