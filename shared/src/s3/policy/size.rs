//! How large a document may be, and what it may not contain.

use super::{Lint, PolicyKind, rules::*};

const BUCKET: usize = 20_480;
const MANAGED: usize = 6_144;
const INLINE: usize = 2_048;

/// What is wrong with the text as a whole.
pub(super) fn check(lint: &mut Lint<'_>) {
    let bytes = compact_len(lint.text);
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
        PolicyKind::Managed if bytes > MANAGED => {
            lint.add(
                &SIZ_02,
                0..0,
                format!("has {bytes} characters of at most {MANAGED}; split it in two policies"),
            );
        }
        // Those that others gave the user are not known here: the service refuses what is too much together.
        PolicyKind::Inline if bytes > INLINE => {
            let message = format!("has {bytes} characters of at most {INLINE}; use an IAMPolicy");
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
        if in_string || !c.is_ascii_whitespace() {
            length += 1;
        }
        match c {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    length
}

/// Everybody who may read the object, or the policy at the provider, reads what is in it.
fn check_secrets(lint: &mut Lint<'_>) {
    let text = lint.text;
    for prefix in ["AKIA", "ASIA"] {
        for (at, _) in text.match_indices(prefix) {
            let end =
                at + text[at..].bytes().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit()).count();
            if end - at == 20 {
                let message = "looks like the id of an access key; remove it, and replace the key if its secret is near";
                lint.add(&SEC_01, at..end, message);
            }
        }
    }
}
