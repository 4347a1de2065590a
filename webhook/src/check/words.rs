//! Words that were probably meant.

use std::borrow::Cow;

pub(crate) use concierge_shared::common::words::nearest;

/// `text` on one line and without commands to a terminal: it may come from a file that nobody has looked at, and
/// what is printed ends up in the logs of CI, which read lines as commands too.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if is_unprintable(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Whether `c` moves the cursor, ends the line, or changes the direction of the text.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `1 problem`, `2 problems`.
pub(crate) fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_other_words() {
        let fields = ["id", "name", "tag", "storeRef"];
        assert_eq!(nearest("storeref", fields), Some("storeRef"));
        assert_eq!(nearest("tags", fields), Some("tag"));
        assert_eq!(nearest("nmae", fields), Some("name"));
        assert_eq!(nearest("breed", fields), None);
    }
}
