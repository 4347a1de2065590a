//! Texts that people write into objects of this group.

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    common::{
        card_number::has_card_number,
        text::{check_printable, check_required},
    },
    field::FieldPath,
    rules,
};

rules! {
    NAME = Deny "coffee.text.name", "A name for people to read is not blank and has up to 255 characters.";
    DESCRIPTION = Deny "coffee.text.description", "A description has up to 255 characters.";
    CARD_NUMBER = Deny "coffee.text.card-number", "No text of an object contains a card number.";
}

/// Adds what is wrong with the name that stands at `field`.
pub(super) fn check_name(problems: &mut Problems, field: &str, name: &str) {
    check_required(problems, &NAME, field, name);
    check_no_card_number(problems, field, name);
}

/// Adds what is wrong with the description that stands at `field`.
pub(super) fn check_description(problems: &mut Problems, field: &str, description: Option<&str>) {
    check_note(problems, &DESCRIPTION, field, description);
}

/// Adds what is wrong with a text that may be absent.
pub(super) fn check_note(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: Option<&str>,
) {
    let (field, text) = (field.into(), text.unwrap_or_default());
    check_printable(problems, rule, field.clone(), text);
    check_no_card_number(problems, field, text);
}

/// Adds a problem, which does not repeat the text, when it contains a card number.
pub(super) fn check_no_card_number(problems: &mut Problems, field: impl Into<FieldPath>, text: &str) {
    if has_card_number(text) {
        let message = "contains what looks like a card number; remove it, and treat it as exposed: \
                       objects, their history and audit logs are not the place for it";
        problems.add(&CARD_NUMBER, Cause::Forbidden, field, message);
    }
}
