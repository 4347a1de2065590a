//! Names and commits as git takes them.

use crate::{
    admission::problem::{Cause, Problems},
    field::FieldPath,
    rules,
};

rules! {
    BRANCH = Deny "catalyst.git.branch", "A branch has a name that git takes: no space, control character, '..', '~', '^', ':', '?', '*', '[' or '\\', no '-' in front, no '.lock' or '/' at the end.";
}

/// The longest name of a branch.
pub(super) const MAX_BRANCH: u32 = 255;

/// Adds a problem when no branch can have this name.
pub(super) fn check_branch(branch: &str, field: impl Into<FieldPath>, problems: &mut Problems) {
    if branch.is_empty() {
        problems.add(&BRANCH, Cause::Required, field, "is required; name a branch, for instance main");
    } else if let Some(why) = wrong_branch(branch) {
        let message = format!("{why}; use the name of a branch that is in the repository");
        problems.add(&BRANCH, Cause::Invalid, field, message);
    }
}

fn wrong_branch(branch: &str) -> Option<&'static str> {
    let strange = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let wrong_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    match () {
        () if branch.starts_with('-') => Some("begins with '-', as options do"),
        () if branch.contains(strange) => Some("contains a character that git does not take in names"),
        () if branch.contains("..") || branch.contains("@{") => Some("contains '..' or '@{'"),
        () if branch == "@" || branch.ends_with('.') => Some("can't be the name of a branch"),
        () if branch.split('/').any(wrong_part) => {
            Some("has a part that is empty, begins with '.' or ends with '.lock'")
        }
        () => None,
    }
}

/// What is given as a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Nothing, or `HEAD`: the newest of the branch.
    Newest,
    /// All 40 digits.
    Full,
    /// 7 to 39 digits.
    Short,
    /// Something else.
    Wrong,
}

impl Commit {
    /// What `text` says.
    pub fn of(text: &str) -> Self {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match text.len() {
            0 => Self::Newest,
            _ if text == "HEAD" => Self::Newest,
            40 if digits => Self::Full,
            7..=39 if digits => Self::Short,
            _ => Self::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_those_that_git_takes() {
        for good in ["main", "feature/a", "release-1.2", "a@b", "ä", "x.y"] {
            assert_eq!(wrong_branch(good), None, "{good}");
        }
        for bad in [
            "-d", "a b", "a\tb", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a.lock", "a.lock/b",
            "a/", "/a", "a//b", ".a", "a/.b", "a.", "@", "a@{1}", "a\u{7f}",
        ] {
            assert!(wrong_branch(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn commits_have_seven_to_forty_digits() {
        let full = "a".repeat(40);
        for (text, expect) in [
            ("", Commit::Newest),
            ("HEAD", Commit::Newest),
            ("abc1234", Commit::Short),
            ("ABC123456789", Commit::Short),
            (&full, Commit::Full),
            ("abc123", Commit::Wrong),
            ("latest", Commit::Wrong),
            ("release-v1", Commit::Wrong),
            (&format!("{full}a"), Commit::Wrong),
            ("head", Commit::Wrong),
        ] {
            assert_eq!(Commit::of(text), expect, "{text}");
        }
    }
}
