//! How many users, policies and buckets an account has room for.

use super::{
    Bucket, IAMPolicy, Provider, User,
    policy::Profile,
    provider_ref::{AtProvider, provider_of},
};
use crate::{
    admission::{
        envelope::Operation,
        problem::{Cause, Problems},
        reference::referrers_key,
        review::Review,
        rule::AdmissionRule,
    },
    kind::Kind,
    rules,
};

rules! {
    IAM_12 = Warn "s3.quota.iam-12", "An account at AWS has room for 5,000 users and 1,500 policies, unless AWS raised that.";
    IAM_13 = Warn "s3.quota.iam-13", "An account at Wasabi has room for 1,000 policies and 1,000 buckets, unless Wasabi raised that.";
}

/// How many things of a kind an account has room for, unless the provider raised that.
fn room(profile: Profile, kind: &str) -> Option<(&'static AdmissionRule, usize)> {
    match (profile, kind) {
        (Profile::Aws, User::NAME) => Some((&IAM_12, 5_000)),
        (Profile::Aws, IAMPolicy::NAME) => Some((&IAM_12, 1_500)),
        (Profile::Wasabi, Bucket::NAME | IAMPolicy::NAME) => Some((&IAM_13, 1_000)),
        _ => None,
    }
}

/// Adds a problem when the objects of the Provider alone fill its account.
pub(super) fn check<K: AtProvider>(review: &Review<'_, K>, problems: &mut Problems) {
    // What is there already needs no room.
    if review.operation != Operation::Create {
        return;
    }
    let provider = review.object.provider_ref();
    let key = referrers_key(Provider::NAME, provider.namespace_in(review.namespace), &provider.name);
    let full = review.look_up(|lookup| {
        let (rule, most) = room(provider_of(lookup, &**review.object)?.spec.profile(), K::NAME)?;
        (lookup.count(K::NAME, &key)? >= most).then_some((rule, most))
    });
    full.check(problems, "spec.providerRef", &[&IAM_12, &IAM_13], |full, problems| {
        let Some((rule, most)) = full else { return };
        let message = format!(
            "has {most} objects of kind {} or more, as many as an account has room for unless its provider raised that; ask there, \
             or use another account",
            K::NAME
        );
        problems.add(rule, Cause::TooMany, "spec.providerRef", message);
    });
}
