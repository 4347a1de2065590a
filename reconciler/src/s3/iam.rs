//! What users and policies at IAM have in common.

mod document;
mod pages;
mod path;
mod refusals;
mod tags;

use aws_sdk_iam::Client;
use concierge_shared::{kind::Kind, status::ConditionReason};
use jiff::Timestamp;

pub(super) use document::says_the_same;
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
    object.meta().deletion_timestamp.as_ref().is_some_and(|at| now.duration_since(at.0) < LATE)
}

/// What people are told of what was made and is not shown.
pub(super) fn may_show(what: &str) -> String {
    format!("{what} was made and never shown by the provider; it is waited for ten minutes")
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
