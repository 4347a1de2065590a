//! Patterns with `*` (any text, `/` and `:` included) and `?` (one character).

/// Whether `text` fits `pattern`. Linear in practice, quadratic at worst.
pub fn matches(pattern: &str, text: &str) -> bool {
    if pattern.is_ascii() && text.is_ascii() {
        return matches_slice(pattern.as_bytes(), text.as_bytes(), b'*', b'?');
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    matches_slice(&pattern, &text, '*', '?')
}

fn matches_slice<C: Copy + PartialEq>(pattern: &[C], text: &[C], any: C, one: C) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last `*` does not fit: behind that `*`, one character later.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(&c) if c == any => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == one || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((behind, from)) => {
                    retry = Some((behind, from + 1));
                    p = behind;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == any)
}

/// Whether every text that fits `inner` fits `outer`. Takes at most the product of the lengths.
///
/// A `true` is always right. With several `*` in both, a rare containment may be missed, and any of very long patterns.
pub fn covers(outer: &str, inner: &str) -> bool {
    Pattern::new(outer).covers(&Pattern::new(inner))
}

/// A pattern whose ends are known: most pairs of a long list differ before their first wildcard or behind their last.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a> {
    text: &'a str,
    /// What is before the first wildcard and behind the last, if it has any.
    ends: Option<(&'a str, &'a str)>,
}

impl<'a> Pattern<'a> {
    /// The pattern `text`.
    pub fn new(text: &'a str) -> Self {
        let (first, last) = (text.find(['*', '?']), text.rfind(['*', '?']));
        Self { text, ends: first.zip(last).map(|(first, last)| (&text[..first], &text[last + 1..])) }
    }

    /// What is between two ends that it has, neither of which reaches behind a wildcard.
    fn middle(&self, start: &str, end: &str) -> &'a str {
        &self.text[start.len()..self.text.len() - end.len()]
    }

    /// As [`covers`].
    pub fn covers(&self, inner: &Pattern<'_>) -> bool {
        let Some((start, end)) = self.ends else { return self.text == inner.text };
        let (inner_start, inner_end) = inner.ends.unwrap_or((inner.text, inner.text));
        if !inner_start.starts_with(start)
            || !inner_end.ends_with(end)
            || inner.text.len() < start.len() + end.len()
        {
            return false;
        }
        let (outer, middle) = (self.middle(start, end), inner.middle(start, end));
        outer == "*"
            || outer.len().saturating_mul(middle.len()) <= MOST_STEPS
                && match inner.ends {
                    Some(_) => covers_in_full(outer, middle),
                    None => matches(outer, middle),
                }
    }
}

/// How long what differs between two patterns may be, multiplied: longer ones are not said to cover each other.
const MOST_STEPS: usize = 4096;

fn covers_in_full(outer: &str, inner: &str) -> bool {
    let (outer, inner) = (canonical(outer), canonical(inner));
    // covered[i][o]: whether the rest of `inner` from i is covered by the rest of `outer` from o. Filled from the ends.
    let mut covered = vec![vec![false; outer.len() + 1]; inner.len() + 1];
    for i in (0..=inner.len()).rev() {
        for o in (0..=outer.len()).rev() {
            covered[i][o] = match (inner.get(i), outer.get(o)) {
                (None, None) => true,
                (None, Some(&c)) => c == '*' && covered[i][o + 1],
                (Some(_), None) => false,
                (Some('*'), Some('*')) => covered[i + 1][o],
                // `*I` is `I` or `?*I`, and both have to be covered.
                (Some('*'), Some('?')) => covered[i + 1][o] && covered[i][o + 1],
                (Some('*'), Some(_)) => false,
                (Some(_), Some('*')) => covered[i][o + 1] || covered[i + 1][o],
                (Some(_), Some('?')) => covered[i + 1][o + 1],
                (Some(a), Some(b)) => a == b && covered[i + 1][o + 1],
            };
        }
    }
    covered[0][0]
}

/// The same pattern with the `?` of each run of wildcards in front of one `*`.
fn canonical(pattern: &str) -> Vec<char> {
    let (mut result, mut star) = (Vec::with_capacity(pattern.len()), false);
    for c in pattern.chars() {
        match c {
            '*' => star = true,
            '?' => result.push('?'),
            _ => {
                result.extend(std::mem::take(&mut star).then_some('*'));
                result.push(c);
            }
        }
    }
    if star {
        result.push('*');
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, text: &str, expect: bool) {
        assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
    }

    #[test]
    fn a_pattern_fits_whole_texts() {
        check("", "", true);
        check("*", "", true);
        check("?", "", false);
        check("a*c", "abc", true);
        check("a*c", "abcd", false);
        check("a*b*c", "a-b-b-c", true);
        check("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b:c", true);
        check("ä?", "äö", true);
    }

    fn check_covers(outer: &str, inner: &str, expect: bool) {
        assert_eq!(covers(outer, inner), expect, "{outer} covers {inner}");
    }

    #[test]
    fn a_pattern_covers_what_it_contains() {
        check_covers("*", "a*", true);
        check_covers("a*", "*", false);
        check_covers("?*", "*a", true);
        check_covers("*?", "?*", true);
        check_covers("??*", "?*", false);
        check_covers("s3:Get*", "s3:Get*Acl", true);
        check_covers("s3:Get*Acl", "s3:Get*", false);
        check_covers("*a*", "a*", true);
        check_covers("b/*/c", "b/x/y/c", true);
        check_covers("b/*b/*", "b/*", false);
        check_covers("ab*bc", "abc", false);
    }

    /// All texts of up to five of these characters; `x` stands in no pattern.
    fn texts() -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..5 {
            last = last.iter().flat_map(|text| ['a', 'b', 'x'].map(|c| format!("{text}{c}"))).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn patterns_of_any_length_take_neither_time_nor_room() {
        let long = "a".repeat(100_000);
        check_covers(&format!("*{long}*"), &format!("*{long}b*"), false);
        check_covers(&format!("*{long}b*"), &long, false);
        check_covers(&format!("{long}*"), &format!("{long}{long}"), true);
    }

    proptest! {
        #[test]
        fn what_is_said_to_be_covered_is(outer in "[ab*?]{0,5}", inner in "[ab*?]{0,5}") {
            if covers(&outer, &inner) {
                for text in texts().iter().filter(|text| matches(&inner, text)) {
                    prop_assert!(matches(&outer, text), "{} fits {} and not {}", text, inner, outer);
                }
            }
        }

        #[test]
        fn what_fits_with_one_star_is_covered(outer in "[ab?]{0,2}\\*?[ab?]{0,2}", inner in "[ab?]{0,2}\\*?[ab?]{0,2}") {
            let mut fitting = texts().into_iter().filter(|text| matches(&inner, text));
            let contained = fitting.all(|text| matches(&outer, &text));
            prop_assert_eq!(covers(&outer, &inner), contained);
        }
    }
}
