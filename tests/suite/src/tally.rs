//! Tests counted from the lines in which cargo sums them up.

/// How many tests there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Those that are there and were not run.
    pub(crate) ignored: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, more: Tally) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.ignored += more.ignored;
    }

    /// Counts `line` if it is a sum: `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    pub(crate) fn count(&mut self, line: &str) {
        let Some((_, sums)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for sum in sums.split("; ") {
            let mut words = sum.split_whitespace();
            let (number, what) = (words.next().and_then(|word| word.parse::<usize>().ok()), words.next());
            match (number, what) {
                (Some(number), Some("passed")) => self.passed += number,
                (Some(number), Some("failed")) => self.failed += number,
                (Some(number), Some("ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: (usize, usize, usize)) {
        let mut tally = Tally::default();
        tally.count(line);
        assert_eq!((tally.passed, tally.failed, tally.ignored), expect, "{line}");
    }

    #[test]
    fn cargos_sums_are_counted_and_nothing_else() {
        check("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out", (12, 0, 1));
        check("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured", (1, 2, 0));
        check("test rotation::nobody_notices ... ok", (0, 0, 0));
        check("12 passed; 0 failed", (0, 0, 0));
    }
}
