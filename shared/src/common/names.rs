//! Names as the API server takes them.

use crate::admission::claim::claim_name;

/// The longest name of an object.
pub const MAX_NAME: usize = 253;
/// The longest name of a namespace.
pub const MAX_NAMESPACE: usize = 63;

pub(super) const NAME_MESSAGE: &str =
    "can't be a name; use lower-case letters, digits, '-' and '.', with a letter or digit at both ends";
pub(super) const NAMESPACE_MESSAGE: &str =
    "can't be a namespace; use lower-case letters, digits and '-', with a letter or digit at both ends";
pub(super) const KEY_MESSAGE: &str = "can't be a key of a Secret; use letters, digits, '-', '_' and '.'";

/// What names look like, for the API server. A rule rather than a pattern, for the sake of its message.
pub(crate) fn name_rule() -> kube::core::Rule {
    kube::core::Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message(NAME_MESSAGE)
}

/// What keys of Secrets look like, for the API server.
pub(crate) fn secret_key_rule() -> kube::core::Rule {
    kube::core::Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message(KEY_MESSAGE)
}

/// True for a name that an object can have (RFC 1123 subdomain).
pub fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME && text.split('.').all(is_dashed)
}

/// True for a name that a namespace can have (RFC 1123 label).
pub fn is_namespace(text: &str) -> bool {
    text.len() <= MAX_NAMESPACE && is_dashed(text)
}

/// True for a key that a Secret can have.
pub fn is_secret_key(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(allowed)
}

/// True for a key that a label can have: `[prefix/]name`.
pub fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_name(prefix) && is_label_word(name),
        None => is_label_word(key),
    }
}

/// True for a value that a label can have.
pub fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_label_word(value)
}

fn is_dashed(text: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = [text.bytes().next(), text.bytes().last()];
    ends.into_iter().all(|end| end.is_some_and(inner)) && text.bytes().all(|c| inner(c) || c == b'-')
}

fn is_label_word(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().last()];
    text.len() <= 63
        && ends.into_iter().all(|end| end.is_some_and(|c| c.is_ascii_alphanumeric()))
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
}

/// `name` and `suffix` as the name of an object; where that is too long, a digest stands for the end of `name`.
pub fn derived_name(name: &str, suffix: &str) -> String {
    let room = MAX_NAME.saturating_sub(suffix.len());
    match name.get(..room.saturating_sub(41)) {
        Some(start) if name.len() > room => format!("{start}-{}{suffix}", claim_name(suffix, name)),
        _ => format!("{name}{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_the_api_server_takes() {
        assert!(is_name("rex") && is_name("rex.the-2nd") && is_name("7"));
        for bad in ["", "Rex", "-rex", "rex-", "a..b", "a_b", "ä", ".", "a.", &"a".repeat(254)] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_namespace("bar-2") && !is_namespace("a.b") && !is_namespace(&"a".repeat(64)));
        assert!(is_secret_key("tls.crt") && is_secret_key("API_KEY") && !is_secret_key("a/b"));
    }

    #[test]
    fn labels_are_those_the_api_server_takes() {
        assert!(is_label_key("app") && is_label_key("petstore.example.com/store"));
        for bad in ["", "/a", "a/", "a/b/c", "-a"] {
            assert!(!is_label_key(bad), "{bad}");
        }
        assert!(is_label_value("A.b_c-9") && is_label_value(""));
        assert!(!is_label_value("my store") && !is_label_value(&"a".repeat(64)));
    }
}
