//! What may be done.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::{
    Lint, Profile,
    catalogue::{ACCOUNT_ACTIONS, BUCKET_ACTIONS, NO_ACTIONS, OBJECT_ACTIONS, OTHER_ACTIONS, SERVICES},
    document::{Item, Statement},
    glob, is_near,
    resource::{self, Target},
    rules::*,
};

/// What an S3 action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// An object.
    Object,
    /// A bucket.
    Bucket,
    /// The account.
    Account,
    /// Something else.
    Other,
}

/// An action of S3.
#[derive(Debug)]
pub(super) struct S3Action {
    /// Its name as AWS writes it, without `s3:`.
    pub(super) name: &'static str,
    /// Its name in lower case.
    lower: String,
    /// What it is about.
    pub(super) about: About,
}

/// All actions of S3.
pub(super) static S3_ACTIONS: LazyLock<Vec<S3Action>> = LazyLock::new(|| {
    let lists = [
        (About::Object, OBJECT_ACTIONS),
        (About::Bucket, BUCKET_ACTIONS),
        (About::Account, ACCOUNT_ACTIONS),
        (About::Other, OTHER_ACTIONS),
    ];
    let all = lists.into_iter().flat_map(|(about, names)| {
        names.split_whitespace().map(move |name| S3Action { name, lower: name.to_ascii_lowercase(), about })
    });
    all.collect()
});

static BY_NAME: LazyLock<HashMap<&'static str, &'static S3Action>> =
    LazyLock::new(|| S3_ACTIONS.iter().map(|action| (action.lower.as_str(), action)).collect());

static KNOWN_SERVICES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| SERVICES.split_whitespace().collect());

/// The services nearest to S3: only a misspelling of one of these is taken for one.
const NEAR_SERVICES: &[&str] = &["s3", "iam", "sts", "kms", "sns", "sqs", "lambda", "logs"];

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
const ESCALATION: &[&str] = &[
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

/// An action or a pattern of actions, in lower case: service and name.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) service: String,
    pub(super) name: String,
}

impl Pattern {
    /// `None` when the text is no action.
    pub(super) fn of(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self { service: "*".into(), name: "*".into() });
        }
        let (service, name) = text.split_once(':')?;
        let is_service = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '*' || c == '?';
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '*' || c == '?';
        let is_good = !service.is_empty()
            && service.chars().all(is_service)
            && !name.is_empty()
            && name.chars().all(is_name);
        is_good.then(|| Self { service: service.to_ascii_lowercase(), name: name.to_ascii_lowercase() })
    }

    /// True when the action `name` of `service`, both in lower case, fits.
    pub(super) fn fits(&self, service: &str, name: &str) -> bool {
        glob::matches(&self.service, service) && glob::matches(&self.name, name)
    }

    fn is_s3(&self) -> bool {
        glob::matches(&self.service, "s3")
    }

    /// The actions of S3 that fit.
    pub(super) fn s3_actions(&self) -> Vec<&'static S3Action> {
        match (self.is_s3(), self.name.contains(['*', '?'])) {
            (false, _) => Vec::new(),
            (true, false) => BY_NAME.get(self.name.as_str()).copied().into_iter().collect(),
            (true, true) => S3_ACTIONS.iter().filter(|one| glob::matches(&self.name, &one.lower)).collect(),
        }
    }

    /// True when every action that fits `other` fits this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        glob::covers(&self.service, &other.service) && glob::covers(&self.name, &other.name)
    }
}

/// What is wrong with the actions of a statement.
pub(super) fn check(lint: &mut Lint<'_>, statement: &Statement) {
    let mut patterns = Vec::new();
    for item in statement.actions.items.iter().filter(|item| !item.text.is_empty()) {
        let Some(pattern) = Pattern::of(&item.text) else {
            let message =
                format!("{:?} is no action; write SERVICE:NAME, for instance s3:GetObject", item.text);
            lint.add(&ACT_01, item.span.clone(), message);
            continue;
        };
        match lint.subject.is_of_bucket() {
            true => check_in_bucket_policy(lint, item, &pattern),
            false => check_in_identity_policy(lint, item, &pattern),
        }
        patterns.push((item, pattern));
    }
    check_covered(lint, &patterns);
    if !statement.actions.negated {
        check_types(lint, statement, &patterns);
        if statement.allows() {
            check_grants(lint, statement, &patterns);
        }
    }
}

