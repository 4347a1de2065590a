//! Whether a bucket policy shuts out who has to manage the bucket: then only the owner of the account can open it again.

use std::collections::BTreeMap;

use super::{
    Lint,
    decide::Request,
    document::{Condition, Effect, Policy, Statement},
    operator::{Comparison, Operator},
    rules::{LCK_01, LCK_03},
};

/// What Concierge calls at a bucket that it manages.
const NEEDED: &[&str] = &[
    "s3:GetBucketPolicy",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:GetBucketTagging",
    "s3:PutBucketTagging",
    "s3:GetBucketVersioning",
    "s3:ListBucket",
];

/// Says which statements shut Concierge out, unless that is meant. What is attached to a user concerns that user alone.
pub(super) fn check(lint: &mut Lint<'_>, policy: &Policy) {
    if !lint.subject.is_of_bucket() || lint.subject.allow_lockout {
        return;
    }
    if let Some(controller) = lint.subject.controller {
        check_controller(lint, policy, controller);
    }
    check_addresses(lint, policy);
}

fn check_controller(lint: &mut Lint<'_>, policy: &Policy, controller: &str) {
    let resource = format!("arn:aws:s3:::{}", lint.subject.bucket.unwrap_or("bucket"));
    let known = context(controller, lint.subject.plain_http);
    for statement in policy.statements.iter().filter(|one| one.effect == Effect::Deny) {
        let alone = Policy { version: policy.version, statements: vec![certain(statement)] };
        let denied = NEEDED.iter().find(|action| {
            let request =
                Request { principal: Some(controller), action, resource: &resource, context: known.clone() };
            super::decide::decide(&alone, &request) == super::decide::Decision::Deny
        });
        if let Some(action) = denied {
            let message = format!(
                "denies {action} to Concierge ({controller}), which could not mend the policy any more; exempt it with \
                 ArnNotLike on aws:PrincipalArn, or set allowLockout"
            );
            lint.add(&LCK_01, statement.span.clone(), message);
        }
    }
}

/// What is known of Concierge's requests: whether they are encrypted, and by whom they are. Roles have no user name.
fn context(controller: &str, plain_http: bool) -> BTreeMap<String, Vec<String>> {
    let account = controller.split(':').nth(4).unwrap_or_default();
    let user = controller.split_once(":user/").map(|(_, path)| path.rsplit('/').next().unwrap_or(path));
    let known = [
        ("aws:principalarn", Some(controller)),
        ("aws:principalaccount", Some(account)),
        ("aws:securetransport", Some(if plain_http { "false" } else { "true" })),
        ("aws:username", user),
    ];
    known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), vec![value?.to_owned()]))).collect()
}

/// The statement without the conditions on addresses and networks, which are only a warning: nobody here knows from where
/// Concierge calls.
fn certain(statement: &Statement) -> Statement {
    let mut certain = statement.clone();
    let mut by_network = false;
    certain.conditions.retain(|condition| {
        by_network |= is_network(condition);
        !is_network(condition)
    });
    if by_network && certain.conditions.is_empty() {
        certain.actions.items.clear();
        certain.actions.negated = false;
    }
    certain
}

fn is_network(condition: &Condition) -> bool {
    let key = condition.key.text.to_ascii_lowercase();
    ["aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc", "aws:sourcevpce"].contains(&key.as_str())
}

fn check_addresses(lint: &mut Lint<'_>, policy: &Policy) {
    for statement in policy.statements.iter().filter(|one| one.effect == Effect::Deny) {
        let exempts = statement.conditions.iter().any(|one| {
            one.key.text.eq_ignore_ascii_case("aws:PrincipalArn")
                && Operator::of(&one.operator.text).is_some_and(Operator::is_negated)
        });
        let denies_others = statement.conditions.iter().find(|one| {
            is_network(one)
                && Operator::of(&one.operator.text)
                    .is_some_and(|operator| operator.is_negated() && operator.comparison != Comparison::Null)
        });
        if let Some(condition) = denies_others.filter(|_| !exempts) {
            let message = "denies whoever calls from elsewhere, perhaps Concierge too; exempt it with ArnNotLike on \
                           aws:PrincipalArn";
            lint.add(&LCK_03, condition.key.span.clone(), message);
        }
    }
}
