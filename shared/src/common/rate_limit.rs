//! How many calls of ours a remote service can bear.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::FieldPath,
};

const MAX_RATE: i64 = 1000;
const MAX_CONCURRENCY: i64 = 64;

/// How many calls a provider's service can bear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Calls a second in the long run, from 1 to 1000; 10 when it is absent. Objects are looked at more rarely where
    /// looking at all of them would take more than half of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub requests_per_second: Option<i64>,
    /// Calls at once after a rest, from 1 to 1000; 20 when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub burst: Option<i64>,
    /// Objects worked on at a time, from 1 to 64; 4 when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: Option<i64>,
}

impl RateLimit {
    /// Adds a problem for each number that is out of bounds.
    pub fn check(&self, field: impl Into<FieldPath>, rule: &'static AdmissionRule, problems: &mut Problems) {
        let field = field.into();
        for (name, number, most) in [
            ("requestsPerSecond", self.requests_per_second, MAX_RATE),
            ("burst", self.burst, MAX_RATE),
            ("concurrency", self.concurrency, MAX_CONCURRENCY),
        ] {
            if number.is_some_and(|number| !(1..=most).contains(&number)) {
                let message = format!("is not between 1 and {most}");
                problems.add(rule, Cause::Invalid, field.clone().field(name), message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_bounds_are_problems() {
        let found = |requests_per_second, burst, concurrency| {
            let mut problems = Problems::default();
            let limit = RateLimit { requests_per_second, burst, concurrency };
            limit.check("spec.rateLimit", &crate::admission::rule::SCHEMA, &mut problems);
            let found = problems.into_sorted().into_iter();
            found.map(|problem| problem.field.to_string()).collect::<Vec<_>>()
        };
        assert!(found(None, None, None).is_empty());
        assert!(found(Some(1), Some(1), Some(1)).is_empty());
        assert!(found(Some(1000), Some(1000), Some(64)).is_empty());
        let all = ["spec.rateLimit.burst", "spec.rateLimit.concurrency", "spec.rateLimit.requestsPerSecond"];
        assert_eq!(found(Some(0), Some(-1), Some(65)), all);
        assert_eq!(found(Some(1001), Some(1001), Some(i64::MIN)), all);
    }
}
