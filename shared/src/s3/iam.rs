//! Names, paths and tags of users and policies at IAM.

use super::tags::{self, TagRules, Tags};
use crate::{
    admission::{
        problem::{Cause, Problems},
        review::Review,
        rule::AdmissionRule,
    },
    rules,
    s3::provider_ref::{AtProvider, provider_of},
};

rules! {
    UNIQUE = Deny protects_others "s3.iam.iam-02", "No two users of a Provider have the same name, upper and lower case aside, and no two policies.";
    PATH = Deny "s3.iam.iam-03", "A path begins and ends with '/', has 1 to 512 printable ASCII characters, and is not below /k8s/, by which Concierge knows its own.";
    CHARACTERS = Deny "s3.iam.iam-06", "An identity policy has only characters up to U+00FF, and of control characters only tabs and line ends.";
    TAG = Deny "s3.iam.iam-08", "A user or policy has at most 50 tags, with keys of 1 to 128 and values of up to 256 letters, digits, spaces and _ . : / = + - @; no key begins with aws: or concierge.dev/, and none is there twice, upper and lower case aside.";
    TAGS_APPLIED = Warn "s3.iam.tags-applied", "Tags of users and policies are for providers that have such tags.";
}

pub(super) mod name {
    //! The names of users and policies.

    use crate::{
        admission::problem::{Cause, Problems},
        rules,
    };

    rules! {
        NAME = Deny "s3.iam.iam-01", "A user's name has 1 to 64, a policy's 1 to 128 letters, digits and characters of + = , . @ _ -";
    }

    /// Adds a problem when nobody can be named so at IAM.
    pub(in super::super) fn check(field: &str, name: &str, most: usize, problems: &mut Problems) {
        let usual = |c: u8| c.is_ascii_alphanumeric() || b"+=,.@_-".contains(&c);
        if name.is_empty() || name.len() > most || !name.bytes().all(usual) {
            let message =
                format!("is no name at IAM; use 1 to {most} letters, digits and characters of + = , . @ _ -");
            problems.add(&NAME, Cause::Invalid, field, message);
        }
    }
}

/// How the paths of what objects without a path of their own make begin: whoever could choose one would have what is another
/// namespace's.
pub const OWN_PATH: &str = "/k8s/";
/// The longest name of a user.
pub(super) const MOST_OF_USER: usize = 64;
/// The longest name of a policy.
pub(super) const MOST_OF_POLICY: usize = 128;

/// Adds a problem when the path can't be one.
pub(super) fn check_path(path: Option<&str>, problems: &mut Problems) {
    let Some(path) = path else { return };
    let printable = path.bytes().all(|c| (b'!'..=b'~').contains(&c));
    if !path.starts_with('/') || !path.ends_with('/') || path.len() > 512 || !printable {
        let message =
            "is no path; begin and end it with '/', with printable ASCII characters between, 512 at most";
        problems.add(&PATH, Cause::Invalid, "spec.path", message);
    }
    if path.starts_with(OWN_PATH) {
        let message = format!("begins with {OWN_PATH}, by which Concierge knows its own; choose another");
        problems.add(&PATH, Cause::Forbidden, "spec.path", message);
    }
}

const TAG_RULES: TagRules =
    TagRules { count: &TAG, text: &TAG, reserved: &TAG, own: &TAG, most: tags::MOST, folded: true };

/// Adds what is wrong with the tags, and that the provider has none.
pub(super) fn check_tags<K: AtProvider>(
    review: &Review<'_, K>,
    tags: Option<&Tags>,
    problems: &mut Problems,
) {
    let field = "spec.tags";
    tags::check(field, tags, &TAG_RULES, problems);
    if tags.is_none_or(Tags::is_empty) {
        return;
    }
    let provider = review.look_up(|lookup| provider_of(lookup, &**review.object));
    provider.check(problems, field, &[&TAGS_APPLIED], |provider, problems| {
        if provider.is_some_and(|provider| !provider.spec.has_iam_tags()) {
            let message = "are not applied: the provider has no tags of users and policies; remove them";
            problems.add(&TAGS_APPLIED, Cause::NotSupported, field, message);
        }
    });
}

/// Adds a problem when a value is another than it was.
pub(super) fn check_immutable<T: PartialEq>(
    field: &str,
    (old, new): (T, T),
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    if old != new {
        let message = "is immutable; create another object instead";
        problems.add(rule, Cause::Forbidden, field, message);
    }
}
