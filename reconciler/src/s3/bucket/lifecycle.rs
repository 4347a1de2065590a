//! What becomes of objects in time.

use aws_sdk_s3::{
    operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput,
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
        LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, Transition, TransitionStorageClass,
    },
};
use aws_smithy_types::DateTime;
use concierge_shared::s3::{self, Lifecycle, RuleStatus};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::NOTHING;
use crate::{engine::Failure, s3::iam::unbuildable};

/// The rules' lines, in the order of their ids: services give them back in any.
fn lines(rules: impl Iterator<Item = String>) -> String {
    let mut rules: Vec<_> = rules.collect();
    rules.sort();
    if rules.is_empty() { NOTHING.to_owned() } else { rules.join("; ") }
}

fn line(id: &str, enabled: bool, prefix: &str, acts: Vec<String>) -> String {
    let disabled = if enabled { "" } else { " (disabled)" };
    let of = if prefix.is_empty() { String::new() } else { format!(" {prefix:?}") };
    format!("{id}{disabled}:{of} {}", acts.join(", "))
}

fn rules(lifecycle: &Lifecycle) -> &[s3::LifecycleRule] {
    lifecycle.rules.as_deref().unwrap_or_default()
}

pub(super) fn wanted(lifecycle: &Lifecycle) -> String {
    lines(rules(lifecycle).iter().map(|rule| {
        let mut acts = Vec::new();
        if let Some(expiration) = &rule.expiration {
            acts.extend(expiration.days.map(|days| format!("expire after {days} d")));
            let date = expiration.date.as_deref().and_then(date);
            acts.extend(date.map(|date| format!("expire at {}", day(date))));
        }
        for transition in rule.transitions.iter().flatten() {
            acts.push(format!("to {} after {} d", transition.storage_class, transition.days));
        }
        acts.extend(rule.noncurrent_days.map(|days| format!("old versions after {days} d")));
        acts.extend(rule.abort_incomplete_multipart_days.map(|days| format!("uploads after {days} d")));
        let enabled = rule.status != Some(RuleStatus::Disabled);
        line(&rule.id, enabled, rule.prefix.as_deref().unwrap_or_default(), acts)
    }))
}

pub(super) fn found(found: &GetBucketLifecycleConfigurationOutput) -> String {
    lines(found.rules().iter().map(|rule| {
        let mut acts = Vec::new();
        let mut other = !rule.noncurrent_version_transitions().is_empty();
        if let Some(expiration) = rule.expiration() {
            acts.extend(expiration.days().map(|days| format!("expire after {days} d")));
            let date = expiration.date().and_then(|date| Timestamp::from_second(date.secs()).ok());
            acts.extend(date.map(|date| format!("expire at {}", day(date))));
            other |= expiration.expired_object_delete_marker() == Some(true);
        }
        for transition in rule.transitions() {
            let class = transition.storage_class().map_or("?", |class| class.as_str());
            let days = transition.days().map_or_else(|| "?".to_owned(), |days| days.to_string());
            acts.push(format!("to {class} after {days} d"));
        }
        if let Some(old) = rule.noncurrent_version_expiration() {
            acts.extend(old.noncurrent_days().map(|days| format!("old versions after {days} d")));
            other |= old.newer_noncurrent_versions().is_some();
        }
        let abort = rule.abort_incomplete_multipart_upload().and_then(|abort| abort.days_after_initiation());
        acts.extend(abort.map(|days| format!("uploads after {days} d")));
        let (prefix, more) = prefix(rule);
        if other || more {
            acts.push("and what can't be said here".to_owned());
        }
        line(rule.id().unwrap_or_default(), *rule.status() == ExpirationStatus::Enabled, prefix, acts)
    }))
}

/// How the keys begin that a rule is about, and whether it asks for more of them.
fn prefix(rule: &LifecycleRule) -> (&str, bool) {
    #[allow(deprecated, reason = "services still answer with it")]
    let plain = rule.prefix().unwrap_or_default();
    let Some(filter) = rule.filter() else { return (plain, false) };
    let and = filter.and().and_then(|and| and.prefix());
    let more = filter.tag().is_some()
        || filter.object_size_greater_than().is_some()
        || filter.object_size_less_than().is_some()
        || filter.and().is_some();
    (filter.prefix().or(and).unwrap_or(plain), more)
}

pub(super) fn body(lifecycle: &Lifecycle) -> Result<BucketLifecycleConfiguration, Failure> {
    let rules = rules(lifecycle).iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(unbuildable)
}

fn rule(rule: &s3::LifecycleRule) -> Result<LifecycleRule, Failure> {
    let enabled = rule.status != Some(RuleStatus::Disabled);
    let expiration = rule.expiration.as_ref().map(|expiration| {
        let date =
            expiration.date.as_deref().and_then(date).map(|date| DateTime::from_secs(date.as_second()));
        LifecycleExpiration::builder().set_days(expiration.days.map(number)).set_date(date).build()
    });
    let transitions = rule.transitions.iter().flatten().map(|one| {
        let class = TransitionStorageClass::from(one.storage_class.as_str());
        Transition::builder().days(number(one.days)).storage_class(class).build()
    });
    let transitions = Some(transitions.collect()).filter(|all: &Vec<_>| !all.is_empty());
    let old = rule.noncurrent_days.map(number);
    let abort = rule.abort_incomplete_multipart_days.map(number);
    LifecycleRule::builder()
        .id(&rule.id)
        .status(if enabled { ExpirationStatus::Enabled } else { ExpirationStatus::Disabled })
        // Without a filter a rule is malformed, also one about every object.
        .filter(LifecycleRuleFilter::builder().prefix(rule.prefix.as_deref().unwrap_or_default()).build())
        .set_expiration(expiration)
        .set_transitions(transitions)
        .set_noncurrent_version_expiration(
            old.map(|days| NoncurrentVersionExpiration::builder().noncurrent_days(days).build()),
        )
        .set_abort_incomplete_multipart_upload(
            abort.map(|days| AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build()),
        )
        .build()
        .map_err(unbuildable)
}

fn number(days: i64) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// `2030-01-01` or `2030-01-01T00:00:00Z`
fn date(text: &str) -> Option<Timestamp> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(|| text.parse::<Date>().ok().and_then(midnight))
}

fn day(date: Timestamp) -> String {
    date.strftime("%Y-%m-%d").to_string()
}
