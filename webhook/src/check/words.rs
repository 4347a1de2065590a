//! Words that were probably meant, and words as other programs read them.

pub(crate) use concierge_runtime::printable::*;
pub(crate) use concierge_shared::common::words::{is_slip, nearest};
use serde::Serialize;

/// `value` as JSON on several lines. Programs read every character back; none commands a terminal or CI.
pub(crate) fn json(value: &impl Serialize) -> String {
    // What is written so here always has a JSON form.
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    let text = brackets(&text, r"\u0023");
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
    fn no_text_commands_ci_and_json_is_read_back_as_it_was() {
        for text in
            ["##[stop-commands]x", "a ##vso[task.setvariable]b", "###[x]", "##teamcity[a]", "  ::error::x"]
        {
            assert!(!is_harmless(text) && is_harmless(&printable(text)), "{text}");
            let json = json(&[text]);
            assert!(is_harmless(&json), "{json}");
            assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [text]);
        }
        for text in ["## [x]", "#[x]", "a::b", "##", "##-[x]"] {
            assert!(is_harmless(text) && printable(text) == text, "{text}");
        }
        assert_eq!(harmless("a\n ::b\n\nc##[d"), "a\n \u{fffd}:b\n\nc\u{fffd}#[d");
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
