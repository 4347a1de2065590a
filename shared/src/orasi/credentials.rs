//! Credentials are kept in Secrets: where else they may have been written they are refused, and nothing repeats them.

use url::Url;

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    common::secret::{is_secret, secret_in},
    field::FieldPath,
};

/// Schemes of addresses in which a container stands where others have a user.
pub(super) const CONTAINERS: [&str; 4] = ["abfs", "abfss", "wasb", "wasbs"];
/// What queries call a signature, which opens what it signs to everybody.
const SIGNATURES: [&str; 5] = ["sig", "signature", "x-amz-signature", "x-amz-credential", "x-goog-signature"];

/// Adds a problem when an address, or another short text, has credentials in it.
pub(super) fn check_text(
    field: impl Into<FieldPath>,
    text: &str,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    if has_credentials(text) {
        let message = "has what looks like credentials in it; remove them, keep them in a Secret, and name that where the \
             authentication stands";
        problems.add(rule, Cause::Forbidden, field, message);
    }
}

/// Adds a problem when a field is given that is there to be refused: it would hold a credential in the clear. The field `instead`
/// names a Secret.
pub(super) fn refuse_inline(
    field: impl Into<FieldPath>,
    given: Option<&String>,
    instead: &str,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    if given.is_some() {
        let message =
            format!("would stand in the clear; remove it, keep it in a Secret, and name that in {instead}");
        problems.add(rule, Cause::Forbidden, field, message);
    }
}

/// Whether `text` has credentials in it, as an address or by its form.
pub(super) fn has_credentials(text: &str) -> bool {
    let in_url = || Url::parse(text).is_ok_and(|url| has_user(&url) || has_signature(&url));
    secret_in(text).is_some() || in_url()
}

fn has_user(url: &Url) -> bool {
    let is_container = CONTAINERS.contains(&url.scheme());
    url.password().is_some() || (!url.username().is_empty() && !is_container)
}

fn has_signature(url: &Url) -> bool {
    url.query_pairs().any(|(name, value)| {
        is_secret(&name, &value) || (SIGNATURES.contains(&&*name.to_lowercase()) && !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_in_addresses() {
        for text in [
            "https://jane:hunter2@example.com",
            "https://token@example.com",
            "s3://AKIAIOSFODNN7EXAMPLE:secret@bucket/x",
            "abfss://container:key@account.dfs.core.windows.net/x",
            "https://account.blob.core.windows.net/x?sv=1&sig=abc",
            "https://b.s3.amazonaws.com/x?X-Amz-Signature=0f",
            "https://example.com/?password=hunter2",
            "thrift://jane:hunter2@hive:9083",
        ] {
            assert!(has_credentials(text), "{text}");
        }
        for text in [
            "",
            "/data/lake",
            "hive:9083",
            "s3://bucket/a@b",
            "https://example.com/?tokenName=a&sig=",
            "abfss://container@account.dfs.core.windows.net/x",
            "thrift://hive:9083",
        ] {
            assert!(!has_credentials(text), "{text}");
        }
    }
}
