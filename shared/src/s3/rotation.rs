//! How access keys are replaced on a schedule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::{
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
    },
    field::at,
    rules,
};

rules! {
    BOUNDS = Deny "s3.rotation.bounds", "Keys are replaced every 1 to 365 days, and old ones kept for 0 to 30.";
    OVERLAP = Deny "s3.rotation.overlap", "An old key is gone before the next replacement: a user has room for two.";
    RETENTION_ZERO = Warn "s3.rotation.retention-zero", "An old key is kept for a while after its replacement, until all programs have the new one.";
}

pub(super) const INTERVAL: i64 = 90;
pub(super) const RETENTION: i64 = 7;

/// How the access key that belongs to a bucket is replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct BucketRotation {
    /// Whether it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// Every how many days, from 1 to 365.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 365, code = "s3.rotation.bounds"))]
    #[schemars(extend("default" = 90))]
    pub interval_days: Option<i64>,
    /// For how many days the old key is kept, from 0 to 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 0, max = 30, code = "s3.rotation.bounds"))]
    #[schemars(extend("default" = 7))]
    pub previous_keys_retention_days: Option<i64>,
}

/// How an access key is replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// Whether it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enabled: Option<bool>,
    /// Every how many days, from 1 to 365.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 365, code = "s3.rotation.bounds"))]
    #[schemars(extend("default" = 90))]
    pub interval_days: Option<i64>,
    /// For how many days the old key is kept, from 0 to 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 0, max = 30, code = "s3.rotation.bounds"))]
    #[schemars(extend("default" = 7))]
    pub previous_keys_retention_days: Option<i64>,
}

impl Rotation {
    /// For how many days a key is used.
    pub fn interval(&self) -> i64 {
        self.interval_days.unwrap_or(INTERVAL)
    }

    /// For how many days it is kept after its replacement.
    pub fn retention(&self) -> i64 {
        self.previous_keys_retention_days.unwrap_or(RETENTION)
    }
}

/// Fills in what is missing of a rotation at `field`.
pub(super) fn fill(
    fill: &mut Fill,
    field: &str,
    enabled: (&mut Option<bool>, bool),
    (interval, retention): (&mut Option<i64>, &mut Option<i64>),
) {
    fill.missing(enabled.0, at(field).field("enabled"), enabled.1);
    fill.missing(interval, at(field).field("intervalDays"), INTERVAL);
    fill.missing(retention, at(field).field("previousKeysRetentionDays"), RETENTION);
}

/// Adds what is wrong with a rotation at `field`.
pub(super) fn check(field: &str, interval: Option<i64>, retention: Option<i64>, problems: &mut Problems) {
    let (interval, retention) = (interval.unwrap_or(INTERVAL), retention.unwrap_or(RETENTION));
    let field = at(field).field("previousKeysRetentionDays");
    if retention >= interval {
        let message = format!(
            "is {retention}, not below intervalDays ({interval}): there would be three keys, and a user has room for two"
        );
        problems.add(&OVERLAP, Cause::Invalid, field, message);
    } else if retention == 0 {
        let message = "is 0: programs that do not have the new key at once are shut out; use 1 or more";
        problems.add(&RETENTION_ZERO, Cause::Invalid, field, message);
    }
}
