//! Whether a bucket policy lets everybody in, as Block Public Access understands it: a policy is public if one Allow is;
//! what is denied elsewhere does not count.

use super::{
    Lint,
    compare::Range,
    document::{Condition, Policy, Statement},
    operator::{Comparison, Operator, Set},
    resource::Arn,
    rules::PUB_02,
};

/// Keys whose fixed value says who calls.
const RESTRICTING: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

/// Says which statements are public, unless that is meant.
pub(super) fn check(lint: &mut Lint<'_>, policy: &Policy) {
    if !lint.subject.is_of_bucket() || lint.subject.allow_public {
        return;
    }
    for statement in policy.statements.iter().filter(|statement| is_statement_public(statement)) {
        let span = statement.principals.as_ref().map_or(statement.span.clone(), |one| one.span.clone());
        let message = "lets everybody in; name the principals, add a condition on fixed callers such as aws:SourceIp, or set \
                       allowPublic on the Bucket";
        lint.add(&PUB_02, span, message);
    }
}

/// Whether a statement of the policy lets everybody in.
pub fn is_public(policy: &Policy) -> bool {
    policy.statements.iter().any(is_statement_public)
}

pub(super) fn is_statement_public(statement: &Statement) -> bool {
    let Some(principals) = statement.principals.as_ref().filter(|_| statement.allows()) else { return false };
    let is_open = principals.negated
        || principals.items.iter().any(|(key, item)| key == "Federated" || item.text.contains(['*', '?']));
    is_open && (principals.negated || !statement.conditions.iter().any(restricts))
}

fn restricts(condition: &Condition) -> bool {
    let key = condition.key.text.to_ascii_lowercase();
    let Some(operator) = Operator::of(&condition.operator.text) else { return false };
    let is_equality = matches!(
        operator.comparison,
        Comparison::Text { negated: false, .. }
            | Comparison::Arn { negated: false, .. }
            | Comparison::Ip { negated: false }
    );
    // Both are true when the key is missing.
    let can_be_empty = operator.if_exists || operator.set == Some(Set::All);
    is_equality
        && !can_be_empty
        && RESTRICTING.contains(&key.as_str())
        && !condition.values.is_empty()
        && condition.values.iter().all(|value| is_fixed(&key, &value.text))
}

fn is_fixed(key: &str, value: &str) -> bool {
    let is_open = |text: &str| text.contains(['*', '?']) || text.contains("${");
    match key {
        "aws:sourceip" => Range::of(value).is_some_and(Range::is_narrow),
        "s3:dataaccesspointarn" => Arn::of(value).is_some_and(|arn| {
            !arn.region.is_empty() && !arn.account.is_empty() && !is_open(arn.region) && !is_open(arn.account)
        }),
        _ => !is_open(value),
    }
}
