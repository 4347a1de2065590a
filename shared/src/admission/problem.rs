//! What a rule finds wrong with an object.

use std::borrow::Cow;

use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use super::{
    lookup::Need,
    rule::{AdmissionRule, LOOKUP, SCHEMA},
};
use crate::{field::FieldPath, kind::Kind};

/// Why a field is wrong: Kubernetes' closed list of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The field must have a value.
    Required,
    /// The value is malformed or out of bounds.
    Invalid,
    /// The value is of another type.
    TypeInvalid,
    /// The value must be unique and is not.
    Duplicate,
    /// The value may not be set, or not be changed.
    Forbidden,
    /// What the value refers to does not exist.
    NotFound,
    /// The value is none of those that are allowed.
    NotSupported,
    /// There are more values than allowed.
    TooMany,
}

impl Cause {
    /// The machine-readable spelling in `status.details.causes[].reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Required => "FieldValueRequired",
            Cause::Invalid => "FieldValueInvalid",
            Cause::TypeInvalid => "FieldValueTypeInvalid",
            Cause::Duplicate => "FieldValueDuplicate",
            Cause::Forbidden => "FieldValueForbidden",
            Cause::NotFound => "FieldValueNotFound",
            Cause::NotSupported => "FieldValueNotSupported",
            Cause::TooMany => "FieldValueTooMany",
        }
    }
}

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub field: FieldPath,
    /// The rule that is broken.
    pub rule: &'static AdmissionRule,
    /// Why, in Kubernetes' words.
    pub cause: Cause,
    /// What is wrong and what to do, in a sentence that can stand alone after the field's path.
    pub message: String,
}

/// The longest message of a problem, in bytes.
pub const MESSAGE_LENGTH: usize = 1024;
/// How many problems of one object are kept: each is compared, sorted and answered. That there are more is a problem of its own, whose
/// rule no namespace can lower.
const MOST: usize = 2000;

/// Collects all problems of an object. Rules add to it and go on.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    /// How many were not kept.
    dropped: usize,
    unresolved: Vec<Unresolved>,
    needs: Vec<(&'static AdmissionRule, Need)>,
}

/// A look-up that could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unresolved {
    /// What the user is told.
    pub(super) problem: Problem,
    /// The rules that may be broken.
    pub(super) rules: Vec<&'static AdmissionRule>,
}

impl Problems {
    /// Adds a problem.
    pub fn add(
        &mut self,
        rule: &'static AdmissionRule,
        cause: Cause,
        field: impl Into<FieldPath>,
        message: impl Into<String>,
    ) {
        if self.found.len() == MOST {
            self.dropped += 1;
            return;
        }
        let mut message = message.into();
        if message.len() > MESSAGE_LENGTH {
            message = shortened(&message, MESSAGE_LENGTH).into_owned();
        }
        self.found.push(Problem { rule, field: field.into(), cause, message });
    }

    /// Adds what the `validator` derive of the kind's spec finds: the plain rules of single fields.
    ///
    /// The derive names its rule by `code = "<rule id>"`; the field's bounds make the message.
    pub fn add_invalid_fields<K: Kind>(&mut self, object: &K)
    where
        K::Spec: Validate,
    {
        if let Err(errors) = object.spec().validate() {
            self.add_invalid(K::RULES, "spec".into(), &errors);
        }
    }

    fn add_invalid(
        &mut self,
        rules: &'static [&'static AdmissionRule],
        root: FieldPath,
        errors: &ValidationErrors,
    ) {
        for (field, kind) in errors.errors() {
            let path = root.clone().field(&camel_case(field));
            match kind {
                ValidationErrorsKind::Struct(inner) => self.add_invalid(rules, path, inner),
                ValidationErrorsKind::List(items) => {
                    for (index, inner) in items {
                        self.add_invalid(rules, path.clone().index(*index), inner);
                    }
                }
                ValidationErrorsKind::Field(found) => {
                    for error in found {
                        // A wrong code must not let the value in.
                        let rule =
                            rules.iter().find(|rule| rule.id == error.code).copied().unwrap_or(&SCHEMA);
                        self.add(rule, Cause::Invalid, path.clone(), bounds_message(error));
                    }
                }
            }
        }
    }

    /// Notes a look-up that failed: until `needs` are read, it is not known whether one of `rules` is broken.
    pub(super) fn add_unresolved(
        &mut self,
        field: FieldPath,
        rules: &[&'static AdmissionRule],
        what: &Need,
        needs: &[Need],
    ) {
        let message = format!("could not look up {what}; try again");
        let problem = Problem { field, rule: &LOOKUP, cause: Cause::Invalid, message };
        self.unresolved.push(Unresolved { problem, rules: rules.to_vec() });
        for rule in rules {
            self.needs.extend(needs.iter().map(|need| (*rule, need.clone())));
        }
    }

    /// Lets `check` add problems of `rules` that are to be believed after reading `needs`.
    pub(super) fn resting_on(
        &mut self,
        needs: &[Need],
        rules: &[&'static AdmissionRule],
        check: impl FnOnce(&mut Self),
    ) {
        let before = self.found.len();
        check(self);
        for problem in &self.found[before..] {
            debug_assert!(
                rules.contains(&problem.rule),
                "{} is not declared for this look-up",
                problem.rule.id
            );
            self.needs.extend(needs.iter().map(|need| (problem.rule, need.clone())));
        }
    }

    /// The problems, ordered by field path, then rule.
    pub fn into_sorted(self) -> Vec<Problem> {
        self.into_parts().0
    }

    /// The problems, ordered by field path, then rule; what could not be looked up; and what to read, because of
    /// which rule, before either is believed.
    pub(super) fn into_parts(
        mut self,
    ) -> (Vec<Problem>, Vec<Unresolved>, Vec<(&'static AdmissionRule, Need)>) {
        self.found.sort_by(|a, b| (&a.field, a.rule.id).cmp(&(&b.field, b.rule.id)));
        self.found.dedup();
        if self.dropped > 0 {
            let message = format!("has {} more problems; mend those that are told first", self.dropped);
            let field = FieldPath::default();
            self.found.push(Problem { rule: &SCHEMA, field, cause: Cause::Invalid, message });
        }
        (self.found, self.unresolved, self.needs)
    }
}

/// `text` in at most `length` bytes, without control characters. What is too long loses its middle: it begins with
/// what is wrong and ends with the remedy.
pub fn shortened(text: &str, length: usize) -> Cow<'_, str> {
    if text.len() <= length && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let clean = |text: &str| text.replace(char::is_control, " ");
    if text.len() <= length {
        return Cow::Owned(clean(text));
    }
    let room = length - '…'.len_utf8();
    let (front, back) = (text.floor_char_boundary(room - room / 3), text.len() - room / 3);
    Cow::Owned(format!("{}…{}", clean(&text[..front]), clean(&text[text.ceil_char_boundary(back)..])))
}

fn bounds_message(error: &validator::ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.to_string();
    }
    let bound = |name: &str| error.params.get(name).map(ToString::to_string);
    let (verb, unit) = match error.params.get("value") {
        Some(value) if value.is_string() => ("must be", " characters long"),
        Some(value) if value.is_array() => ("must have", " entries"),
        _ => ("must be", ""),
    };
    match (bound("min"), bound("max")) {
        (Some(min), Some(max)) => format!("{verb} from {min} to {max}{unit}"),
        (Some(min), None) => format!("{verb} at least {min}{unit}"),
        (None, Some(max)) => format!("{verb} at most {max}{unit}"),
        (None, None) => "has a value that is not allowed".to_owned(),
    }
}

fn camel_case(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

#[cfg(test)]
mod tests;
