//! Words that were probably meant.

use std::borrow::Cow;

pub(crate) use concierge_shared::common::words::{is_slip, nearest};
use serde::Serialize;

/// `text` on one line and without commands to a terminal: it may come from a file that nobody has looked at, and
/// what is printed ends up in the logs of CI, which read lines as commands too.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if is_unprintable(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// `text` as [`printable`] has it, line by line.
pub(crate) fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// `value` as JSON on several lines. Programs read every character back; none commands a terminal.
pub(crate) fn json(value: &impl Serialize) -> String {
    // What is written so here always has a JSON form.
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    // Below a space stands only what parts the lines. What else is unprintable is in the quotes of a text.
    let is_raw = |c: char| c > ' ' && is_unprintable(c);
    if !text.contains(is_raw) {
        return text;
    }
    let escape = |c: char| if is_raw(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// `path` as a word of a command, which may be pasted into a shell.
pub(crate) fn shell_word(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    match path.chars().all(is_plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

/// Whether `c` moves the cursor, ends the line, changes the direction of the text, or is no character, which XML can't hold.
pub(crate) fn is_unprintable(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// `1 problem`, `2 problems`.
pub(crate) fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_back_as_it_was_and_holds_nothing_unprintable() {
        let text = "a\n\u{7f}\u{9b}\u{202e}\u{ffff}\\u202eä";
        let json = json(&[text]);
        assert_eq!(json.find(|c: char| c != '\n' && is_unprintable(c)), None, "{json}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [text]);
    }

    #[test]
    fn a_shell_takes_a_path_as_one_word() {
        assert_eq!(shell_word("cases/rex-1.yaml"), "cases/rex-1.yaml");
        assert_eq!(shell_word("my cases/it's $HOME.yaml"), r"'my cases/it'\''s $HOME.yaml'");
        assert_eq!(shell_word("-o"), "./-o");
    }

    #[test]
    fn slips_are_told_from_other_words() {
        let fields = ["id", "name", "tag", "storeRef"];
        assert_eq!(nearest("storeref", fields), Some("storeRef"));
        assert_eq!(nearest("tags", fields), Some("tag"));
        assert_eq!(nearest("nmae", fields), Some("name"));
        assert_eq!(nearest("breed", fields), None);
    }
}
