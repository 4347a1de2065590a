//! The actions of S3 and the keys of conditions, as data.
//!
//! Names, and which action carries which key, are facts of the AWS service reference as the package `iam-floyd` (Apache-2.0)
//! lists it in 2026; which resource an action is about is our reading of the same reference. The list is open: a name that is
//! not in it may be new.

mod actions;
mod keys;
mod s3_keys;

pub(super) use self::{
    actions::{ACCOUNT_ACTIONS, BUCKET_ACTIONS, NO_ACTIONS, OBJECT_ACTIONS, OTHER_ACTIONS, SERVICES},
    keys::{GLOBAL_KEYS, Key, KeyKind},
    s3_keys::S3_KEYS,
};

/// The key with this spelling, the name of a tag left out.
pub(super) fn key(text: &str) -> Option<&'static Key> {
    let (name, tag) = text.split_once('/').map_or((text, false), |(name, _)| (name, true));
    let mut all = GLOBAL_KEYS.iter().chain(S3_KEYS);
    all.find(|key| key.name.eq_ignore_ascii_case(name) && (key.tag || !tag))
}
