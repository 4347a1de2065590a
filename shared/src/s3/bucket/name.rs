//! Names of buckets, as AWS and Wasabi take them.

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    rules,
    s3::policy::Profile,
};

rules! {
    BKT_01 = Deny "s3.bucket.bkt-01", "A bucket's name is 3 to 63 characters long.";
    BKT_02 = Deny "s3.bucket.bkt-02", "A bucket's name has only lower-case letters, digits, '.' and '-'.";
    BKT_03 = Deny "s3.bucket.bkt-03", "A bucket's name begins and ends with a letter or digit.";
    BKT_04 = Deny "s3.bucket.bkt-04", "A bucket's name has no two dots side by side.";
    BKT_05 = Deny "s3.bucket.bkt-05", "A bucket's name does not look like an IPv4 address.";
    BKT_06 = Deny "s3.bucket.bkt-06", "A bucket's name does not begin with xn--.";
    BKT_07 = Deny "s3.bucket.bkt-07", "A bucket's name does not begin with sthree-.";
    BKT_08 = Deny "s3.bucket.bkt-08", "A bucket's name does not begin with amzn-s3-demo-.";
    BKT_09 = Deny "s3.bucket.bkt-09", "A bucket's name does not end with -s3alias.";
    BKT_10 = Deny "s3.bucket.bkt-10", "A bucket's name does not end with --ol-s3.";
    BKT_11 = Deny "s3.bucket.bkt-11", "A bucket's name does not end with .mrap.";
    BKT_12 = Deny "s3.bucket.bkt-12", "A bucket's name does not end with --x-s3.";
    BKT_13 = Deny "s3.bucket.bkt-13", "A bucket's name does not end with --table-s3.";
    BKT_14 = Warn "s3.bucket.bkt-14", "A bucket's name at AWS that ends with -an is NAME-ACCOUNT-REGION-an.";
    BKT_15 = Warn "s3.bucket.bkt-15", "A bucket's name has no dots where it becomes a part of a host's name.";
    BKT_17 = Warn "s3.bucket.bkt-17", "A bucket's name has no dot beside a '-'.";
    BKT_20 = Warn "s3.bucket.bkt-20", "A bucket's name contains nothing that looks like an access key: everybody may learn it.";
}

const FIELD: &str = "spec.name";

/// Beginnings that are taken.
const PREFIXES: [(&str, &AdmissionRule); 3] =
    [("xn--", &BKT_06), ("sthree-", &BKT_07), ("amzn-s3-demo-", &BKT_08)];
/// Ends that are taken.
const SUFFIXES: [(&str, &AdmissionRule); 5] = [
    ("-s3alias", &BKT_09),
    ("--ol-s3", &BKT_10),
    (".mrap", &BKT_11),
    ("--x-s3", &BKT_12),
    ("--table-s3", &BKT_13),
];

/// Adds what is wrong with a bucket's name, wherever the bucket is.
pub(super) fn check(name: &str, problems: &mut Problems) {
    let mut add = |rule, message: &str| problems.add(rule, Cause::Invalid, FIELD, message);
    if !(3..=63).contains(&name.chars().count()) {
        add(&BKT_01, "must be from 3 to 63 characters long");
    }
    if !name.bytes().all(|c| is_word(c) || matches!(c, b'.' | b'-')) {
        add(&BKT_02, "has other characters than lower-case letters, digits, '.' and '-'; remove them");
    }
    if [name.bytes().next(), name.bytes().last()].into_iter().flatten().any(|c| matches!(c, b'.' | b'-')) {
        add(&BKT_03, "must begin and end with a letter or digit");
    }
    if name.contains("..") {
        add(&BKT_04, "has two dots side by side; remove one");
    }
    let parts: Vec<_> = name.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if parts.len() == 4 && parts.iter().all(is_number) {
        add(&BKT_05, "looks like an IPv4 address; choose another");
    }
    for (prefix, rule) in PREFIXES.into_iter().filter(|(prefix, _)| name.starts_with(prefix)) {
        add(rule, &format!("begins with {prefix}, which is reserved; choose another"));
    }
    for (suffix, rule) in SUFFIXES.into_iter().filter(|(suffix, _)| name.ends_with(suffix)) {
        add(rule, &format!("ends with {suffix}, which is reserved; choose another"));
    }
    if name.contains(".-") || name.contains("-.") {
        add(&BKT_17, "has a dot beside a '-', which some providers refuse; choose another");
    }
    if has_access_key(name) {
        let message = "contains what looks like the id of an access key, and names are no secrets; choose another, and replace the key";
        add(&BKT_20, message);
    }
}

/// Whether there is an id as AWS gives them, in the lower case that names have: 20 characters of base32 that begin with `akia` or
/// `asia`. Without a digit it is more likely a word: asiapacificcustomers.
fn has_access_key(name: &str) -> bool {
    let is_base32 = |c: u8| c.is_ascii_lowercase() || matches!(c, b'2'..=b'7');
    let is_id = |word: &str| {
        word.len() == 20
            && (word.starts_with("akia") || word.starts_with("asia"))
            && word.bytes().all(is_base32)
            && word.contains(|c: char| c.is_ascii_digit())
    };
    name.split(['.', '-']).any(is_id)
}

/// The rules of [`check_at`].
pub(super) const AT_PROVIDER: [&AdmissionRule; 2] = [&BKT_14, &BKT_15];

/// Adds what is wrong with a bucket's name at this provider.
pub(super) fn check_at(name: &str, profile: Profile, path_style: bool, problems: &mut Problems) {
    if profile == Profile::Aws && name.ends_with("-an") && !is_of_account(name) {
        let message = "ends with -an as names of an account's own namespace do, but is not NAME-ACCOUNT-REGION-an; choose another";
        problems.add(&BKT_14, Cause::Invalid, FIELD, message);
    }
    if name.contains('.') && !path_style {
        let message = "has dots, with which no certificate fits the bucket's host; set pathStyle: true on the Provider, or use '-'";
        problems.add(&BKT_15, Cause::Invalid, FIELD, message);
    }
}

/// `name-123456789012-eu-west-1-an`
fn is_of_account(name: &str) -> bool {
    let parts: Vec<_> = name.split('-').collect();
    let is_account = |part: &str| part.len() == 12 && part.bytes().all(|c| c.is_ascii_digit());
    parts.len() >= 6 && is_account(parts[parts.len() - 5])
}

fn is_word(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}
