//! What the policies of a namespace may reach.

use super::{
    Lint,
    document::{Item, Statement},
    grants::ESCALATION,
    pattern::Pattern,
    resource::Arn,
    rules::*,
};

/// Actions by which a user gets rights that others have, beside those of IAM that let it raise its own.
const RAISING: &[(&str, &[&str])] = &[
    (
        "iam",
        &[
            "AttachGroupPolicy",
            "AttachRolePolicy",
            "CreateRole",
            "CreateUser",
            "DeleteRolePermissionsBoundary",
            "DeleteUserPermissionsBoundary",
            "PassRole",
            "PutGroupPolicy",
            "PutRolePermissionsBoundary",
            "PutRolePolicy",
            "PutUserPermissionsBoundary",
            "UpdateAccessKey",
        ],
    ),
    ("sts", &["AssumeRole", "AssumeRoot"]),
    ("kms", &["CreateGrant", "PutKeyPolicy"]),
];

/// What a statement would give to a tenant that is not the tenant's.
pub(super) fn check(lint: &mut Lint<'_>, statement: &Statement) {
    let Some(own) = lint.subject.own_buckets.filter(|_| !lint.subject.is_of_bucket() && statement.allows())
    else {
        return;
    };
    let actions = &statement.actions;
    // What is no action here may be one there.
    let is_s3 = |item: &Item| Pattern::of(&item.text).is_none_or(|one| one.is_s3());
    if actions.negated || actions.items.iter().any(is_s3) {
        check_buckets(lint, statement, own);
    }
    match actions.negated {
        true => check_others(lint, statement),
        false => actions.items.iter().for_each(|item| check_action(lint, item)),
    }
}

fn check_buckets(lint: &mut Lint<'_>, statement: &Statement, own: &[&str]) {
    if statement.resources.negated {
        let message = "reaches every bucket but those; name in Resource the buckets of this namespace";
        return lint.add(&TEN_01, statement.resources.span.clone(), message);
    }
    for item in &statement.resources.items {
        let bucket = match Arn::of(&item.text) {
            Some(arn) if arn.has_open_service() => "*",
            Some(arn) if !arn.is_s3() => continue,
            // An access point, and there may be a bucket of that name.
            Some(arn) if !arn.region.is_empty() || !arn.account.is_empty() => arn.resource,
            Some(arn) => arn.resource.split('/').next().unwrap_or_default(),
            None => "*",
        };
        if !own.contains(&bucket) {
            let message = format!("{bucket:?} is no bucket of this namespace; name one of its own, in full");
            lint.add(&TEN_01, item.span.clone(), message);
        }
    }
}

/// What all actions but some are allowed on.
fn check_others(lint: &mut Lint<'_>, statement: &Statement) {
    let resources = &statement.resources;
    let is_of_s3 = |item: &Item| Arn::of(&item.text).is_some_and(|arn| arn.is_s3());
    if resources.negated || !resources.items.iter().all(is_of_s3) {
        let message = "allows whatever is not listed on more than S3; list in Action what is needed";
        lint.add(&TEN_02, statement.actions.span.clone(), message);
    }
}

fn check_action(lint: &mut Lint<'_>, item: &Item) {
    let pattern = Pattern::of(&item.text);
    let message = match &pattern {
        Some(pattern) if raises_rights(pattern) => {
            format!("{} is not for the policies of a namespace; ask the owner of the account", item.text)
        }
        _ if lint.subject.borrowed && pattern.as_ref().is_none_or(|one| one.service != "s3") => format!(
            "{} is not for users at the Provider of another namespace, which may do what S3 has; remove it, or ask the owner of \
             the account",
            item.text
        ),
        _ => return,
    };
    lint.add(&TEN_02, item.span.clone(), message);
}

fn raises_rights(pattern: &Pattern) -> bool {
    let fits = |service: &str, actions: &[&str]| {
        actions.iter().any(|action| pattern.fits(service, &action.to_ascii_lowercase()))
    };
    fits("iam", ESCALATION) || RAISING.iter().any(|(service, actions)| fits(service, actions))
}
