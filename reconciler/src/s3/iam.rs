//! What users and policies at IAM have in common.

mod document;
mod pages;
mod path;
mod refusals;
mod tags;

use aws_sdk_iam::Client;
use concierge_shared::{admission::review::abridged, kind::Kind, status::ConditionReason};
use jiff::Timestamp;

pub(super) use document::{named_buckets, says_the_same};
pub(super) use pages::{Page, all};
pub(super) use path::Place;
pub(super) use refusals::{Refusals, note};
pub(super) use tags::{Change, TAGS, change_tags, read_tags, tags_of};

use super::connection::Connection;
use crate::{
    common::standing::LATE,
    engine::{Failure, Guard, Outcome},
};

/// IAM's word for that something is not there.
pub(super) const MISSING: &[&str] = &["NoSuchEntity"];

pub(super) fn client(to: &Connection) -> Result<&Client, Failure> {
    let missing =
        || Failure::DependencyMissing(format!("Provider {} has no iamEndpoint; set it there", to.name));
    to.clients.iam.as_ref().ok_or_else(missing)
}

/// Whether `object` goes since so short a time that what was made for it last need not be shown yet.
pub(super) fn is_early<K: Kind>(object: &K, now: Timestamp) -> bool {
    object.meta().deletion_timestamp.as_ref().is_some_and(|at| now.duration_since(at.0).abs() < LATE)
}

/// What people are told of what was made and is not shown.
pub(super) fn may_show(what: &str) -> String {
    format!("{what} was made and never shown by the provider; it is waited for ten minutes")
}

/// What people are told of a policy that waits for what these Buckets stand for, while rights on the buckets `kept` are set.
pub(super) fn waits_for(buckets: &[String], kept: &[String]) -> String {
    let waits = format!("waits for {} to make, or take over, what the policy names", abridged(buckets));
    match kept {
        [] => waits,
        kept => format!("{waits}; until then the rights on {} stay, and so do these buckets", abridged(kept)),
    }
}

/// That something is gone already is as good as that it went just now.
pub(super) fn gone<T>(done: Result<T, Failure>) -> Result<(), Failure> {
    match done {
        Ok(_) | Err(Failure::DependencyMissing(_)) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Takes a policy from a user.
pub(super) async fn detach(
    guard: &Guard,
    to: &Connection,
    user: &str,
    arn: &str,
) -> Result<Outcome, Failure> {
    let call = client(to)?.detach_user_policy().user_name(user).policy_arn(arn);
    gone(to.write(guard, "DetachUserPolicy", call.send()).await)?;
    Ok(Outcome::new(ConditionReason::Updated, format!("detached {arn} from user {user}")))
}

/// The SDK does not take a value: the spec is wrong.
pub(super) fn unbuildable(error: impl std::fmt::Display) -> Failure {
    Failure::Invalid(format!("it can't be asked for like this: {error}"))
}

#[cfg(test)]
mod tests {
    use concierge_shared::s3::User;
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_since_a_time_that_is_far_to_come_was_not_made_a_moment_ago() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let goes = |at: Timestamp| -> User {
            let meta = json!({ "name": "web", "deletionTimestamp": at.to_string() });
            let spec = json!({ "name": "web", "providerRef": { "name": "p" } });
            let user = json!({ "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "User", "metadata": meta, "spec": spec });
            serde_json::from_value(user).unwrap()
        };
        for (minutes, early) in [(-11, false), (-9, true), (0, true), (9, true), (11, false)] {
            let at = now + SignedDuration::from_mins(minutes);
            assert_eq!(is_early(&goes(at), now), early, "{minutes}");
        }
    }
}
