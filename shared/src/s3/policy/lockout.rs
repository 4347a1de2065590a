//! Whether a bucket policy shuts out who has to manage the bucket: then only the owner of the account can open it again.

use std::collections::BTreeMap;

use super::{
    Lint, Profile, Subject,
    caller::Caller,
    compare::Range,
    decide::{Decision, Request, decide},
    document::{Condition, Effect, Item, Policy, Statement},
    operator::{Comparison, Operator},
    resource::Arn,
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
    let caller = Caller::of(controller);
    let partition = Arn::of(controller).map_or("aws", |arn| arn.partition);
    let resource = format!("arn:{partition}:s3:::{}", bucket(lint.subject, policy));
    let known = context(&caller, lint.subject);
    for statement in policy.statements.iter().filter(|one| one.effect == Effect::Deny) {
        let (certain, open) = certain(statement, &caller, lint.subject.profile);
        let alone = Policy { version: policy.version, statements: vec![certain] };
        let denies = |face: &str, action: &str| {
            let request =
                Request { principal: Some(face), action, resource: &resource, context: known.clone() };
            decide(&alone, &request) == Decision::Deny
        };
        if let Some(action) = NEEDED.iter().find(|action| caller.faces().any(|face| denies(face, action))) {
            add(lint, &caller, statement, action, open);
        }
    }
}

/// The bucket of the policy. Where nobody says which that is, it is the one that the policy names; where it names none, any will do.
fn bucket<'a>(subject: &Subject<'a>, policy: &'a Policy) -> &'a str {
    let in_full = |item: &'a Item| {
        let arn = Arn::of(&item.text).filter(|arn| arn.is_s3() && arn.region.is_empty())?;
        arn.resource.split('/').next().filter(|name| !name.contains(['*', '?', '$']))
    };
    let mut resources = policy.statements.iter().flat_map(|one| &one.resources.items);
    subject.bucket.or_else(|| resources.find_map(in_full)).unwrap_or("bucket")
}

/// `open`: the conditions on which it depends whether the action is denied.
fn add(lint: &mut Lint<'_>, caller: &Caller<'_>, statement: &Statement, action: &str, open: Vec<&Condition>) {
    let whom = caller.principal_arn();
    if open.is_empty() {
        let message = format!(
            "denies {action} to Concierge ({whom}), which could not mend the policy any more; exempt it with \
             ArnNotLike on aws:PrincipalArn, or set allowLockout"
        );
        lint.add(&LCK_01, statement.span.clone(), message);
    } else if let Some(condition) = open.into_iter().find(|one| !is_network(one)) {
        let message = format!(
            "denies {action}, perhaps to Concierge ({whom}) too, of which {} is not known here; exempt it with ArnNotLike on \
             aws:PrincipalArn",
            condition.key.text
        );
        lint.add(&LCK_03, condition.key.span.clone(), message);
    }
}

/// What is known of Concierge's requests: by whom they are, and how they are made.
fn context(caller: &Caller<'_>, subject: &Subject<'_>) -> BTreeMap<String, Vec<String>> {
    let known = [
        ("aws:principalarn", Some(caller.principal_arn())),
        ("aws:principalaccount", Some(caller.account())),
        ("aws:principaltype", Some(caller.kind())),
        ("aws:principalisawsservice", Some("false")),
        ("aws:viaawsservice", Some("false")),
        ("aws:securetransport", Some(if subject.plain_http { "false" } else { "true" })),
        ("aws:username", caller.user_name()),
        ("aws:resourceaccount", subject.account),
        ("s3:resourceaccount", subject.account),
        ("s3:authtype", Some("REST-HEADER")),
        ("s3:signatureversion", Some("AWS4-HMAC-SHA256")),
    ];
    known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), vec![value?.to_owned()]))).collect()
}

/// Keys that requests have, with values that nobody here knows.
const OPEN: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:requestedregion",
    "aws:useragent",
    "aws:userid",
    "s3:signatureage",
    "s3:tlsversion",
    "s3:x-amz-content-sha256",
];

/// How keys begin that requests have where the account is in an organisation, or the caller or the bucket has tags. Only AWS knows these.
const OPEN_AT_AWS: &[&str] =
    &["aws:principalorg", "aws:principaltag/", "aws:resourceorg", "aws:resourcetag/", "s3:buckettag/"];

fn is_open(condition: &Condition, profile: Profile) -> bool {
    let key = &*condition.key.text.to_ascii_lowercase();
    let may_be_aws = matches!(profile, Profile::Aws | Profile::Generic);
    is_network(condition) && !is_everywhere(condition)
        || OPEN.contains(&key)
        || may_be_aws && OPEN_AT_AWS.iter().any(|start| key.starts_with(start))
}

/// The statement with the conditions that can be judged, and those that can't.
fn certain<'a>(
    statement: &'a Statement,
    caller: &Caller<'_>,
    profile: Profile,
) -> (Statement, Vec<&'a Condition>) {
    let is_open = |one: &&Condition| is_open(one, profile);
    let mut certain = statement.clone();
    certain.conditions.retain(|one| !is_open(&one) && !is_everywhere(one));
    caller.leave_out_path(&mut certain);
    (certain, statement.conditions.iter().filter(is_open).collect())
}

/// Whether it is about an address, and every one of version 4 or 6 will do.
fn is_everywhere(condition: &Condition) -> bool {
    let is_in = Operator::of(&condition.operator.text)
        .is_some_and(|operator| operator.comparison == Comparison::Ip { negated: false });
    is_in
        && condition.key.text.eq_ignore_ascii_case("aws:SourceIp")
        && Range::cover_everything(condition.values.iter().map(|value| &*value.text))
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
                    .is_some_and(|operator| operator.is_negated() || operator.comparison == Comparison::Null)
        });
        if let Some(condition) = denies_others.filter(|_| !exempts) {
            let message = "denies whoever calls from elsewhere, perhaps Concierge too; exempt it with ArnNotLike on \
                           aws:PrincipalArn";
            lint.add(&LCK_03, condition.key.span.clone(), message);
        }
    }
}
