//! What becomes of a bucket's objects in time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::{
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
    },
    field::{FieldPath, at},
    rules,
};

rules! {
    LC_01 = Deny "s3.bucket.lc-01", "A bucket has at most 1000 lifecycle rules.";
    LC_02 = Deny "s3.bucket.lc-02", "A lifecycle rule's id has 1 to 255 characters and is that of no other rule.";
    LC_07 = Deny "s3.bucket.lc-07", "A lifecycle rule does something.";
    LC_08 = Deny "s3.bucket.lc-08", "Objects expire after days, 1 or more, or at a date, midnight UTC; not both.";
    LC_11 = Deny "s3.bucket.lc-11", "Old versions and unfinished uploads go after 1 day or more.";
    LC_12 = Warn "s3.bucket.lc-12", "A rule about old versions is for a bucket with versioning.";
    LC_13 = Deny "s3.bucket.lc-13", "Transitions go to known storage classes, each later and to a colder one, infrequent access not before 30 days, and expiration comes last.";
    LC_14 = Warn "s3.bucket.lc-14", "No two enabled rules expire the same objects; the earlier expiration would win.";
    LC_15 = Warn "s3.bucket.lc-15", "No rule expires every object of a bucket within a day.";
    LC_16 = Deny "s3.bucket.lc-16", "A bucket with MFA delete has no lifecycle rules.";
    LC_17 = Warn "s3.bucket.lc-17", "Transitions are for providers that have storage classes.";
}

/// The lifecycle rules of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Lifecycle {
    /// The rules. None removes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 1000, code = "s3.bucket.lc-01"), nested)]
    pub rules: Option<Vec<LifecycleRule>>,
}

/// One lifecycle rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleRule {
    /// Its name.
    #[validate(length(min = 1, max = 255, code = "s3.bucket.lc-02"))]
    pub id: String,
    /// Whether it is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enabled"))]
    pub status: Option<RuleStatus>,
    /// How the keys of its objects begin; all objects when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub prefix: Option<String>,
    /// When objects go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub expiration: Option<Expiration>,
    /// When objects move to other storage classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    #[validate(nested)]
    pub transitions: Option<Vec<Transition>>,
    /// After how many days old versions go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, code = "s3.bucket.lc-11"))]
    pub noncurrent_days: Option<i64>,
    /// After how many days unfinished uploads go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, code = "s3.bucket.lc-11"))]
    pub abort_incomplete_multipart_days: Option<i64>,
}

/// Whether a rule is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleStatus {
    /// It is.
    #[default]
    Enabled,
    /// It is not.
    Disabled,
}

/// When objects go: after days, or at a date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Expiration {
    /// After how many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, code = "s3.bucket.lc-08"))]
    pub days: Option<i64>,
    /// At which date, midnight UTC: 2030-01-01 or 2030-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub date: Option<String>,
}

/// When objects move to another storage class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// After how many days.
    #[validate(range(min = 1, code = "s3.bucket.lc-13"))]
    pub days: i64,
    /// To which class.
    #[schemars(length(max = 64))]
    pub storage_class: String,
}

/// Storage classes that objects move to, the colder the later.
const CLASSES: [&str; 6] =
    ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];
/// How many of them want objects to be 30 days old.
const EARLY_CLASSES: [&str; 2] = ["STANDARD_IA", "ONEZONE_IA"];

pub(super) fn fill(lifecycle: Option<&mut Lifecycle>, fill: &mut Fill) {
    let rules = lifecycle.and_then(|lifecycle| lifecycle.rules.as_mut());
    for (index, rule) in rules.into_iter().flatten().enumerate() {
        let field = at("spec.lifecycle.rules").index(index).field("status");
        fill.missing(&mut rule.status, field, RuleStatus::Enabled);
    }
}

/// Adds what is wrong with the rules of a bucket with or without versioning.
pub(super) fn check(lifecycle: Option<&Lifecycle>, versioned: bool, problems: &mut Problems) {
    if let Some(lifecycle) = lifecycle {
        lifecycle.check(versioned, problems);
    }
}

impl Lifecycle {
    pub(super) fn rules(&self) -> &[LifecycleRule] {
        self.rules.as_deref().unwrap_or_default()
    }

    fn check(&self, versioned: bool, problems: &mut Problems) {
        let (mut ids, mut expiring) = (BTreeSet::new(), Vec::new());
        for (index, rule) in self.rules().iter().enumerate() {
            let field = at("spec.lifecycle.rules").index(index);
            if !ids.insert(&rule.id) {
                let message = "is the id of an earlier rule; choose another";
                problems.add(&LC_02, Cause::Duplicate, field.clone().field("id"), message);
            }
            rule.check(&field, versioned, problems);
            if rule.expires() {
                rule.check_overlap(&expiring, field, problems);
                expiring.push(rule);
            }
        }
    }
}

