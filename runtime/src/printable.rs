//! Text without commands to a terminal or to CI: it may come from a file, a command line or a variable that nobody has looked
//! at, and what is printed ends up in the logs of CI, which reads lines as commands too.

use std::borrow::Cow;

/// What stands where a command would begin.
pub const BROKEN: &str = "\u{fffd}";

/// `text` on one line and without commands.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let visible = visible(text);
    match harmless(&visible) {
        text if text == visible => visible,
        text => Cow::Owned(text),
    }
}

/// `text` as [`printable`] has it, line by line.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// `text` on one line and without commands to a terminal.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if is_unprintable(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Lines without commands to CI: GitHub's runner takes a line that begins with `::` for one, and what [`brackets`] finds.
#[must_use]
pub fn harmless(text: &str) -> String {
    let line = |line: &str| {
        let line = brackets(line, BROKEN);
        if line.trim_start().starts_with("::") { line.replacen(':', BROKEN, 1) } else { line }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// `text` with another `first` sign of what is a command wherever it stands in a line: `##[group]` for GitHub's and Azure's runners,
/// `##vso[...]` for Azure's, `##teamcity[...]`.
#[must_use]
pub fn brackets(text: &str, first: &str) -> String {
    let is_command = |(at, _): &(usize, &str)| {
        let word = text[at + 1..].strip_prefix('#');
        word.is_some_and(|word| word.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('['))
    };
    let (mut broken, mut end) = (String::new(), 0);
    for (at, sign) in text.match_indices('#').filter(is_command) {
        broken.extend([&text[end..at], first]);
        end = at + sign.len();
    }
    broken + &text[end..]
}

/// Whether `text` may be printed as it is.
#[must_use]
pub fn is_harmless(text: &str) -> bool {
    !text.contains(|c: char| c != '\n' && is_unprintable(c)) && harmless(text) == text
}

/// Whether `c` moves the cursor, ends the line, changes the direction of the text, or is no character, which XML can't hold.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
