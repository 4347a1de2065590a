//! Functions on texts that belong to no rule.

/// The longest word that another one is looked for.
const LONGEST: usize = 100;

/// `text` from elsewhere, cut where a field would not hold it.
pub fn first_chars(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `written` differs from `known` by one or two letters only.
pub fn is_slip(written: &str, known: &str) -> bool {
    written.len() <= LONGEST && (1..=2).contains(&strsim::damerau_levenshtein(written, known))
}

/// The one of `known` that `written` misspells.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The time grows with the product of both lengths.
    if written.len() > LONGEST {
        return None;
    }
    let lower = written.to_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&lower, &word.to_lowercase());
    let best = known.into_iter().map(|word| (distance(word), word)).min_by_key(|(distance, _)| *distance)?;
    let tolerated = (written.chars().count().max(best.1.len()) / 3).max(1);
    (best.0 <= tolerated).then_some(best.1)
}
