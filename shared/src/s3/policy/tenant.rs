//! What the policies of a namespace may reach.

use super::{Lint, document::Statement, pattern::Pattern, resource::Arn, rules::*};

const KMS_GRANTS: &[&str] = &["creategrant", "putkeypolicy"];

/// What a statement would give to a tenant that is not the tenant's.
pub(super) fn check(lint: &mut Lint<'_>, statement: &Statement) {
    let Some(own) = lint.subject.own_buckets.filter(|_| !lint.subject.is_of_bucket() && statement.allows())
    else {
        return;
    };
    let patterns: Vec<_> = statement
        .actions
        .items
        .iter()
        .filter_map(|item| Pattern::of(&item.text).map(|one| (item, one)))
        .collect();
    let reaches_s3 = statement.actions.negated
        || patterns.iter().any(|(_, one)| one.fits("s3", "getobject") || !one.s3_actions().is_empty());
    if reaches_s3 {
        check_buckets(lint, statement, own);
    }
    let is_wide =
        statement.resources.negated || statement.resources.items.iter().any(|item| item.text == "*");
    for (item, pattern) in patterns {
        let all_of_iam =
            pattern.fits("iam", "") || pattern.fits("iam", "createuser") && pattern.name.contains('*');
        let assumes = is_wide && pattern.fits("sts", "assumerole");
        if all_of_iam || assumes || KMS_GRANTS.iter().any(|grant| pattern.fits("kms", grant)) {
            let message =
                format!("{} is not for the policies of a namespace; ask the owner of the account", item.text);
            lint.add(&TEN_02, item.span.clone(), message);
        }
    }
}

fn check_buckets(lint: &mut Lint<'_>, statement: &Statement, own: &[&str]) {
    if statement.resources.negated {
        let message = "reaches every bucket but those; name in Resource the buckets of this namespace";
        return lint.add(&TEN_01, statement.resources.span.clone(), message);
    }
    for item in &statement.resources.items {
        let bucket = match Arn::of(&item.text) {
            Some(arn) if arn.service == "s3" => arn.resource.split('/').next().unwrap_or_default(),
            Some(_) => continue,
            None => "*",
        };
        if !own.contains(&bucket) {
            let message = format!("{bucket:?} is no bucket of this namespace; name one of its own, in full");
            lint.add(&TEN_01, item.span.clone(), message);
        }
    }
}
