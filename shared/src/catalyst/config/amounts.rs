//! What containers ask for and may use.

use super::RESOURCES;
use crate::{
    admission::problem::{Cause, Problems},
    catalyst::container::Resources,
    field::FieldPath,
};

/// Adds what is wrong with the `resources` of what is at `at`.
pub(in crate::catalyst) fn check(resources: Option<&Resources>, at: &FieldPath, problems: &mut Problems) {
    let Some(resources) = resources else { return };
    let field = at.clone().field("resources");
    for (part, amounts) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        for (resource, _) in amounts.iter().flatten().filter(|(_, amount)| amount.nanos().is_none()) {
            let message = "is no amount; write for instance 500m, 2 or 512Mi";
            let field = field.clone().field(part).key(resource);
            problems.add(&RESOURCES, Cause::Invalid, field, message);
        }
    }
    for (resource, request) in resources.requests.iter().flatten() {
        let limit = resources.limits.as_ref().and_then(|limits| limits.get(resource)?.nanos());
        if limit.is_some_and(|limit| request.nanos().is_some_and(|request| request > limit)) {
            let message = "is above the limit; lower it, or raise the limit";
            problems.add(&RESOURCES, Cause::Invalid, field.clone().field("requests").key(resource), message);
        }
    }
}
