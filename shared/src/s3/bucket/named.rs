//! The buckets that the policies of users and IAM policies name.
//!
//! Such a policy outlives the bucket that it names, and lets its users into whatever bucket gets the name next. So a Bucket goes after
//! the policies that name it, and none is made of a name on which somebody else has rights.

use std::collections::BTreeSet;

use super::{Bucket, RIGHTS, held_key};
use crate::{
    admission::{
        envelope::Operation,
        lookup::{Lookup, Query},
        problem::{Cause, Problems},
        review::Review,
    },
    index::Stored,
    kind::Kind,
    s3::{
        IAMPolicy, User,
        policy::{Parsed, PolicyKind, document::Statement},
        provider_ref::{AtProvider, provider_of},
    },
};

/// The kinds whose policies say what users may do.
const NAMING: [&str; 2] = [User::NAME, IAMPolicy::NAME];

/// A kind whose policy says what users may do.
pub trait NamesBuckets: AtProvider {
    /// The policy as JSON; `None` when it has none.
    fn document(&self) -> Option<String>;
    /// The buckets of the policy that is at the provider, as far as the status tells.
    fn recorded(&self) -> &[String];
}

/// The buckets that a policy names in full in what it allows, also where its shape is wrong elsewhere: such rules may be lowered.
///
/// Patterns are no names. No policy of a namespace has them (`s3.policy.ten-01`).
pub fn named_buckets(text: &str) -> BTreeSet<String> {
    of(Parsed::of(text, PolicyKind::Managed).statements())
}

/// The buckets that statements name in full in what they allow.
pub(in crate::s3) fn of(statements: &[Statement]) -> BTreeSet<String> {
    let allowed = statements.iter().filter(|one| one.allows() && !one.resources.negated);
    let names = allowed.flat_map(|one| &one.resources.items).filter_map(|item| bucket_of(&item.text));
    names.filter(|name| !name.contains(['*', '?'])).map(str::to_owned).collect()
}

/// `photos` of `arn:aws:s3:::photos/2024/*`
fn bucket_of(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':').skip(2);
    parts.next().filter(|service| *service == "s3")?;
    parts.nth(2)?.split('/').next().filter(|name| !name.is_empty())
}

/// The index key of what names the bucket.
fn key(provider: &str, bucket: &str) -> String {
    format!("names-bucket:{provider}/{bucket}")
}

/// The index key of the Users and IAMPolicies that name this bucket, by their spec or at the provider.
pub fn users_key(bucket: &Bucket) -> String {
    key(&bucket.provider_key(), &bucket.spec.name)
}

/// All that it names, by its spec or at the provider.
fn all_named<K: NamesBuckets>(object: &K) -> BTreeSet<String> {
    let mut named = object.document().map(|text| named_buckets(&text)).unwrap_or_default();
    named.extend(object.recorded().iter().cloned());
    named
}

pub(in crate::s3) fn index_keys<K: NamesBuckets>(object: &K) -> Vec<String> {
    let provider = object.provider_key();
    all_named(object).iter().map(|bucket| key(&provider, bucket)).collect()
}

/// The Buckets that it names and that are to go, or to be made: they may wait until it names them no more.
pub fn waiting_buckets<K: NamesBuckets>(lookup: &dyn Lookup, object: &K) -> Vec<Stored> {
    let provider = object.provider_key();
    let buckets = |name: &String| lookup.select(Bucket::NAME, &held_key(&provider, name)).objects;
    let waits = |one: &Stored| one.terminating() || !is_recorded(one);
    all_named(object).iter().flat_map(buckets).filter(waits).collect()
}

/// The Users and IAMPolicies that name the bucket, by their spec or at the provider.
pub fn naming_users(lookup: &dyn Lookup, bucket: &Bucket) -> Vec<Stored> {
    let key = users_key(bucket);
    NAMING.into_iter().flat_map(|kind| lookup.select(kind, &key).objects).collect()
}

fn is_recorded(bucket: &Stored) -> bool {
    bucket.get::<Bucket>().is_some_and(|bucket| bucket.is_recorded())
}