impl LifecycleRule {
    fn check(&self, field: &FieldPath, versioned: bool, problems: &mut Problems) {
        let transitions = self.transitions.as_deref().unwrap_or_default();
        let acts = self.expiration.is_some() || !transitions.is_empty();
        if !acts && self.noncurrent_days.is_none() && self.abort_incomplete_multipart_days.is_none() {
            let message = "does nothing; give it an expiration, transitions, noncurrentDays or abortIncompleteMultipartDays";
            problems.add(&LC_07, Cause::Required, field.clone(), message);
        }
        if self.noncurrent_days.is_some() && !versioned {
            let message = "has no effect without versioning; enable that, or remove this";
            problems.add(&LC_12, Cause::Invalid, field.clone().field("noncurrentDays"), message);
        }
        if let Some(expiration) = &self.expiration {
            expiration.check(&field.clone().field("expiration"), problems);
        }
        let days = self.expiration.as_ref().and_then(|expiration| expiration.days);
        check_transitions(transitions, days, &field.clone().field("transitions"), problems);
        let is_of_all = self.prefix.as_deref().unwrap_or_default().is_empty();
        if self.expires() && is_of_all && days.is_some_and(|days| days <= 1) {
            let message = "deletes every object of the bucket within a day; add a prefix, or more days";
            problems.add(&LC_15, Cause::Invalid, field.clone().field("expiration").field("days"), message);
        }
    }

    fn check_overlap(&self, earlier: &[&LifecycleRule], field: FieldPath, problems: &mut Problems) {
        let prefix = |rule: &LifecycleRule| rule.prefix.clone().unwrap_or_default();
        let own = prefix(self);
        let overlaps =
            |other: &&&LifecycleRule| own.starts_with(&prefix(other)) || prefix(other).starts_with(&own);
        // Looked for among the last few: the others are told in their turn.
        if let Some(other) = earlier.iter().rev().take(50).find(overlaps) {
            let message = format!(
                "expires objects that rule {:?} expires too, and the earlier expiration wins; join the rules, or choose another prefix",
                other.id
            );
            problems.add(&LC_14, Cause::Invalid, field.field("prefix"), message);
        }
    }

    fn expires(&self) -> bool {
        self.expiration.is_some() && self.status != Some(RuleStatus::Disabled)
    }
}

impl Expiration {
    fn check(&self, field: &FieldPath, problems: &mut Problems) {
        if self.days.is_some() == self.date.is_some() {
            let message = "has to say either days or date; give one of them";
            problems.add(&LC_08, Cause::Invalid, field.clone(), message);
        }
        if self.date.as_deref().is_some_and(|date| !is_midnight(date)) {
            let message = "is no date; write 2030-01-01, or 2030-01-01T00:00:00Z";
            problems.add(&LC_08, Cause::Invalid, field.clone().field("date"), message);
        }
    }
}

fn is_midnight(text: &str) -> bool {
    let time = text.parse::<Timestamp>().map(|time| time.as_nanosecond());
    let midnight = time.is_ok_and(|time| time % (24 * 60 * 60 * 1_000_000_000) == 0);
    midnight || (text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok())
}

fn check_transitions(
    transitions: &[Transition],
    expires: Option<i64>,
    field: &FieldPath,
    problems: &mut Problems,
) {
    let mut before: Option<(i64, usize)> = None;
    for (index, Transition { days, storage_class }) in transitions.iter().enumerate() {
        let field = field.clone().index(index);
        let mut add = |name: &str, message: String| {
            problems.add(&LC_13, Cause::Invalid, field.clone().field(name), message);
        };
        let Some(class) = CLASSES.iter().position(|class| class == storage_class) else {
            add(
                "storageClass",
                format!("is no storage class that objects move to; use one of {}", CLASSES.join(", ")),
            );
            continue;
        };
        if EARLY_CLASSES.contains(&CLASSES[class]) && *days < 30 {
            add(
                "days",
                format!("is {days}; use 30 or more, before which objects do not move to {storage_class}"),
            );
        }
        match before {
            Some((earlier, _)) if *days <= earlier => {
                add("days", format!("is {days}; use more than {earlier}, the days of the transition before"));
            }
            Some((_, warmer)) if class <= warmer => {
                add(
                    "storageClass",
                    format!(
                        "is not colder than {}, where objects are before; choose a colder one, or another order",
                        CLASSES[warmer]
                    ),
                );
            }
            // What is in infrequent access stays there for 30 days at least.
            Some((earlier, warmer)) if EARLY_CLASSES.contains(&CLASSES[warmer]) && *days < earlier + 30 => {
                add(
                    "days",
                    format!(
                        "is {days}; use {} or more: objects stay in {} for 30 days",
                        earlier + 30,
                        CLASSES[warmer]
                    ),
                );
            }
            _ => {}
        }
        before = Some((*days, class));
    }
    if let (Some((last, _)), Some(expires)) = (before, expires)
        && expires <= last
    {
        let message =
            format!("is after {last} days, when objects are gone since {expires}; let them expire later");
        problems.add(&LC_13, Cause::Invalid, field.clone(), message);
    }
}

/// Adds a problem of a provider that has no classes to move objects to.
pub(super) fn check_classes(lifecycle: Option<&Lifecycle>, problems: &mut Problems) {
    let rules = lifecycle.map(Lifecycle::rules).unwrap_or_default();
    for (index, rule) in rules.iter().enumerate() {
        if rule.transitions.as_ref().is_some_and(|transitions| !transitions.is_empty()) {
            let field = at("spec.lifecycle.rules").index(index).field("transitions");
            let message = "are not applied: the provider has one storage class; remove them";
            problems.add(&LC_17, Cause::NotSupported, field, message);
        }
    }
}
