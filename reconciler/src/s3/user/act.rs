//! What is done to a user.

use concierge_shared::{s3::User, status::ConditionReason};

use super::{CREATE, POLICY, POLICY_REF, observe, policy_name};
use crate::{
    engine::{Failure, Guard, Outcome},
    s3::{
        connection::Connection,
        iam::{self, Change},
    },
};

pub(super) async fn create(guard: &Guard, to: &Connection, user: &User) -> Result<Outcome, Failure> {
    let name = &user.spec.name;
    let place = observe::place(to, user);
    let call = iam::client(to)?.create_user().user_name(name).set_path(place.path());
    let made = to.write(guard, CREATE, call.send()).await?;
    let made = made.user().map(observe::identity);
    let id = made.ok_or_else(|| Failure::Ambiguous(format!("{CREATE} was answered without a user")))?;
    Ok(Outcome::made(id, format!("created user {name}")))
}

pub(super) async fn set_policy(
    guard: &Guard,
    to: &Connection,
    user: &User,
    replaces: bool,
) -> Result<Outcome, Failure> {
    let name = &user.spec.name;
    let text = user.spec.document().unwrap_or_default();
    let call = iam::client(to)?.put_user_policy().user_name(name);
    let call = call.policy_name(policy_name(user)).policy_document(text).send();
    let done = to.try_write(guard, "PutUserPolicy", call).await;
    let done = done.map_err(|failure| {
        full(failure, "the inline policies of a user may have 2048 characters together; use an IAMPolicy")
    })?;
    let (reason, word) = match replaces {
        true => (ConditionReason::Updated, "replaced"),
        false => (ConditionReason::Created, "set"),
    };
    let usual = Outcome::new(reason, format!("{word} the policy of user {name}"));
    Ok(iam::note(to, user, POLICY, done).unwrap_or(usual))
}

pub(super) async fn attach(
    guard: &Guard,
    to: &Connection,
    user: &User,
    arn: &str,
) -> Result<Outcome, Failure> {
    let name = &user.spec.name;
    let call = iam::client(to)?.attach_user_policy().user_name(name).policy_arn(arn).send();
    let done = to.try_write(guard, "AttachUserPolicy", call).await;
    let done = done.map_err(|failure| full(failure, "a user has at most ten policies; detach one"))?;
    let usual = Outcome::new(ConditionReason::Updated, format!("attached {arn} to user {name}"));
    Ok(iam::note(to, user, POLICY_REF, done).unwrap_or(usual))
}

/// Says which limit it is that a service tells of.
fn full(failure: Failure, limit: &str) -> Failure {
    match failure {
        Failure::Invalid(why) if why.contains("LimitExceeded") => {
            Failure::Invalid(format!("{why} ({limit})"))
        }
        failure => failure,
    }
}

pub(super) async fn tag(
    guard: &Guard,
    to: &Connection,
    user: &User,
    change: &Change,
) -> Result<Outcome, Failure> {
    let (name, iam) = (&user.spec.name, iam::client(to)?);
    let untag = |keys| {
        to.try_write(guard, "UntagUser", iam.untag_user().user_name(name).set_tag_keys(Some(keys)).send())
    };
    let tag =
        |tags| to.try_write(guard, "TagUser", iam.tag_user().user_name(name).set_tags(Some(tags)).send());
    let usual = Outcome::new(ConditionReason::Updated, format!("set tags of user {name}: {change}"));
    Ok(iam::change_tags(to, user, change, untag, tag).await?.unwrap_or(usual))
}
