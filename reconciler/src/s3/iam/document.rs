//! Documents as services give them back.

use std::borrow::Cow;

use concierge_shared::s3::{
    self,
    policy::{PolicyKind, same},
};

/// Whether two policies say the same; services rewrite what they are given.
pub(in crate::s3) fn says_the_same(kind: PolicyKind, wanted: &str, found: &str) -> bool {
    same(wanted, &plain(found), kind)
}

/// The buckets that a policy names.
pub(in crate::s3) fn named_buckets(found: &str) -> Vec<String> {
    s3::named_buckets(&plain(found)).into_iter().collect()
}

/// The document as it was given: IAM answers with it as a part of a URL.
fn plain(text: &str) -> Cow<'_, str> {
    match text.trim_start().starts_with('{') {
        true => Cow::Borrowed(text),
        false => Cow::Owned(String::from_utf8_lossy(&decoded(text.as_bytes())).into_owned()),
    }
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut rest, mut decoded) = (text, Vec::with_capacity(text.len()));
    while let [first, tail @ ..] = rest {
        let byte = hex(tail).filter(|_| *first == b'%');
        let plain = if *first == b'+' { b' ' } else { *first };
        decoded.push(byte.unwrap_or(plain));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    decoded
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_the_same_as_a_part_of_a_url_and_in_another_order() {
        let wanted = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::a/*"}]}"#;
        let encoded = "%7B%22Version%22%3A+%222012-10-17%22%2C%22Statement%22%3A%7B%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Aa%2F%2A%22%2C%22Effect%22%3A%20%22Allow%22%7D%7D";
        assert!(says_the_same(PolicyKind::Inline, wanted, wanted));
        assert!(says_the_same(PolicyKind::Inline, wanted, encoded));
        assert!(!says_the_same(PolicyKind::Inline, wanted, &encoded.replace("Allow", "Deny")));
        let id = wanted.replace("{\"Version\"", "{\"Id\":\"x\",\"Version\"");
        assert!(says_the_same(PolicyKind::Inline, &id, &id.replace("\"Version\"", " \"Version\"")), "{id}");
        for broken in ["", "%", "%7", "%7B", "%zz", "{", "[]"] {
            assert!(!says_the_same(PolicyKind::Inline, wanted, broken), "{broken}");
        }
    }
}