fn check_in_bucket_policy(lint: &mut Lint<'_>, item: &Item, pattern: &Pattern) {
    if item.text == "*" {
        return lint.add(&ACT_06_ALL, item.span.clone(), "is refused by some providers; write s3:*");
    }
    if pattern.service != "s3" {
        let near = (pattern.service.len() <= 3 && strsim::levenshtein(&pattern.service, "s3") == 1)
            .then_some("; did you mean s3:?");
        let message = format!("a bucket policy knows only s3: actions{}", near.unwrap_or("; remove it"));
        return lint.add(&ACT_06, item.span.clone(), message);
    }
    let actions = pattern.s3_actions();
    if actions.is_empty() {
        return check_unknown(lint, item, pattern, &ACT_05);
    }
    if pattern.name == "createbucket" {
        let message = "has no effect in the policy of a bucket, which is there already; remove it";
        return lint.add(&ACT_08, item.span.clone(), message);
    }
    if actions.iter().any(|action| matches!(action.about, About::Bucket | About::Object)) {
        return;
    }
    if lint.subject.profile == Profile::Wasabi && pattern.name == "listallmybuckets" {
        let message = "has no effect in a bucket policy; grant it to the user";
        return lint.add(&ACT_07_ACCOUNT, item.span.clone(), message);
    }
    let message = format!("{} is not about a bucket or its objects; grant it to the user", item.text);
    lint.add(&ACT_07, item.span.clone(), message);
}

fn check_in_identity_policy(lint: &mut Lint<'_>, item: &Item, pattern: &Pattern) {
    let service = pattern.service.as_str();
    if item.text == "*" || service == "*" {
        return;
    }
    if service.contains(['*', '?']) {
        let message = format!("{:?} reaches several services; name each", item.text);
        return lint.add(&ACT_04, item.span.clone(), message);
    }
    if !KNOWN_SERVICES.contains(service) {
        let near = NEAR_SERVICES.iter().find(|known| {
            known.as_bytes().first() == service.as_bytes().first() && strsim::levenshtein(known, service) == 1
        });
        match near {
            Some(near) => {
                let message = format!("{service:?} is no service; did you mean {near}?");
                lint.add(&ACT_03, item.span.clone(), message);
            }
            None => lint.add(
                &ACT_03_UNKNOWN,
                item.span.clone(),
                format!("{service:?} is no known service; check its name"),
            ),
        }
    } else if service == "s3" && pattern.s3_actions().is_empty() {
        check_unknown(lint, item, pattern, &ACT_05_IDENTITY);
    }
}

fn check_unknown(
    lint: &mut Lint<'_>,
    item: &Item,
    pattern: &Pattern,
    rule: &'static crate::admission::rule::AdmissionRule,
) {
    if let Some((call, action)) = NO_ACTIONS.iter().find(|(call, _)| call.eq_ignore_ascii_case(&pattern.name))
    {
        let message = format!("{call} is a call, not an action; write {action}");
        return lint.add(&ACT_13, item.span.clone(), message);
    }
    let near = S3_ACTIONS.iter().find(|one| is_near(&one.lower, &pattern.name));
    let hint =
        near.map_or_else(|| "check its name".to_owned(), |near| format!("did you mean s3:{}?", near.name));
    lint.add(rule, item.span.clone(), format!("S3 has no action {:?}; {hint}", item.text));
}

fn check_covered(lint: &mut Lint<'_>, patterns: &[(&Item, Pattern)]) {
    for (index, (item, pattern)) in patterns.iter().enumerate() {
        let mut others = patterns.iter().enumerate();
        let wider = others.find(|(at, (_, other))| {
            // Of two that cover each other, the second is named.
            *at != index && other.covers(pattern) && (!pattern.covers(other) || *at < index)
        });
        if let Some((_, (by, _))) = wider.filter(|(_, (by, _))| by.text != item.text) {
            let message = format!("{} is covered by {}; remove it", item.text, by.text);
            lint.add(&ACT_11, item.span.clone(), message);
        }
    }
}

