//! Card numbers, found to be kept out.

/// How many digits a card number has.
const LENGTHS: std::ops::RangeInclusive<usize> = 13..=19;

/// True when `text` contains 13 to 19 digits that pass Luhn's check, as one group or as whole groups
/// with spaces or dashes between them.
pub fn has_card_number(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_digit() || is_separator(c))).any(run_has_card_number)
}

fn run_has_card_number(run: &str) -> bool {
    let groups: Vec<&str> = run.split(is_separator).filter(|group| !group.is_empty()).collect();
    (0..groups.len()).any(|start| starts_card_number(&groups[start..]))
}

/// True when the first few of `groups` make a card number.
fn starts_card_number(groups: &[&str]) -> bool {
    let mut digits = String::new();
    for group in groups {
        digits.push_str(group);
        if digits.len() > *LENGTHS.end() {
            return false;
        }
        if LENGTHS.contains(&digits.len()) && passes_luhn(&digits) {
            return true;
        }
    }
    false
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

fn passes_luhn(digits: &str) -> bool {
    let values = digits.bytes().rev().map(|digit| u32::from(digit - b'0'));
    let sum: u32 = values
        .enumerate()
        .map(|(place, value)| match place % 2 {
            0 => value,
            _ => value * 2 / 10 + value * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for text in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "card 4242 4242 4242 4242 12/28 123",
            "4242 4242 4242 4242 12 28",
            "tok_4242424242424242",
            "no. 12: 378282246310005",
            "4222222222222",
            "1 2 4242\u{a0}4242\u{2011}4242  4242",
        ] {
            assert!(has_card_number(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "4242424242424241",
            "42424242424242424242424242",
            "+1 415 555 2671",
            "2026-01-01 10:20:30",
            "tok_1N3T00LkdIwHu7ixt44h1F8k",
            "",
            "- - -",
        ] {
            assert!(!has_card_number(text), "{text}");
        }
    }
}
