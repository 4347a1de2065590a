//! Regular expressions.

use regex::{Error, RegexBuilder};

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::FieldPath,
};

/// The longest, in bytes.
const LONGEST: usize = 1000;
/// The most memory that one may take, in bytes. It bounds the time that compiling takes, too.
const LARGEST: usize = 256 * 1024;

/// Adds a problem when `text` is no regular expression, or too large a one. It is not repeated.
pub(in crate::orasi) fn check(
    text: &str,
    field: impl Into<FieldPath>,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    if text.len() > LONGEST {
        let message = format!("is longer than {LONGEST} bytes; shorten it");
        return problems.add(rule, Cause::Invalid, field, message);
    }
    if let Err(error) = RegexBuilder::new(text).size_limit(LARGEST).build() {
        problems.add(rule, Cause::Invalid, field, reason(&error));
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::CompiledTooBig(_) => {
            format!("takes more than {} KiB when it is compiled; repeat less in it", LARGEST / 1024)
        }
        other => {
            let text = other.to_string();
            let why = text.rsplit_once("error: ").map_or("it can't be read", |(_, why)| why.trim());
            format!("is no regular expression: {why}; correct it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::rule::SCHEMA;

    fn message(text: &str) -> Option<String> {
        let mut problems = Problems::default();
        check(text, "spec", &SCHEMA, &mut problems);
        problems.into_sorted().pop().map(|problem| problem.message)
    }

    #[test]
    fn what_compiles_in_bounds_is_taken() {
        for text in ["", "^/health(z|y)?$", r"\p{L}+", r"(?i)error|warn", &"a".repeat(LONGEST)] {
            assert_eq!(message(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_expression() {
        assert_eq!(message("(s3cret").unwrap(), "is no regular expression: unclosed group; correct it");
        assert!(message(r"(s3cret)\1").unwrap().contains("backreferences are not supported"));
        for large in [r"\w{200}{200}", "(a{100}){100}{100}"] {
            assert!(message(large).unwrap().contains("256 KiB"), "{large}");
        }
        assert!(message(&"a".repeat(LONGEST + 1)).unwrap().contains("1000 bytes"));
    }
}
