//! Which records are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use validator::Validate;

use super::{REGEX, VALUE, pattern::Patterns};
use crate::{
    admission::problem::{Cause, Problems},
    common::any::any,
    field::FieldPath,
};

/// Which records are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct FilterRule {
    /// Its name.
    #[validate(length(min = 1, max = 255, code = "orasi.processing.names"))]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// The field that is looked at.
    #[validate(length(min = 1, max = 255, code = "orasi.processing.fields"))]
    pub field: String,
    /// How it is compared.
    pub operator: FilterOperator,
    /// What it is compared with.
    #[schemars(schema_with = "any")]
    pub value: Value,
    /// Whether such records are kept or left out.
    pub action: FilterAction,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FilterOperator {
    /// It is the value.
    Equals,
    /// It is not the value.
    NotEquals,
    /// It is more.
    GreaterThan,
    /// It is less.
    LessThan,
    /// It is as much or more.
    GreaterThanOrEqual,
    /// It is as much or less.
    LessThanOrEqual,
    /// It has the value in it.
    Contains,
    /// It does not have the value in it.
    NotContains,
    /// It begins with the value.
    StartsWith,
    /// It ends with the value.
    EndsWith,
    /// The value, a regular expression, matches it.
    Regex,
    /// It is one of the values.
    In,
    /// It is none of the values.
    NotIn,
}

/// What becomes of such records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FilterAction {
    /// They are kept.
    Include,
    /// They are left out.
    Exclude,
}

/// Adds a problem when the value is nothing that the operator compares with.
pub(super) fn check_value(
    rule: &FilterRule,
    field: FieldPath,
    patterns: &mut Patterns,
    problems: &mut Problems,
) {
    use FilterOperator::{
        Contains, EndsWith, Equals, GreaterThan, GreaterThanOrEqual, In, LessThan, LessThanOrEqual,
        NotContains, NotEquals, NotIn, Regex, StartsWith,
    };
    let text = rule.value.as_str();
    let (fits, wanted) = match rule.operator {
        Equals | NotEquals => (is_scalar(&rule.value), "a text, a number, true or false"),
        GreaterThan | LessThan | GreaterThanOrEqual | LessThanOrEqual => {
            (rule.value.is_number() || text.is_some(), "a number, or a text such as a time")
        }
        Contains | NotContains | StartsWith | EndsWith | Regex => {
            (text.is_some_and(|text| !text.is_empty()), "a text that is not empty")
        }
        In | NotIn => {
            let list = rule.value.as_array().filter(|list| !list.is_empty());
            (
                list.is_some_and(|list| list.iter().all(is_scalar)),
                "a list of texts and numbers that is not empty",
            )
        }
    };
    if !fits {
        let message = format!("is nothing that {:?} compares with; write {wanted}", rule.operator);
        problems.add(&VALUE, Cause::Invalid, field, message);
    } else if let (Regex, Some(text)) = (rule.operator, text) {
        patterns.check(text, field, &REGEX, problems);
    }
}

/// What has no parts.
pub(super) fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}
