//! What may not be printed, although it stands in the file: what is checked in CI ends up in logs.

use concierge_shared::common::card_number::has_card_number;

/// What tokens of the services begin with.
const TOKENS: [&str; 2] = ["tok_", "trm_"];

/// `line` with stars for the credentials of URLs, for tokens, and for all digits when there is a card number
/// among them; as long as before.
pub(crate) fn hide(line: &str) -> String {
    let mut hidden = hide_credentials(line);
    for prefix in TOKENS {
        hidden = hide_after(&hidden, prefix);
    }
    if has_card_number(line) {
        hidden = hidden.chars().map(|c| if c.is_ascii_digit() { '*' } else { c }).collect();
    }
    hidden
}

fn hide_credentials(line: &str) -> String {
    hide_each(line, "://", |authority| {
        let end = authority.find(|c: char| matches!(c, '/' | '?' | '#' | '"' | '\'') || c.is_whitespace());
        authority[..end.unwrap_or(authority.len())].rfind('@').unwrap_or(0)
    })
}

fn hide_after(line: &str, prefix: &str) -> String {
    hide_each(line, prefix, |rest| {
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len())
    })
}

/// `line` with stars for as many bytes behind each `mark` as `secret` says of what stands there.
fn hide_each(line: &str, mark: &str, secret: impl Fn(&str) -> usize) -> String {
    let mut hidden = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(found) = rest.find(mark) {
        let (before, after) = rest.split_at(found + mark.len());
        let (secret, after) = after.split_at(secret(after));
        hidden.push_str(before);
        hidden.extend(secret.chars().map(|_| '*'));
        rest = after;
    }
    hidden + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let check = |line: &str, expect: &str| assert_eq!(hide(line), expect);
        check("baseUrl: https://jane:pä@x/a@b", "baseUrl: https://*******@x/a@b");
        check("a: \"http://u@x\" http://y", "a: \"http://*@x\" http://y");
        check("a: http://x/@b", "a: http://x/@b");
        check("cardToken: 'tok_1Abc_9' # tok_", "cardToken: 'tok_******' # tok_");
        check("note: 4242 4242-42424242, 7 times", "note: **** ****-********, * times");
        check("id: 9223372036854775807", "id: 9223372036854775807");
    }
}