/// An object action needs an object among the resources, a bucket action a bucket; and the other way round.
fn check_types(lint: &mut Lint<'_>, statement: &Statement, patterns: &[(&Item, Pattern)]) {
    let targets: Vec<_> = statement.resources.items.iter().map(|item| resource::target(&item.text)).collect();
    if statement.resources.negated || targets.contains(&Target::Unclear) {
        return;
    }
    let reaches = |about: About| match about {
        About::Object => {
            targets.iter().any(|target| matches!(target, Target::Object | Target::Both | Target::Elsewhere))
        }
        About::Bucket => targets.iter().any(|target| matches!(target, Target::Bucket | Target::Both)),
        About::Account | About::Other => true,
    };
    let (mut objects, mut buckets, mut others) = (false, false, false);
    for (item, pattern) in patterns {
        others |= !pattern.is_s3() || pattern.service != "s3";
        let actions = pattern.s3_actions();
        objects |= actions.iter().any(|action| action.about == About::Object);
        buckets |= actions.iter().any(|action| action.about == About::Bucket);
        others |= actions.is_empty()
            || actions.iter().any(|action| matches!(action.about, About::Account | About::Other));
        if !actions.is_empty() && !actions.iter().any(|action| reaches(action.about)) {
            let (of, example) = match actions.first().map(|action| action.about) {
                Some(About::Object) => ("objects", "arn:aws:s3:::BUCKET/*"),
                _ => ("a bucket", "arn:aws:s3:::BUCKET"),
            };
            let message = format!("{} is about {of}, which no Resource names; add {example}", item.text);
            let rule = if lint.subject.is_of_bucket() { &ACT_09 } else { &ACT_09_IDENTITY };
            lint.add(rule, item.span.clone(), message);
        }
    }
    if others {
        return;
    }
    for (item, target) in statement.resources.items.iter().zip(&targets) {
        let idle = match target {
            Target::Object => !objects,
            Target::Bucket => !buckets,
            _ => false,
        };
        if idle {
            let message =
                format!("no action of the statement is about {}; remove it, or add the action", item.text);
            lint.add(&ACT_10, item.span.clone(), message);
        }
    }
}

fn check_grants(lint: &mut Lint<'_>, statement: &Statement, patterns: &[(&Item, Pattern)]) {
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
    let is_public = super::public::is_statement_public(statement);
    let own = lint.subject.account;
    let is_foreign = principals
        .items
        .iter()
        .any(|(key, item)| key == "AWS" && own.is_some_and(|own| !item.text.contains(own)));
    for (item, pattern) in patterns {
        let Some(action) = PERMISSIONS.iter().find(|action| pattern.fits("s3", &action.to_ascii_lowercase()))
        else {
            continue;
        };
        if is_public {
            let message = format!("lets everybody call s3:{action}; name who may");
            lint.add(&ACT_14_PUBLIC, item.span.clone(), message);
        } else if is_foreign {
            let message = format!("lets another account call s3:{action}; leave it to your own");
            lint.add(&ACT_14, item.span.clone(), message);
        }
    }
}

/// Who may rewrite the policy, the ACL or the lifecycle can read or delete the objects sooner or later.
fn check_reach(lint: &mut Lint<'_>, patterns: &[(&Item, Pattern)]) {
    let allows = |action: &str| patterns.iter().any(|(_, pattern)| pattern.fits("s3", action));
    let reads_and_writes = allows("putobject") && allows("getobject") && allows("deleteobject");
    for (item, pattern) in patterns {
        let fits = |action| pattern.fits("s3", action);
        if (fits("putbucketpolicy") || fits("putbucketacl")) && !reads_and_writes {
            let message = "whoever may change the bucket's policy or ACL can give themselves its objects";
            lint.add(&ACT_15, item.span.clone(), message);
        } else if fits("putlifecycleconfiguration") && !allows("deleteobject") {
            lint.add(&ACT_15, item.span.clone(), "a lifecycle rule deletes objects, as s3:DeleteObject does");
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
