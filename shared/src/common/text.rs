//! Texts that people write: names and notes.

use super::card_number::has_card_number;
use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::FieldPath,
};

/// Something other than spaces, for the API server.
pub(crate) fn not_blank() -> kube::core::Rule {
    kube::core::Rule::new(r"self.matches('\\S')").message(BLANK_MESSAGE)
}

const BLANK_MESSAGE: &str = "is blank; fill it in";

/// Adds a problem when a text that must say something says nothing, or too much.
pub fn check_required(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: &str,
    max: usize,
) {
    if text.trim().is_empty() {
        problems.add(rule, Cause::Required, field, BLANK_MESSAGE);
    } else {
        check_optional(problems, rule, field, text, max);
    }
}

/// Adds a problem when a text is longer than `max` characters or has characters that do not print.
pub fn check_optional(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: &str,
    max: usize,
) {
    let length = text.chars().count();
    if length > max {
        let message = format!("is {length} characters long; use at most {max}");
        problems.add(rule, Cause::Invalid, field, message);
    } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        problems.add(rule, Cause::Invalid, field, "contains control characters; remove them");
    }
}

/// Adds a problem, which does not repeat the text, when it contains a card number.
pub fn check_no_card_number(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: &str,
) {
    if has_card_number(text) {
        let message = "contains what looks like a card number; remove it, and treat it as exposed: \
                       objects, their history and audit logs are not the place for it";
        problems.add(rule, Cause::Forbidden, field, message);
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
