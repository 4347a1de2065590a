//! Who a bucket policy is about.

use super::{
    Lint, Profile,
    document::{Item, Principals, Statement},
    resource::PARTITIONS,
    rules::*,
};

const FEDERATED: &str = "a bucket policy can't name a federated identity; name the role that it assumes";

/// What is wrong with whom a statement is about.
pub(super) fn check(lint: &mut Lint<'_>, statement: &Statement) {
    let Some(principals) = &statement.principals else { return };
    for (key, item) in &principals.items {
        match key.as_str() {
            "AWS" => check_aws(lint, item),
            "Service" => check_service(lint, item),
            "CanonicalUser" => check_canonical_user(lint, item),
            "Federated" => lint.add(&PRN_12, item.span.clone(), FEDERATED),
            _ => continue,
        }
        if item.text == "*" && principals.items.iter().filter(|(one, _)| one == key).nth(1).is_some() {
            lint.add(&PRN_07, item.span.clone(), "* means everybody; remove it, or the others");
        }
    }
    check_services(lint, statement, principals);
}

fn check_aws(lint: &mut Lint<'_>, item: &Item) {
    let text = item.text.as_str();
    if text == "*" || text.is_empty() {
        return;
    }
    if is_left_behind(text) {
        let message = format!("{text} is what is left of a deleted user or role; name a living one");
        return lint.add(&PRN_08, item.span.clone(), message);
    }
    match text.strip_prefix("arn:") {
        Some(rest) => check_arn(lint, item, rest),
        None if text.bytes().all(|c| c.is_ascii_digit()) => check_account(lint, item, text),
        None if text.contains(['*', '?']) => add_wildcard(lint, item),
        None if !lint.subject.profile.has_numbered_accounts() => {}
        None => lint.add(
            &PRN_04,
            item.span.clone(),
            format!("{text:?} is no principal; write *, an account id or arn:aws:iam::ACCOUNT:user/NAME"),
        ),
    }
}

/// The ids that IAM puts in place of an ARN once its user, role, group or instance profile is deleted.
fn is_left_behind(text: &str) -> bool {
    let is_id = |prefix: &str| text.starts_with(prefix) && text.len() >= 16;
    ["AIDA", "AROA", "AIPA", "ANPA", "AGPA"].into_iter().any(is_id)
        && text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn add_wildcard(lint: &mut Lint<'_>, item: &Item) {
    let message =
        "a part of a principal can't be a wildcard; use Principal \"*\" with ArnLike on aws:PrincipalArn";
    lint.add(&PRN_06, item.span.clone(), message);
}

fn check_account(lint: &mut Lint<'_>, item: &Item, account: &str) {
    let is_account = account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit());
    if !is_account && lint.subject.profile.has_numbered_accounts() {
        lint.add(&PRN_14, item.span.clone(), format!("{account:?} is no account id; write its 12 digits"));
    }
}

fn check_arn(lint: &mut Lint<'_>, item: &Item, rest: &str) {
    let parts: Vec<_> = rest.splitn(5, ':').collect();
    let [partition, service, region, account, resource] = parts[..] else {
        let message = "is no whole ARN; write arn:aws:iam::ACCOUNT:user/NAME";
        return lint.add(&PRN_04, item.span.clone(), message);
    };
    if item.text.contains(['*', '?']) {
        return add_wildcard(lint, item);
    }
    if resource.starts_with("group/") || resource.starts_with("instance-profile/") {
        let message = "a group or an instance profile is no principal; name its users or its role";
        return lint.add(&PRN_05, item.span.clone(), message);
    }
    let is_somebody = match service {
        "iam" => resource == "root" || named(resource, "user/") || named(resource, "role/"),
        "sts" => {
            resource.strip_prefix("assumed-role/").is_some_and(|role| role.contains('/'))
                || named(resource, "federated-user/")
        }
        _ => false,
    };
    if !is_somebody || !region.is_empty() {
        let message = format!(
            "{:?} is no principal; write arn:{partition}:iam::ACCOUNT:user/NAME, .../role/NAME or :root",
            item.text
        );
        return lint.add(&PRN_04, item.span.clone(), message);
    }
    check_account(lint, item, account);
    check_partition(lint, item, partition);
}

fn named(resource: &str, prefix: &str) -> bool {
    resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty())
}

fn check_partition(lint: &mut Lint<'_>, item: &Item, partition: &str) {
    let expected = lint.subject.profile.partition();
    if expected.is_some_and(|expected| expected != partition) || !PARTITIONS.contains(&partition) {
        let message =
            format!("{partition:?} is not the provider's partition; write {:?}", expected.unwrap_or("aws"));
        lint.add(&PRN_16, item.span.clone(), message);
    }
}

fn check_service(lint: &mut Lint<'_>, item: &Item) {
    let name = item.text.strip_suffix(".cn").unwrap_or(&item.text).strip_suffix(".amazonaws.com");
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
    };
    if !name.is_some_and(|name| name.split('.').all(is_label)) {
        let message = format!("{:?} is no service; write NAME.amazonaws.com", item.text);
        lint.add(&PRN_09, item.span.clone(), message);
    }
}

fn check_canonical_user(lint: &mut Lint<'_>, item: &Item) {
    let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let is_strict = matches!(lint.subject.profile, Profile::Aws | Profile::Generic | Profile::Wasabi);
    if is_strict && (item.text.len() != 64 || !item.text.bytes().all(is_hex)) {
        lint.add(&PRN_13, item.span.clone(), "is no canonical user id; write its 64 digits 0-9 and a-f");
    }
}

/// A service acts for whoever uses it: unless the source is named, for everybody.
fn check_services(lint: &mut Lint<'_>, statement: &Statement, principals: &Principals) {
    let Some(first) = principals.services().next().filter(|_| statement.allows()) else { return };
    let has = |names: &[&str]| {
        statement
            .conditions
            .iter()
            .any(|one| names.iter().any(|name| one.key.text.eq_ignore_ascii_case(name)))
    };
    if !has(&["aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths"]) {
        let message =
            "the service acts for any account; add a condition on aws:SourceAccount or aws:SourceArn";
        lint.add(&PRN_10, first.span.clone(), message);
    }
    if has(&["aws:Referer"]) {
        let message = "aws:Referer is easily forged; use aws:SourceAccount or aws:SourceArn";
        lint.add(&PRN_11, first.span.clone(), message);
    }
    let of_callers =
        ["aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalAccount", "aws:PrincipalArn"];
    for condition in &statement.conditions {
        if of_callers.iter().any(|key| condition.key.text.eq_ignore_ascii_case(key)) {
            let message = format!(
                "a service has no {}; use aws:SourceOrgID, aws:SourceAccount or aws:SourceArn",
                condition.key.text
            );
            lint.add(&PRN_17, condition.key.span.clone(), message);
        }
    }
}
