//! What can be wrong with a bucket beside its single parts.

use std::sync::Arc;

use super::{
    AUTO_MANAGE, BKT_19, Bucket, BucketSpec, EMPTY, EMPTY_ANNOTATION, ENC_03, ENC_05, FORCE_DELETE,
    MFA_VERSIONING, PAB_02, REGION, SAME_ENDPOINT, TAG_01, TAG_02, TAG_03, TAG_05, VER_01, VER_03,
    at_service_key, children,
    lifecycle::{self, LC_16, LC_17},
    name, new_key,
    parts::Tagging,
};
use crate::{
    admission::{
        envelope::Operation,
        lookup::{Found, Lookup, LookupExt},
        problem::{Cause, Problems},
        review::{Review, annotation},
    },
    field::at,
    kind::Kind,
    s3::{
        Provider,
        iam::{self, MOST_OF_USER},
        provider::DeletionPolicy,
        provider::endpoint,
        provider_ref::{AtProvider, check_iam_endpoint, provider_of},
        rotation,
        tags::{self, TagRules},
    },
};

pub(super) fn check_region(region: Option<&str>, problems: &mut Problems) {
    let usual = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if region.is_some_and(|region| !region.bytes().all(usual)) {
        let message = "is no region; use lower-case letters, digits and '-', for instance eu-central-1";
        problems.add(&REGION, Cause::Invalid, "spec.region", message);
    }
}

pub(super) fn check_tagging(tagging: Option<&Tagging>, problems: &mut Problems) {
    const RULES: TagRules = TagRules {
        count: &TAG_01,
        text: &TAG_02,
        reserved: &TAG_03,
        own: &TAG_05,
        most: tags::MOST - 1,
        folded: false,
    };
    tags::check("spec.tagging.tags", tagging.and_then(|tagging| tagging.tags.as_ref()), &RULES, problems);
}

/// Adds what is wrong between fields that protect objects.
pub(super) fn check_protection(spec: &BucketSpec, problems: &mut Problems) {
    let has_key = spec.encryption.as_ref().is_some_and(|encryption| encryption.kms_key_id.is_some());
    if has_key && !spec.wants_kms() {
        let message = "is for the algorithm aws:kms; set that, or remove the key";
        problems.add(&ENC_03, Cause::Forbidden, "spec.encryption.kmsKeyId", message);
    }
    if spec.wants_mfa() {
        let field = "spec.versioning.mfaDelete";
        let message = "can't be set by Concierge: it needs the account owner's device; set it there";
        problems.add(&VER_03, Cause::NotSupported, field, message);
        if !spec.is_versioned() {
            problems.add(
                &MFA_VERSIONING,
                Cause::Invalid,
                field,
                "needs versioning; set versioning.enabled: true",
            );
        }
        if spec.lifecycle.as_ref().is_some_and(|lifecycle| !lifecycle.rules().is_empty()) {
            let message = "is refused by providers for a bucket with mfaDelete; remove one of them";
            problems.add(&LC_16, Cause::Forbidden, "spec.lifecycle.rules", message);
        }
    }
    if spec.allow_public == Some(true) && spec.blocks_public_policy() {
        let message = "has no effect while publicAccess.blockPublicPolicy is true, as it is by default; set that to false";
        problems.add(&PAB_02, Cause::Invalid, "spec.allowPublic", message);
    }
}

pub(super) fn check_change(old: &BucketSpec, new: &BucketSpec, problems: &mut Problems) {
    let immutable = [("spec.name", old.name != new.name), ("spec.region", old.region != new.region)];
    for (field, _) in immutable.into_iter().filter(|(_, changed)| *changed) {
        let message = "is immutable: the bucket that is there would be left behind; create another Bucket";
        problems.add(&BKT_19, Cause::Forbidden, field, message);
    }
    if old.is_versioned() && !new.is_versioned() {
        let message = "suspends versioning: old versions stay, and cost, until they are deleted";
        problems.add(&VER_01, Cause::Invalid, "spec.versioning.enabled", message);
    }
}

pub(super) fn check_auto_manage(review: &Review<'_, Bucket>, problems: &mut Problems) {
    let Some(auto) = review.object.spec.managed() else { return };
    if let Some(name) = &auto.user_name {
        iam::name::check("spec.autoManage.userName", name, MOST_OF_USER, problems);
    }
    if let Some(rotation) = auto.rotation.as_ref().filter(|rotation| rotation.enabled.unwrap_or(true)) {
        let days = (rotation.interval_days, rotation.previous_keys_retention_days);
        rotation::check("spec.autoManage.rotation", days.0, days.1, problems);
    }
    // Of what nobody wrote, the condition Unsupported tells that it is not made.
    if !auto.is_default() {
        check_iam_endpoint(review, &AUTO_MANAGE, "spec.autoManage.enabled", problems);
    }
    children::check(review, problems);
}

