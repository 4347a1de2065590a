//! With what something may be done.

use super::{
    Lint,
    document::{Item, Statement},
    glob,
    pattern::{About, Pattern},
    rules::*,
};

pub(super) const PARTITIONS: &[&str] =
    &["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];
const IAM_KINDS: &[&str] = &[
    "user/",
    "federated-user/",
    "role/",
    "role-template/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];
/// Things of S3 that are neither bucket nor object: their ARNs have a region and an account.
const ELSEWHERE: &[&str] = &["accesspoint", "access-grants", "async-request", "job/", "storage-lens"];

/// What a resource of S3 reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Object,
    Bucket,
    Both,
    /// Access points, jobs and the like, or another service.
    Elsewhere,
    /// A variable or a wrong ARN: nobody can tell.
    Unclear,
}

/// What `resource` reaches.
pub(super) fn target(resource: &str) -> Target {
    if resource == "*" {
        return Target::Both;
    }
    let Some(arn) = Arn::of(resource) else { return Target::Unclear };
    if arn.service != "s3" {
        return if arn.service.contains('*') { Target::Both } else { Target::Elsewhere };
    }
    if ELSEWHERE.iter().any(|prefix| arn.resource.starts_with(prefix)) {
        return Target::Elsewhere;
    }
    match arn.resource.split_once('/') {
        Some(_) => Target::Object,
        // `bucket*` fits `bucket/key` too.
        None if arn.resource.contains(['*', '$']) => Target::Both,
        None => Target::Bucket,
    }
}

/// The parts of an ARN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arn<'a> {
    pub(super) partition: &'a str,
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// `None` when a part is missing.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }

    /// Whether it is a pattern of services, or a variable: it may reach each of them.
    pub(super) fn has_open_service(self) -> bool {
        self.service.contains(['*', '?', '$'])
    }

    pub(super) fn is_s3(self) -> bool {
        self.service.eq_ignore_ascii_case("s3")
    }
}

/// What is wrong with the resources of a statement.
pub(super) fn check(lint: &mut Lint<'_>, statement: &Statement) {
    let items = &statement.resources.items;
    let is_wide = !lint.subject.is_of_bucket() && allows_narrower(statement);
    for item in items.iter().filter(|item| !item.text.is_empty()) {
        check_one(lint, is_wide, item);
    }
    if !lint.may_compare(items.len()) {
        return;
    }
    let patterns: Vec<_> = items.iter().map(|item| glob::Pattern::new(&item.text)).collect();
    for (item, pattern) in items.iter().zip(&patterns) {
        let mut others = items.iter().zip(&patterns);
        let wider = others.find(|(other, wider)| other.text != item.text && wider.covers(pattern));
        if let Some((by, _)) = wider {
            lint.add(
                &RES_13,
                item.span.clone(),
                format!("{} is covered by {}; remove it", item.text, by.text),
            );
        }
    }
}

fn check_one(lint: &mut Lint<'_>, is_wide: bool, item: &Item) {
    if item.text == "*" {
        return check_all(lint, is_wide, item);
    }
    let Some(arn) = Arn::of(&item.text) else {
        let message =
            format!("{:?} is no ARN; write arn:aws:s3:::BUCKET or arn:aws:s3:::BUCKET/KEY", item.text);
        return lint.add(&RES_01, item.span.clone(), message);
    };
    check_partition(lint, item, arn);
    if arn.has_open_service() {
        let message = format!("{:?} is a pattern of services; name the service in full", arn.service);
        lint.add(&RES_03, item.span.clone(), message);
    } else if arn.service.bytes().any(|c| c.is_ascii_uppercase()) {
        let message = format!("the service is in lower case: {}", arn.service.to_ascii_lowercase());
        lint.add(&RES_03, item.span.clone(), message);
    }
    check_account(lint, item, arn);
    match arn.service {
        "s3" => check_s3(lint, is_wide, item, arn),
        _ if lint.subject.is_of_bucket() => {
            let message =
                "a bucket policy is about its bucket; write arn:aws:s3:::BUCKET or arn:aws:s3:::BUCKET/KEY";
            lint.add(&RES_14, item.span.clone(), message);
        }
        "iam" => check_iam(lint, item, arn),
        _ => {}
    }
}

fn check_all(lint: &mut Lint<'_>, is_wide: bool, item: &Item) {
    if lint.subject.is_of_bucket() {
        let bucket = lint.subject.bucket.unwrap_or("BUCKET");
        let message =
            format!("is refused in a bucket policy; write arn:aws:s3:::{bucket} and arn:aws:s3:::{bucket}/*");
        return lint.add(&RES_08, item.span.clone(), message);
    }
    check_width(lint, is_wide, item);
}

/// Whether a statement allows what could be allowed on less than everything.
fn allows_narrower(statement: &Statement) -> bool {
    let is_narrower = |action: &Item| {
        Pattern::of(&action.text).is_some_and(|pattern| {
            let mut actions = pattern.s3_actions().iter();
            pattern.service == "s3"
                && actions.any(|action| matches!(action.about, About::Object | About::Bucket))
        })
    };
    let actions = &statement.actions;
    statement.allows() && !actions.negated && actions.items.iter().any(is_narrower)
}