/// The Buckets of its namespace that stand for what its policy names without having made or taken it over, for people to read. Of what no
/// Bucket stands for, rules say what is to be said.
pub fn not_held<K: NamesBuckets>(lookup: &dyn Lookup, object: &K) -> Vec<String> {
    let (namespace, provider) =
        (object.meta().namespace.as_deref().unwrap_or_default(), object.provider_key());
    let named = object.document().map(|text| named_buckets(&text)).unwrap_or_default();
    let not_held = |name: String| {
        let key = held_key(&provider, &name);
        let first = |wanted: &dyn Fn(&Stored) -> bool| {
            lookup.first(Query::all(Bucket::NAME, namespace, &key), 1, wanted).objects.pop()
        };
        let bucket = first(&|_| true).filter(|_| first(&is_recorded).is_none())?;
        Some(match bucket.name() == name {
            true => format!("Bucket {name}"),
            false => format!("Bucket {} ({name})", bucket.name()),
        })
    };
    named.into_iter().filter_map(not_held).collect()
}

/// Whether `user`, which has the bucket's [`users_key`], keeps it from being deleted. Of what others write in their own namespaces only
/// that counts by which they have rights.
pub fn needs_bucket(user: &Stored, bucket: &Bucket) -> bool {
    bucket.metadata.namespace.as_deref() == Some(user.namespace()) || has_rights(user, &bucket.spec.name)
}

fn has_rights(user: &Stored, bucket: &str) -> bool {
    let names = |recorded: &[String]| recorded.iter().any(|one| one == bucket);
    user.get::<User>().is_some_and(|user| names(user.recorded()))
        || user.get::<IAMPolicy>().is_some_and(|policy| names(policy.recorded()))
}

/// Adds a problem when a bucket that is still to be made has a name on which objects of other namespaces have rights.
pub(super) fn check_rights(review: &Review<'_, Bucket>, problems: &mut Problems) {
    let bucket = &**review.object;
    // Whoever asks may send any status; the stored one is ours.
    let stored = review.old.or((review.operation != Operation::Create).then_some(bucket));
    if stored.is_some_and(Bucket::is_recorded) {
        return;
    }
    let key = users_key(bucket);
    let is_other =
        |user: &Stored| user.namespace() != review.namespace && has_rights(user, &bucket.spec.name);
    let others = review.look_up(|lookup| {
        // At a Provider that does not permit it, nobody learns which names are in use.
        let kinds = NAMING.into_iter().filter(|_| provider_of(lookup, bucket).is_some());
        let first = |kind| lookup.first(Query::all(kind, "", &key), 1, &is_other).objects;
        kinds.flat_map(first).collect::<Vec<_>>()
    });
    others.by_name().check(problems, "spec.name", &[&RIGHTS], |others, problems| {
        if !others.is_empty() {
            let message = "is the name of a bucket on which users of another namespace have rights still; choose another, or ask \
                           the cluster's operator to have them taken back";
            problems.add(&RIGHTS, Cause::Duplicate, "spec.name", message);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_the_buckets_that_it_allows_something_on() {
        let named = |statement: &str| {
            let text =
                format!(r#"{{"Version": "2012-10-17", "Statement": {{"Action": "s3:*", {statement}}}}}"#);
            named_buckets(&text).into_iter().collect::<Vec<_>>().join(" ")
        };
        let allow = |resource: &str| named(&format!(r#""Effect": "Allow", "Resource": {resource}"#));
        assert_eq!(allow(r#"["arn:aws:s3:::b", "arn:aws:s3:::a/x/*", "arn:aws:s3:::a"]"#), "a b");
        assert_eq!(allow(r#"["*", "arn:aws:s3:::a*", "arn:aws:s3:::?/x", "arn:aws:iam::1:user/a"]"#), "");
        assert_eq!(named(r#""Effect": "Allow", "NotResource": "arn:aws:s3:::a""#), "");
        assert_eq!(named(r#""Effect": "Deny", "Resource": "arn:aws:s3:::a""#), "");
        assert_eq!(named_buckets("{"), BTreeSet::new());
    }

    #[test]
    fn what_rules_that_may_be_lowered_find_hides_no_bucket() {
        let allow = r#""Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::a""#;
        for text in [
            format!(r#"{{"Statement": {{{allow}}}}}"#),
            format!(r#"{{"Version": "2012-10-17", "Id": "x", "Statement": {{{allow}}}}}"#),
            format!(r#"{{"Version": "2012-10-17", "Statement": {{{allow}, "Principal": "*"}}}}"#),
        ] {
            assert_eq!(named_buckets(&text), BTreeSet::from(["a".to_owned()]), "{text}");
        }
    }
}
