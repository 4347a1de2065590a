//! Texts that people write: names and notes.

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::FieldPath,
};

/// Whether everything in a name shows, so that two names that look alike are one.
pub(crate) fn prints(name: &str) -> bool {
    let hides = |c: char| {
        c.is_control()
            || (c.is_whitespace() && c != ' ')
            || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}')
    };
    !name.contains(hides)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_print_are_told_from_those_that_only_look_so() {
        assert!(prints("Events of 2026, größer") && prints("表") && prints(""));
        for odd in ["a\u{200b}", "a\u{202e}b", "a\u{a0}b", "a\tb", "\u{feff}a", "a\u{ad}"] {
            assert!(!prints(odd), "{odd:?}");
        }
    }
}
