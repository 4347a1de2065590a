//! Warnings as the API server passes them on.

use std::collections::BTreeSet;

/// The longest single warning that survives next to others, in characters.
const WARNING_LENGTH: usize = 256;
/// What all warnings of an answer may take, in bytes, before the API server cuts them.
const WARNINGS_LENGTH: usize = 4096;

/// Warnings as the API server passes them on whole: without control characters, cut, each once, and as
/// many as fit.
pub fn warning_texts(warnings: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let texts = warnings.into_iter().map(|text| clean(&text)).filter(|text| seen.insert(text.clone()));
    let texts: Vec<_> = texts.collect();
    // Room is kept for the line that counts the rest.
    let mut room = WARNINGS_LENGTH - 32;
    let fitting = texts.iter().take_while(|text| {
        room = room.saturating_sub(text.len());
        room > 0
    });
    let fitting = fitting.count();
    let mut shown = texts[..fitting].to_vec();
    if fitting < texts.len() {
        shown.push(format!("and {} more warnings", texts.len() - fitting));
    }
    shown
}

fn clean(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some((cut, _)) = text.char_indices().nth(WARNING_LENGTH) {
        let end = text.char_indices().nth(WARNING_LENGTH - 1).map_or(cut, |(end, _)| end);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_lose_control_characters_and_length() {
        assert_eq!(warning_texts(["a\nb\tc".to_owned()]), ["a b c"]);
        let long = warning_texts(["ä".repeat(300)]);
        assert_eq!(long[0].chars().count(), WARNING_LENGTH);
        assert!(long[0].ends_with('…'));
    }

    #[test]
    fn a_hundred_warnings_fit_by_counting_the_rest() {
        let shown = warning_texts((0..100).map(|n| format!("{n:03}{}", "x".repeat(97))));
        assert!(shown.iter().map(String::len).sum::<usize>() <= WARNINGS_LENGTH);
        let rest = 100 - (shown.len() - 1);
        assert_eq!(*shown.last().unwrap(), format!("and {rest} more warnings"));
        assert_eq!(warning_texts(["same".to_owned(), "same".to_owned()]).len(), 1);
    }
}
