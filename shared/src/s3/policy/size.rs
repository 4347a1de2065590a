//! How large a document may be, and what it may not contain.

use super::{Lint, PolicyKind, document::Span, rules::*};

const BUCKET: usize = 20_480;
const MANAGED: usize = 6_144;
const INLINE: usize = 2_048;

/// What is wrong with the text as a whole.
pub(super) fn check(lint: &mut Lint<'_>) {
    let text = lint.text;
    let bytes = compact_len(text);
    // IAM counts characters, S3 bytes.
    let characters = || bytes - text.bytes().filter(|c| (0x80..0xc0).contains(c)).count();
    match lint.subject.kind {
        PolicyKind::Bucket if bytes > BUCKET => {
            let message = format!("has {bytes} bytes of at most {BUCKET}; join statements, or use wildcards");
            lint.add(&SIZ_01, 0..0, message);
        }
        PolicyKind::Bucket if bytes > BUCKET / 5 * 4 => {
            lint.add(
                &SIZ_01_NEAR,
                0..0,
                format!("has {bytes} bytes of at most {BUCKET}; join statements, or use wildcards, before more is added"),
            );
        }
        PolicyKind::Managed if characters() > MANAGED => {
            let message =
                format!("has {} characters of at most {MANAGED}; split it in two policies", characters());
            lint.add(&SIZ_02, 0..0, message);
        }
        // Those that others gave the user are not known here: the service refuses what is too much together.
        PolicyKind::Inline if characters() > INLINE => {
            let message = format!("has {} characters of at most {INLINE}; use an IAMPolicy", characters());
            lint.add(&SIZ_03, 0..0, message);
        }
        _ => {}
    }
    check_secrets(lint);
}

/// The length without white space outside strings: as it is sent, and as providers count.
pub fn compact_len(text: &str) -> usize {
    let (mut length, mut in_string, mut escaped) = (0, false, false);
    for c in text.bytes() {
        length += usize::from(in_string || !c.is_ascii_whitespace());
        in_string ^= c == b'"' && !escaped;
        escaped = in_string && c == b'\\' && !escaped;
    }
    length
}

/// Everybody who may read the object, or the policy at the provider, reads what is in it.
fn check_secrets(lint: &mut Lint<'_>) {
    let text = lint.text;
    for word in words(text).filter(|word| word.len() >= 20) {
        let (start, word) = (word.start, &text[word]);
        for (found, _) in word.match_indices("AKIA").chain(word.match_indices("ASIA")) {
            let id = |c: &u8| c.is_ascii_uppercase() || c.is_ascii_digit();
            let (at, length) = (start + found, word[found..].bytes().take(21).take_while(id).count());
            if length == 20 {
                let message = "looks like the id of an access key; remove it, and replace the key if its secret is near";
                lint.add(&SEC_01, at..at + length, message);
            }
        }
    }
    for secret in secrets(text) {
        let message = "looks like the secret of an access key; remove it, and replace the key if it is one";
        lint.add(&SEC_01, secret, message);
    }
}

/// What in a text looks like the secret of an access key: words of 40 characters of base64.
pub fn secrets(text: &str) -> impl Iterator<Item = Span> {
    words(text).filter(|word| word.len() == 40 && is_secret(&text.as_bytes()[word.clone()]))
}

/// The words of base64 in a text.
fn words(text: &str) -> impl Iterator<Item = Span> {
    let words = text.as_bytes().split(|c| !(c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/')));
    let mut next = 0;
    words.map(move |word| {
        let start = next;
        next += word.len() + 1;
        start..start + word.len()
    })
}

/// A message that repeats no secret, whatever words of the document it names.
pub(super) fn without_secrets(mut message: String) -> String {
    let found: Vec<_> = secrets(&message).collect();
    found.into_iter().rev().for_each(|secret| message.replace_range(secret, "***"));
    message
}

/// Digests in hexadecimal have no capitals, and words no digits.
fn is_secret(word: &[u8]) -> bool {
    let kinds: [fn(&u8) -> bool; 3] = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
    kinds.iter().all(|is| word.iter().any(is))
}
