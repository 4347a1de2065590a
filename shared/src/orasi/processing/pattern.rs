//! Regular expressions.

use regex::{Error, Regex, RegexBuilder};

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::FieldPath,
};

/// The longest, in bytes.
const LONGEST: usize = 1000;
/// The most memory that one takes as a rule, in bytes. It bounds the time that compiling takes, too.
const USUAL: usize = 256 * 1024;
/// The most that a few of an object may take: `\w{1,63}`, for which all letters of all scripts are counted.
const LARGEST: usize = 4 * 1024 * 1024;
const FEW: usize = 8;
/// The most classes that the expressions of an object have that do not tell small letters from capitals: for `[\s\S]` the compiler goes
/// through all characters there are, in milliseconds.
const CLASSES: usize = 128;

/// What the regular expressions of an object have taken so far.
#[derive(Default)]
pub(in crate::orasi) struct Patterns {
    large: usize,
    classes: usize,
}

impl Patterns {
    /// Adds a problem when `text` is no regular expression, or too large a one. It is not repeated.
    pub(in crate::orasi) fn check(
        &mut self,
        text: &str,
        field: impl Into<FieldPath>,
        rule: &'static AdmissionRule,
        problems: &mut Problems,
    ) {
        if text.len() > LONGEST {
            let message = format!("is longer than {LONGEST} bytes; shorten it");
            return problems.add(rule, Cause::Invalid, field, message);
        }
        self.classes += classes_in_any_letters(text);
        if self.classes > CLASSES {
            let message = format!(
                "has, with those before it, more than {CLASSES} classes of characters without regard to capitals; write fewer, or without (?i)"
            );
            return problems.add(rule, Cause::TooMany, field, message);
        }
        if let Err(error) = self.compile(text) {
            problems.add(rule, Cause::Invalid, field, reason(&error));
        }
    }

    fn compile(&mut self, text: &str) -> Result<Regex, Error> {
        let build = |most| RegexBuilder::new(text).size_limit(most).build();
        match build(USUAL) {
            Err(Error::CompiledTooBig(_)) if self.large < FEW => {
                self.large += 1;
                build(LARGEST)
            }
            built => built,
        }
    }
}

/// How many classes `text` has at most whose characters are looked up in capitals too. `[a-z]` alone costs nothing.
fn classes_in_any_letters(text: &str) -> usize {
    // With the flag x, white space may be between '(' and '?', and between '[' and '^'.
    let has = |flag: char| {
        let mut flags = text.split('?').skip(1).filter_map(|behind| behind.split([':', ')']).next());
        flags.any(|flags| flags.contains(flag) && flags.chars().all(|c| "imsRUux-".contains(c)))
    };
    let wide = [r"\w", r"\W", r"\S", r"\D", r"\p", r"\P", r"\x", r"\u", r"\U", "[^", "[:^"];
    let is_wide = has('x') || !text.is_ascii() || wide.iter().any(|class| text.contains(class));
    // What is on either side of an operator is a class of its own.
    let counted = ["[", r"\p", r"\P", "&&", "--", "~~"];
    if has('i') && is_wide { counted.iter().map(|sign| text.matches(sign).count()).sum() } else { 0 }
}

fn reason(error: &Error) -> String {
    match error {
        Error::CompiledTooBig(USUAL) => format!(
            "takes more than {} KiB when it is compiled, as {FEW} before it do; repeat less in it",
            USUAL / 1024
        ),
        Error::CompiledTooBig(_) => {
            format!("takes more than {} KiB when it is compiled; repeat less in it", LARGEST / 1024)
        }
        other => {
            let text = other.to_string();
            let why = text.rsplit_once("error: ").map_or("it can't be read", |(_, why)| why.trim());
            format!("is no regular expression: {why}; correct it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::rule::SCHEMA;

    fn messages(texts: &[&str]) -> Vec<String> {
        let (mut patterns, mut problems) = (Patterns::default(), Problems::default());
        for (nth, text) in texts.iter().enumerate() {
            patterns.check(text, ("spec", nth), &SCHEMA, &mut problems);
        }
        problems.into_sorted().into_iter().map(|problem| problem.message).collect()
    }

    fn message(text: &str) -> Option<String> {
        messages(&[text]).pop()
    }

    #[test]
    fn what_compiles_in_bounds_is_taken() {
        let long = "a".repeat(LONGEST);
        for text in ["", "^/health(z|y)?$", r"\p{L}+", r"(?i)error|warn", r"^\w{1,63}$", r"^.{1,255}$", &long]
        {
            assert_eq!(message(text), None, "{text}");
        }
        let hundred = [r"(?i)^[a-z]+\s\w+$"; 100];
        assert!(messages(&hundred).is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_without_the_expression() {
        assert_eq!(message("(s3cret").unwrap(), "is no regular expression: unclosed group; correct it");
        assert!(message(r"(s3cret)\1").unwrap().contains("backreferences are not supported"));
        for large in [r"\w{200}{200}", "(a{100}){100}{100}"] {
            assert!(message(large).unwrap().contains("4096 KiB"), "{large}");
        }
        assert!(message(&"a".repeat(LONGEST + 1)).unwrap().contains("1000 bytes"));
    }

    #[test]
    fn few_of_an_object_take_much_memory() {
        let told = messages(&[r"\w{10}"; FEW + 2]);
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("256 KiB when it is compiled, as 8 before it do"), "{told:?}");
    }

    /// Were all of them compiled, this would take an hour, not a second.
    #[test]
    fn classes_in_any_letters_are_counted() {
        for class in [r"[\s\S]", r"[a[b[\d\D]]]", r"\p{Any}", r"\PL", "[x[^a]]"] {
            let text = format!("(?i){}", class.repeat(990 / class.len()));
            assert_eq!(messages(&[&*text; 300]).len(), 300, "{class}");
        }
        for class in ["[!-\u{10ffff}]", r"[\x00-\x{10ffff}]", "[x[:^alpha:]"] {
            assert!(classes_in_any_letters(&format!("(?i){class}")) > 0, "{class}");
        }
        for flags in ["(?s-mi)", "(?im:a)", "(?-u)(?i-u)"] {
            assert_eq!(classes_in_any_letters(&format!(r"{flags}[\s\S]")), 1, "{flags}");
        }
        for text in [r"(?x)( ?i)[\s\S]", "(?ix)[x[ ^a]]"] {
            assert!(classes_in_any_letters(text) > 0, "{text}");
        }
        assert_eq!(classes_in_any_letters(&format!("(?i)[{}]", [r"\S"; 100].join("&&"))), 100);
        assert_eq!(classes_in_any_letters(r"(?:[\s\S]){3}"), 0);
        assert_eq!(classes_in_any_letters(r#"(?P<ip>[^ ]+) "(?P<time>[^"]+)""#), 0);
    }
}
