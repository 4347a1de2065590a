//! What may be done by whom, where it is too much.

use super::{
    Lint,
    document::{Item, Statement},
    pattern::Pattern,
    public::is_statement_public,
    rules::*,
};

/// Actions that change who may do what.
const PERMISSIONS: &[&str] = &[
    "PutBucketPolicy",
    "DeleteBucketPolicy",
    "PutBucketAcl",
    "PutObjectAcl",
    "PutObjectVersionAcl",
    "PutBucketPublicAccessBlock",
    "PutBucketOwnershipControls",
    "BypassGovernanceRetention",
    "ObjectOwnerOverrideToBucketOwner",
];

/// IAM actions by which a user raises its own rights.
pub(super) const ESCALATION: &[&str] = &[
    "AddUserToGroup",
    "AttachUserPolicy",
    "CreateAccessKey",
    "CreateLoginProfile",
    "CreatePolicyVersion",
    "PutUserPolicy",
    "SetDefaultPolicyVersion",
    "UpdateAssumeRolePolicy",
    "UpdateLoginProfile",
];

/// What is wrong with what a statement allows.
pub(super) fn check(lint: &mut Lint<'_>, statement: &Statement, patterns: &[(&Item, Pattern)]) {
    for (item, pattern) in patterns {
        if pattern.name == "*" {
            let message =
                format!("allows every action of {}; list those that are needed", service_name(pattern));
            lint.add(&ACT_12, item.span.clone(), message);
        }
    }
    check_permissions(lint, statement, patterns);
    check_reach(lint, patterns);
    if !lint.subject.is_of_bucket() {
        check_escalation(lint, statement, patterns);
    }
}

fn service_name(pattern: &Pattern) -> &str {
    if pattern.service == "*" { "every service" } else { &pattern.service }
}

fn check_permissions(lint: &mut Lint<'_>, statement: &Statement, patterns: &[(&Item, Pattern)]) {
    let Some(principals) = &statement.principals else { return };
    let own = lint.subject.account;
    let is_foreign = principals
        .items
        .iter()
        .any(|(key, item)| key == "AWS" && own.is_some_and(|own| !item.text.contains(own)));
    let is_public = is_statement_public(statement);
    for (item, pattern) in patterns.iter().filter(|_| is_public || is_foreign) {
        let actions = pattern.s3_actions();
        let is_among = |name: &&&str| actions.iter().any(|action| action.name == **name);
        let Some(action) = PERMISSIONS.iter().find(is_among) else { continue };
        if is_public {
            let message = format!("lets everybody call s3:{action}; name who may");
            lint.add(&ACT_14_PUBLIC, item.span.clone(), message);
        } else {
            let message = format!("lets another account call s3:{action}; leave it to your own");
            lint.add(&ACT_14, item.span.clone(), message);
        }
    }
}

/// Who may rewrite the policy, the ACL or the lifecycle can read or delete the objects sooner or later.
fn check_reach(lint: &mut Lint<'_>, patterns: &[(&Item, Pattern)]) {
    let allows = |action: &str| patterns.iter().any(|(_, pattern)| pattern.fits("s3", action));
    let deletes = allows("deleteobject");
    let reads_and_writes = deletes && ["putobject", "getobject"].into_iter().all(allows);
    for (item, pattern) in patterns {
        let fits = |action| pattern.fits("s3", action);
        if (fits("putbucketpolicy") || fits("putbucketacl")) && !reads_and_writes {
            let message = "lets change the policy or ACL, and so give oneself the objects; remove it, unless that is meant";
            lint.add(&ACT_15, item.span.clone(), message);
        } else if fits("putlifecycleconfiguration") && !deletes {
            let message = "lets make rules that delete objects, as s3:DeleteObject does; remove it, unless that is meant";
            lint.add(&ACT_15, item.span.clone(), message);
        }
    }
}

fn check_escalation(lint: &mut Lint<'_>, statement: &Statement, patterns: &[(&Item, Pattern)]) {
    let is_wide =
        statement.resources.negated || statement.resources.items.iter().any(|item| item.text == "*");
    let is_bound = statement.conditions.iter().any(|one| {
        ["iam:PassedToService", "iam:AWSServiceName"].iter().any(|key| one.key.text.eq_ignore_ascii_case(key))
    });
    for (item, pattern) in patterns.iter().filter(|_| is_wide) {
        let passes = pattern.fits("iam", "passrole") || pattern.fits("iam", "createservicelinkedrole");
        if passes && !is_bound {
            let message =
                "allows to hand on any role; name the roles, or add a condition on iam:PassedToService";
            lint.add(&ACT_16, item.span.clone(), message);
        }
        if let Some(action) =
            ESCALATION.iter().find(|action| pattern.fits("iam", &action.to_ascii_lowercase()))
        {
            let message =
                format!("iam:{action} on everything lets the user raise its own rights; name the users");
            lint.add(&ACT_17, item.span.clone(), message);
        }
    }
}
