//! The annotations that steer what becomes of one object, beside [`resync`](super::resync). One that is not understood has no effect, and
//! whoever writes it is told so at once.

use std::collections::BTreeMap;

use super::{
    problem::{Cause, Problems},
    reference::{ALLOWED_NAMESPACES_ANNOTATION, DELETE_IN_USE_ANNOTATION},
    rule::ANNOTATIONS,
};
use crate::field::at;

/// `"true"`: nothing is done about the object.
pub const PAUSED: &str = "concierge.dev/paused";
/// `"true"`: the plan is published in the condition `Synced`, and nothing is done.
pub const OBSERVE_ONLY: &str = "concierge.dev/observe-only";
/// `"true"`: a remote thing that does not bear our mark is taken over.
pub const ADOPT: &str = "concierge.dev/adopt";
/// `"true"`, on an object that is being deleted: it goes, and its remote thing stays.
pub const ABANDON: &str = "concierge.dev/abandon";
/// What is to be done about a call whose outcome is unknown: `retry`, `adopt=<id>` or `abandon`. Removed once obeyed.
pub const RESOLVE_UNKNOWN: &str = "concierge.dev/resolve-unknown";

/// Those that are set or not.
const SWITCHES: [&str; 5] = [PAUSED, OBSERVE_ONLY, ADOPT, ABANDON, DELETE_IN_USE_ANNOTATION];
/// The longest id that is believed.
const LONGEST_ID: usize = 1024;

/// What a person wants done about a call whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    Retry,
    Adopt(String),
    Abandon,
}

impl Resolution {
    /// What [`RESOLVE_UNKNOWN`] says; `None` when that is none of the three.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        match (text, text.split_once('=')) {
            ("retry", _) => Some(Resolution::Retry),
            ("abandon", _) => Some(Resolution::Abandon),
            (_, Some(("adopt", id))) if is_id(id.trim()) => Some(Resolution::Adopt(id.trim().to_owned())),
            _ => None,
        }
    }
}

/// Whether a service may have given this id, and a status has room for it.
pub fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether this annotation is looked at here.
pub(super) fn steers(key: &str) -> bool {
    SWITCHES.contains(&key) || key == RESOLVE_UNKNOWN || key == ALLOWED_NAMESPACES_ANNOTATION
}

pub(super) fn check_steering(annotations: &BTreeMap<String, String>, problems: &mut Problems) {
    for (key, value) in annotations {
        if let Some(message) = mistake(key, value) {
            problems.add(&ANNOTATIONS, Cause::Invalid, at("metadata.annotations").key(key), message);
        }
    }
}

/// Why the annotation has no effect, or not all of it.
fn mistake(key: &str, value: &str) -> Option<&'static str> {
    match key {
        RESOLVE_UNKNOWN if Resolution::read(value).is_none() => Some(
            "is none of retry, adopt=ID and abandon, and has no effect; correct it, or remove the annotation",
        ),
        ALLOWED_NAMESPACES_ANNOTATION if !value.split(',').all(|entry| is_namespace(entry.trim())) => Some(
            "is not a list of namespaces, separated by commas, or *; what is no namespace's name has no effect: correct it",
        ),
        key if SWITCHES.contains(&key) && !matches!(value, "true" | "false") => Some(
            "is neither \"true\" nor \"false\", and has no effect; write \"true\", or remove the annotation",
        ),
        _ => None,
    }
}

/// A name that a namespace may have, or the sign for all.
fn is_namespace(entry: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = entry.bytes().next().is_some_and(letter) && entry.bytes().next_back().is_some_and(letter);
    entry == "*" || ends && entry.len() <= 63 && entry.bytes().all(|byte| letter(byte) || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_annotation_that_is_not_understood_is_a_problem() {
        for switch in SWITCHES {
            for value in ["True", "yes", "1", " true", ""] {
                assert!(mistake(switch, value).is_some(), "{switch}: {value:?}");
            }
        }
        for value in ["", "later", "adopt", "adopt=", "adopt=a b", "Retry", "adopt=\u{e9}"] {
            assert!(mistake(RESOLVE_UNKNOWN, value).is_some(), "{value:?}");
        }
        for value in ["", "team-a,", "Team", "team_a", "-a", "team-*", "a b"] {
            assert!(mistake(ALLOWED_NAMESPACES_ANNOTATION, value).is_some(), "{value:?}");
        }
    }

    #[test]
    fn what_is_understood_is_no_problem() {
        for switch in SWITCHES {
            assert_eq!((mistake(switch, "true"), mistake(switch, "false")), (None, None));
        }
        for value in ["retry", " abandon ", "adopt=ord_1", "adopt= ord_1"] {
            assert_eq!(mistake(RESOLVE_UNKNOWN, value), None, "{value:?}");
        }
        for value in ["*", "team-a", "team-a, b2,*"] {
            assert_eq!(mistake(ALLOWED_NAMESPACES_ANNOTATION, value), None, "{value:?}");
        }
        assert_eq!(mistake("concierge.dev/reconcile-at", "now"), None, "any text");
    }
}
