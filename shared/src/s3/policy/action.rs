//! What may be done.

use std::{collections::HashSet, sync::LazyLock};

use super::{
    Lint, Profile,
    catalogue::{NO_ACTIONS, SERVICES},
    document::{Item, Statement},
    grants, is_near,
    pattern::{About, Pattern, S3_ACTIONS},
    resource::{self, Target},
    rules::*,
};

static KNOWN_SERVICES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| SERVICES.split_whitespace().collect());

/// The services nearest to S3: only a misspelling of one of these is taken for one.
const NEAR_SERVICES: &[&str] = &["s3", "iam", "sts", "kms", "sns", "sqs", "lambda", "logs"];

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
            grants::check(lint, statement, &patterns);
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
    if !lint.may_compare(patterns.len()) {
        return;
    }
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
    let has = |wanted: &[Target]| targets.iter().any(|target| wanted.contains(target));
    let reaches_object = has(&[Target::Object, Target::Both, Target::Elsewhere]);
    let reaches_bucket = has(&[Target::Bucket, Target::Both]);
    let reaches = |about: About| match about {
        About::Object => reaches_object,
        About::Bucket => reaches_bucket,
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
