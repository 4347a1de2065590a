//! Credentials are kept in Secrets: where else they may have been written they are refused, and nothing repeats them.

use serde_json::Value;
use url::Url;

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    common::secret::{in_setting, is_header, is_secret, secret_in},
    field::FieldPath,
};

/// Schemes of addresses in which a container stands where others have a user.
pub(super) const CONTAINERS: [&str; 4] = ["abfs", "abfss", "wasb", "wasbs"];
/// What queries call a signature, which opens what it signs to everybody.
const SIGNATURES: [&str; 5] = ["sig", "signature", "x-amz-signature", "x-amz-credential", "x-goog-signature"];

/// What is wrong with credentials in the clear, and what to do. Pipelines have no field for any.
pub(super) const IN_THE_CLEAR: &str = "looks like a credential in the clear, or has one in it; remove it: where one is needed, a field of the \
     Storage, Connector or Configuration whose name ends with SecretRef names the Secret that has it";

/// Adds a problem when an address, or another short text, has credentials in it.
pub(super) fn check_text(
    field: impl Into<FieldPath>,
    text: &str,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    if has_credentials(text) {
        problems.add(rule, Cause::Forbidden, field, IN_THE_CLEAR);
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
    secret_in(text).is_some() || in_setting(text) || in_address(text)
}

fn in_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| has_user(&url) || has_signature(&url))
}

/// Whether what records are compared with has credentials in it. It may be of a message about one: `Invalid token: expected`.
pub(super) fn tells_credential(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let is_header = is_header(text) && text.contains(|c: char| c.is_ascii_digit());
            is_header || secret_in(text).is_some() || in_address(text)
        }
        Value::Array(items) => items.iter().any(tells_credential),
        Value::Object(fields) => fields.values().any(tells_credential),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a value of this name, or what is inside of it, is a credential by its name or has one in it.
pub(super) fn is_credential(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => is_secret(name, text) || has_credentials(text),
        Value::Array(items) => items.iter().any(|item| is_credential(name, item)),
        Value::Object(fields) => fields.iter().any(|(name, value)| is_credential(name, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
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
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_are_found_inside_of_values() {
        for value in [json!("Bearer x"), json!(["a", "pwd=x"]), json!({ "all": [{ "api_key": "x" }] })] {
            assert!(is_credential("when", &value), "{value}");
        }
        assert!(is_credential("password", &json!(["x"])));
        for value in [json!(null), json!(1), json!({ "secretName": "x", "max_tokens": 100 })] {
            assert!(!is_credential("when", &value), "{value}");
        }
    }

    #[test]
    fn messages_about_credentials_have_none() {
        for value in [
            json!("Invalid token: expected"),
            json!("Authorization: Bearer token"),
            json!("Bearer token"),
            json!(["password", "password:"]),
        ] {
            assert!(!tells_credential(&value), "{value}");
        }
        for value in [
            json!("password=hunter2"),
            json!("Bearer 0123abcd4567"),
            json!(["a", "Authorization: Bearer 0123abcd"]),
            json!("https://jane:hunter2@example.com"),
            json!("https://token@example.com"),
        ] {
            assert!(tells_credential(&value), "{value}");
        }
    }

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
            "jdbc:hive2://hive:10000/lake;user=jane;password=x",
            "Bearer x",
            "https://example.com/?to=https%3A%2F%2Fjane%3Ahunter2%40example.org",
            "thrift://jane%3Ahunter2%40hive:9083",
            "UID=jane;PWD={s3cr;et}",
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
            "abfss://container%40account.dfs.core.windows.net/x",
            "thrift://hive:9083",
        ] {
            assert!(!has_credentials(text), "{text}");
        }
    }
}
