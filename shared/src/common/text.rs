//! Texts that people write: names and notes.

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

/// Adds a problem when a text is empty or only white space, or has characters that do not print.
pub fn check_required(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: &str,
) {
    if text.trim().is_empty() {
        problems.add(rule, Cause::Required, field, BLANK_MESSAGE);
    } else {
        check_printable(problems, rule, field, text);
    }
}

/// Adds a problem when a text has characters that do not print.
pub fn check_printable(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: &str,
) {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        problems.add(rule, Cause::Invalid, field, "contains control characters; remove them");
    }
}