fn check_width(lint: &mut Lint<'_>, is_wide: bool, item: &Item) {
    if is_wide {
        lint.add(&RES_12, item.span.clone(), "reaches every bucket; name those that are meant");
    }
}

fn check_partition(lint: &mut Lint<'_>, item: &Item, arn: Arn<'_>) {
    let expected = lint.subject.profile.partition();
    let is_pattern = arn.partition.contains(['*', '?', '$']);
    let is_right = match (expected, is_pattern) {
        (_, true) => !lint.subject.is_of_bucket(),
        (Some(expected), false) => expected == arn.partition,
        (None, false) => PARTITIONS.contains(&arn.partition),
    };
    if !is_right {
        let message = format!(
            "{:?} is not the provider's partition; write {:?}",
            arn.partition,
            expected.unwrap_or("aws")
        );
        lint.add(&RES_02, item.span.clone(), message);
    }
}

fn check_account(lint: &mut Lint<'_>, item: &Item, arn: Arn<'_>) {
    let account = arn.account;
    let is_right = account.is_empty()
        || account == "aws"
        || account.contains(['*', '?', '$'])
        || (account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit()))
        || !lint.subject.profile.has_numbered_accounts()
        || is_bucket_or_object(arn);
    if !is_right {
        lint.add(&RES_06, item.span.clone(), format!("{account:?} is no account id; write its 12 digits"));
    }
}

fn is_bucket_or_object(arn: Arn<'_>) -> bool {
    arn.service == "s3" && !ELSEWHERE.iter().any(|prefix| arn.resource.starts_with(prefix))
}

fn check_s3(lint: &mut Lint<'_>, is_wide: bool, item: &Item, arn: Arn<'_>) {
    if !is_bucket_or_object(arn) {
        if lint.subject.is_of_bucket() {
            let message = "is no bucket or object; grant it in the policy of the access point or of the user";
            lint.add(&RES_15, item.span.clone(), message);
        }
        return;
    }
    let is_narrowed = |part: &str| !part.is_empty() && (part != "*" || lint.subject.is_of_bucket());
    if is_narrowed(arn.region) || is_narrowed(arn.account) {
        let message = format!(
            "a bucket's ARN has neither region nor account; write arn:{}:s3:::{}",
            arn.partition, arn.resource
        );
        return lint.add(&RES_04, item.span.clone(), message);
    }
    let (bucket, key) =
        arn.resource.split_once('/').map_or((arn.resource, None), |(bucket, key)| (bucket, Some(key)));
    if bucket.is_empty() {
        let message = "the bucket is missing; write arn:aws:s3:::BUCKET or arn:aws:s3:::BUCKET/KEY";
        return lint.add(&RES_09, item.span.clone(), message);
    }
    if key.is_some_and(|key| key.len() > 1024) {
        lint.add(&RES_10, item.span.clone(), "no object has a key of more than 1,024 bytes; shorten it");
    }
    match lint.subject.is_of_bucket() {
        true => check_own_bucket(lint, item, bucket),
        false if bucket.chars().all(|c| c == '*') => check_width(lint, is_wide, item),
        false if key.is_none() && bucket.len() > 1 && bucket.ends_with('*') => {
            let message = format!(
                "reaches every bucket whose name begins so; write {}/*",
                item.text.trim_end_matches('*')
            );
            lint.add(&RES_11, item.span.clone(), message);
        }
        false => {}
    }
}

fn check_own_bucket(lint: &mut Lint<'_>, item: &Item, bucket: &str) {
    let is_own = lint.subject.bucket.is_none_or(|own| own == bucket);
    if bucket.contains(['*', '?', '$']) || !is_own {
        let own = lint.subject.bucket.unwrap_or("BUCKET");
        let message = format!(
            "{bucket:?} is not the bucket of this policy; write arn:aws:s3:::{own} or arn:aws:s3:::{own}/KEY"
        );
        lint.add(&RES_07, item.span.clone(), message);
    }
}

fn check_iam(lint: &mut Lint<'_>, item: &Item, arn: Arn<'_>) {
    let is_pattern = arn.resource.starts_with(['*', '$']) || arn.resource == "root";
    let is_known = is_pattern
        || IAM_KINDS.iter().any(|kind| {
            arn.resource.starts_with(kind) || kind.starts_with(arn.resource.trim_end_matches('*'))
        });
    if !(arn.region.is_empty() || arn.region == "*") {
        let message =
            format!("IAM has no regions; write arn:{}:iam::{}:{}", arn.partition, arn.account, arn.resource);
        lint.add(&RES_05, item.span.clone(), message);
    } else if !is_known {
        let message =
            format!("{:?} is nothing of IAM; write user/NAME, role/NAME or policy/NAME", arn.resource);
        lint.add(&RES_05, item.span.clone(), message);
    }
}