pub(super) fn check_at_provider(review: &Review<'_, Bucket>, problems: &mut Problems) {
    let spec = &review.object.spec;
    let all = [&[&ENC_05, &LC_17][..], &name::AT_PROVIDER].concat();
    let provider = review.look_up(|lookup| provider_of(lookup, &**review.object));
    provider.check(problems, "spec.providerRef", &all, |provider, problems| {
        let Some(provider) = provider.map(|provider| provider.spec.clone()) else { return };
        let path_style = provider.path_style.unwrap_or(true);
        name::check_at(&spec.name, provider.profile(), path_style, problems);
        if spec.wants_kms() && !provider.has_kms() {
            let message = "is not possible: the provider has no key management service; use AES256, or set \
                           capabilities.kms: true on the Provider if it has";
            problems.add(&ENC_05, Cause::NotSupported, "spec.encryption.algorithm", message);
        }
        if !provider.has_storage_classes() {
            lifecycle::check_classes(spec.lifecycle.as_ref(), problems);
        }
    });
}

/// How many Buckets of one name are looked at: of those at the same service, and of the new ones.
const LOOKED_AT: usize = 50;

/// Names are the provider's, however many Providers lead to it. Of two that are there all the same, the one that has its bucket keeps
/// its name; if both have it or neither, the older.
pub(super) fn check_same_endpoint(review: &Review<'_, Bucket>, problems: &mut Problems) {
    let bucket = &**review.object;
    let keeps = review.old.is_none_or(|old| old.spec.name == bucket.spec.name);
    // Whoever asks may send any status; the stored one is ours.
    let stored = review.old.or((review.operation != Operation::Create).then_some(bucket));
    let has = keeps && stored.is_some_and(Bucket::is_recorded);
    let others = review.look_up(|lookup| {
        let own =
            provider_of(lookup, bucket).and_then(|provider| endpoint::service(&provider.spec.endpoint))?;
        let goes_first = |other: &Arc<Bucket>| match (has, other.is_recorded()) {
            (true, false) => false,
            (false, true) => true,
            _ => review.gives_way(&other.metadata, keeps),
        };
        let named = |key: String| lookup.first_as::<Bucket>("", &key, LOOKED_AT);
        let mut same = named(at_service_key(&own, &bucket.spec.name));
        let new = named(new_key(&bucket.spec.name)).into_iter();
        same.extend(new.filter(|other| is_at(lookup, other, &own)));
        let mut elsewhere = same.iter().filter(|other| other.provider_key() != bucket.provider_key());
        Some(elsewhere.any(goes_first))
    });
    others.check(problems, "spec.name", &[&SAME_ENDPOINT], |others, problems| {
        if others == Some(true) {
            let message = "is the name of a Bucket at another Provider with the same endpoint; choose another, or refer to \
                           that Bucket";
            problems.add(&SAME_ENDPOINT, Cause::Duplicate, "spec.name", message);
        }
    });
}

fn is_at(lookup: &dyn Lookup, bucket: &Bucket, service: &str) -> bool {
    let namespace = bucket.metadata.namespace.as_deref().unwrap_or_default();
    let provider = &bucket.spec.provider_ref;
    let found = lookup.find(Provider::NAME, provider.namespace_in(namespace), &provider.name);
    let Found::Present(found) = found else { return false };
    let endpoint = found.get::<Provider>().map(|provider| provider.spec.endpoint.clone());
    endpoint.and_then(|endpoint| endpoint::service(&endpoint)).as_deref() == Some(service)
}

pub(super) fn check_deletion(review: &Review<'_, Bucket>, problems: &mut Problems) {
    let spec = &review.object.spec;
    if spec.force_delete == Some(true) {
        let message = match spec.deletion_policy {
            Some(DeletionPolicy::Delete) => format!(
                "does not empty the bucket by itself: when the Bucket is deleted, confirm what is in it with the annotation \
                 {EMPTY_ANNOTATION}: \"{}/COUNT\"",
                spec.name
            ),
            _ => "has no effect without deletionPolicy: Delete; set that, or remove this".to_owned(),
        };
        problems.add(&FORCE_DELETE, Cause::Invalid, "spec.forceDelete", message);
    }
    check_confirmation(review.object, problems);
}

fn check_confirmation(bucket: &Bucket, problems: &mut Problems) {
    if annotation(bucket, EMPTY_ANNOTATION).is_some_and(|text| !is_confirmation(text, &bucket.spec.name)) {
        let message = format!(
            "must be {}/COUNT, with the number of objects that the Bucket's status tells",
            bucket.spec.name
        );
        let field = at("metadata.annotations").key(EMPTY_ANNOTATION);
        problems.add(&EMPTY, Cause::Invalid, field, message);
    }
}

/// `photos/17` or `photos/1000+`
fn is_confirmation(text: &str, bucket: &str) -> bool {
    let Some((name, count)) = text.rsplit_once('/') else { return false };
    let digits = count.strip_suffix('+').unwrap_or(count);
    name == bucket && (1..=18).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit())
}
