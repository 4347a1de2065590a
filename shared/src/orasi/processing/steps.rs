//! What is made of fields, and of many records.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use validator::Validate;

use crate::common::any::any_map;

/// What is made of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct TransformationRule {
    /// Its name.
    #[validate(length(min = 1, max = 255, code = "orasi.processing.names"))]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// The field that is read.
    #[validate(length(min = 1, max = 255, code = "orasi.processing.fields"))]
    pub source_field: String,
    /// The field that is written.
    #[validate(length(min = 1, max = 255, code = "orasi.processing.fields"))]
    pub target_field: String,
    /// What is done.
    pub transformation_type: TransformationType,
    /// How, without credentials. What is called pattern or regex is a regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_map")]
    pub parameters: Option<BTreeMap<String, Value>>,
}

/// What is done to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TransformationType {
    /// It is there twice.
    Copy,
    /// It has another name.
    Rename,
    /// A part of it is taken.
    Extract,
    /// Others are put behind it.
    Concatenate,
    /// It becomes several.
    Split,
    /// It is written in another way.
    Format,
    /// It is read.
    Parse,
    /// It gets another type.
    Convert,
    /// Something of a plugin's.
    Custom,
}

/// What is made of a field of many records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct AggregationRule {
    /// Its name.
    #[validate(length(min = 1, max = 255, code = "orasi.processing.names"))]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// The field that is read.
    #[validate(length(min = 1, max = 255, code = "orasi.processing.fields"))]
    pub source_field: String,
    /// The field that is written.
    #[validate(length(min = 1, max = 255, code = "orasi.processing.fields"))]
    pub target_field: String,
    /// What is made.
    pub function: AggregationFunction,
    /// How many milliseconds of records are taken together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 86_400_000, code = "orasi.processing.window"))]
    pub time_window_ms: Option<i64>,
    /// The fields that records have alike which are taken together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub group_by: Option<Vec<String>>,
}

/// What is made of a field of many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AggregationFunction {
    /// How many there are.
    Count,
    /// All together.
    Sum,
    /// Their mean.
    Average,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The one in the middle.
    Median,
    /// The one that a share of all does not exceed.
    Percentile,
    /// How many there are in each range.
    Histogram,
    /// Something of a plugin's.
    Custom,
}
