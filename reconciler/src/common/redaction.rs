//! Hides what was sent, and what looks like a secret, in words that come back.

use serde_json::Value;

/// Longest text of a service that is passed on, in characters.
const LONGEST: usize = 300;
/// Below this length a sent text is a common word; hiding it would only garble the message.
const SHORTEST: usize = 3;
const HIDDEN: &str = "[hidden]";

/// How the words of one service look.
#[derive(Clone, Copy, Default)]
pub(crate) struct Prefixes {
    /// How its secrets begin.
    pub(crate) secrets: &'static [&'static str],
    /// How its ids begin: they are no secrets, and messages that name them are worth reading.
    pub(crate) ids: &'static [&'static str],
}

/// What must not be read in a service's words.
#[derive(Default)]
pub(crate) struct Redaction {
    prefixes: Prefixes,
    sent: Vec<String>,
}

impl Redaction {
    /// Hides the credentials and every text in the request's body but ids.
    pub(crate) fn new(prefixes: Prefixes, credentials: &str, body: Option<&[u8]>) -> Self {
        let mut sent = vec![credentials.to_owned()];
        if let Some(Ok(body)) = body.map(serde_json::from_slice::<Value>) {
            prefixes.collect(&body, &mut sent);
        }
        sent.retain(|text| text.chars().count() >= SHORTEST);
        sent.iter_mut().for_each(|text| text.make_ascii_lowercase());
        // Longest first: hiding a part of a longer text would leave the rest readable.
        sent.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { prefixes, sent }
    }

    /// `words` without anything hidden, on one line and of bounded length.
    pub(crate) fn apply(&self, words: &str) -> String {
        let mut text = words.to_owned();
        for sent in &self.sent {
            text = hide(&text, sent);
        }
        let words =
            text.split_whitespace().map(|word| if self.prefixes.looks_secret(word) { HIDDEN } else { word });
        words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(LONGEST).collect()
    }
}

/// Replaces `sent`, which is in lower case, also where the service changed its case.
fn hide(text: &str, sent: &str) -> String {
    // Lower case by ASCII keeps every place in the text.
    let lower = text.to_ascii_lowercase();
    let (mut shown, mut from) = (String::new(), 0);
    for (place, found) in lower.match_indices(sent) {
        shown.push_str(&text[from..place]);
        shown.push_str(HIDDEN);
        from = place + found.len();
    }
    shown + &text[from..]
}

impl Prefixes {
    /// The texts in `value` that are no ids.
    fn collect(&self, value: &Value, sent: &mut Vec<String>) {
        match value {
            Value::String(text) if !self.ids.iter().any(|prefix| text.starts_with(prefix)) => {
                sent.push(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, sent)),
            Value::Object(fields) => fields.values().for_each(|field| self.collect(field, sent)),
            _ => {}
        }
    }

    /// A word with a secret's prefix anywhere in it, or with as many digits as a card number.
    fn looks_secret(&self, word: &str) -> bool {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let id = self.ids.iter().any(|prefix| word.contains(prefix));
        self.secrets.iter().any(|prefix| word.contains(prefix)) || (digits >= 12 && !id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIXES: Prefixes = Prefixes { secrets: &["trm_", "tok_", "sec_"], ids: &["crd_"] };

    fn check(body: &str, words: &str, expect: &str) {
        let redaction = Redaction::new(PREFIXES, "trm_test_me", Some(body.as_bytes()));
        assert_eq!(redaction.apply(words), expect);
    }

    #[test]
    fn what_was_sent_is_hidden() {
        check(r#"{"token":"tok_visa"}"#, "No such token: 'tok_visa'", "No such token: '[hidden]'");
        check(
            r#"{"name":"Ann","zip":"94107"}"#,
            "Ann at 94107 is unknown",
            "[hidden] at [hidden] is unknown",
        );
        check(r#"{"street1":"1 Main St"}"#, "no 1 MAIN ST, é!", "no [hidden], é!");
        check(r#"{"a":["one two"],"b":"one"}"#, "one two, one", "[hidden], [hidden]");
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden_even_if_never_sent() {
        check("{}", "token trm_live_0123 and sec_9", "token [hidden] and [hidden]");
        check("{}", "card 4242-4242-4242-4242 declined", "card [hidden] declined");
        check("{}", "header trm_test_me", "header [hidden]");
    }

    #[test]
    fn ids_and_plain_words_stay() {
        let words = "card crd_01JNH7GKWYRHX45GPRZS3M7A4X was not found";
        check(r#"{"cardID":"crd_01JNH7GKWYRHX45GPRZS3M7A4X"}"#, words, words);
        check(r#"{"country":"US"}"#, "US is fine", "US is fine");
    }

    #[test]
    fn the_text_is_one_bounded_line() {
        check("{}", "a\nb\tc\u{1b}[0m", "a b c[0m");
        let redaction = Redaction::default();
        assert_eq!(redaction.apply(&"x".repeat(1000)).len(), LONGEST);
    }
}
