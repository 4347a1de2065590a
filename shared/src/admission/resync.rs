//! The annotation that says how often an object is reconciled while nothing changes.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    problem::{Cause, Problems},
    rule::RESYNC,
};
use crate::field::at;

/// How often the object is reconciled, for instance `30m`.
pub const RESYNC_ANNOTATION: &str = "concierge.dev/resync";
/// No more often than this.
pub const SHORTEST_RESYNC: Duration = Duration::from_secs(10);
/// No more rarely than this.
pub const LONGEST_RESYNC: Duration = Duration::from_secs(24 * 3600);

/// What the annotation asks for, within the bounds; `None` when there is none, or it is no time.
pub fn resync(meta: &ObjectMeta) -> Option<Duration> {
    asked(text(meta)?).map(|asked| asked.clamp(SHORTEST_RESYNC, LONGEST_RESYNC))
}

pub(super) fn check_resync(meta: &ObjectMeta, problems: &mut Problems) {
    let Some(text) = text(meta) else { return };
    let fits = |asked| (SHORTEST_RESYNC..=LONGEST_RESYNC).contains(&asked);
    if !asked(text).is_some_and(fits) {
        let field = at("metadata.annotations").key(RESYNC_ANNOTATION);
        let message = "is not a time from 10s to 24h, such as 30m; correct it, or remove the annotation";
        problems.add(&RESYNC, Cause::Invalid, field, message);
    }
}

fn text(meta: &ObjectMeta) -> Option<&str> {
    meta.annotations.as_ref()?.get(RESYNC_ANNOTATION).map(String::as_str)
}

fn asked(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = text.trim().parse().ok()?;
    Duration::try_from(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(text: &str) -> ObjectMeta {
        let annotations = [(RESYNC_ANNOTATION.to_owned(), text.to_owned())].into();
        ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() }
    }

    fn seconds(text: &str) -> Option<u64> {
        resync(&meta(text)).map(|asked| asked.as_secs())
    }

    #[test]
    fn times_are_kept_within_bounds() {
        assert_eq!(seconds("30m"), Some(1800));
        assert_eq!(seconds("1s"), Some(10));
        assert_eq!(seconds("9223372036854775807s"), Some(86400));
        assert_eq!(seconds("-5m"), None);
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn what_is_out_of_bounds_is_a_problem() {
        let found = |text: &str| {
            let mut problems = Problems::default();
            check_resync(&meta(text), &mut problems);
            !problems.into_sorted().is_empty()
        };
        for text in ["9s", "25h", "9223372036854775807s", "-5m", "soon", ""] {
            assert!(found(text), "{text:?}");
        }
        for text in ["10s", "30m", "24h"] {
            assert!(!found(text), "{text:?}");
        }
    }
}
