//! What an environment says of itself alone.

use std::{collections::HashSet, time::Duration};

use super::{
    COMMIT, COMMIT_SHORT, Environment, EnvironmentSource, EnvironmentSpec, INGRESS_FIELD, SOURCE_FIELD,
    SOURCES, TTL,
};
use crate::{
    admission::{
        problem::{Cause, Problems},
        review::Review,
    },
    catalyst::git::{Commit, check_branch},
    field::at,
};

/// The shortest life of an environment.
const SHORTEST: Duration = Duration::from_secs(600);

pub(super) fn check(review: &Review<'_, Environment>, problems: &mut Problems) {
    let spec = &review.object.spec;
    check_sources(spec.sources.as_deref().unwrap_or_default(), problems);
    if let Some(text) = &spec.ttl {
        check_ttl(text, review.settings.catalyst.max_ttl_days, problems);
    }
    if spec.source.is_some() {
        let message = "is no longer used, and nothing is deployed from it; write it as an item of sources, with name, commitSha and branch";
        problems.add(&SOURCE_FIELD, Cause::NotSupported, "spec.source", message);
    }
    if spec.ingress.is_some() {
        let message = "is no longer used; write the first part of its host into host, and leave the rest out";
        problems.add(&INGRESS_FIELD, Cause::NotSupported, "spec.ingress", message);
    }
}

fn check_sources(sources: &[EnvironmentSource], problems: &mut Problems) {
    let mut seen = HashSet::new();
    for (nth, source) in sources.iter().enumerate() {
        let field = |name: &str| at("spec.sources").index(nth).field(name);
        if source.name.is_empty() {
            problems.add(
                &SOURCES,
                Cause::Required,
                field("name"),
                "is required; name one of the Project's sources",
            );
        } else if !seen.insert(&source.name) {
            problems.add(&SOURCES, Cause::Duplicate, field("name"), "is listed twice; remove one");
        }
        check_branch(&source.branch, field("branch"), problems);
        match Commit::of(&source.commit_sha) {
            Commit::Newest | Commit::Full => {}
            Commit::Short => {
                let message = "is not all of the commit's id, by which most servers do not find it; write all 40 digits";
                problems.add(&COMMIT_SHORT, Cause::Invalid, field("commitSha"), message);
            }
            Commit::Wrong => {
                let message = "is no commit; write its 40 digits, or leave it empty for the branch's newest";
                problems.add(&COMMIT, Cause::Invalid, field("commitSha"), message);
            }
        }
    }
}

fn check_ttl(text: &str, most_days: i64, problems: &mut Problems) {
    let most = Duration::from_secs(u64::try_from(most_days).unwrap_or(0).saturating_mul(24 * 3600));
    if !parse_ttl(text).is_some_and(|ttl| (SHORTEST..=most).contains(&ttl)) {
        let message = format!("is no time from 10m to {most_days}d; write for instance 72h or 14d");
        problems.add(&TTL, Cause::Invalid, "spec.ttl", message);
    }
}

impl EnvironmentSpec {
    /// How long the environment lives; for ever when `None`. One that admission would have refused for its shortness ends nothing.
    pub fn lifetime(&self) -> Option<Duration> {
        parse_ttl(self.ttl.as_deref()?).filter(|ttl| *ttl >= SHORTEST)
    }
}

/// A number of minutes, hours or days.
fn parse_ttl(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return None,
    };
    let number = text.strip_suffix(unit)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.then(|| number.parse().ok()).flatten()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_a_number_of_minutes_hours_or_days() {
        let seconds = |text: &str| parse_ttl(text).map(|ttl| ttl.as_secs());
        assert_eq!(
            [seconds("10m"), seconds("72h"), seconds("14d")],
            [Some(600), Some(259_200), Some(1_209_600)]
        );
        for bad in [
            "",
            "d",
            "1",
            "1s",
            "-1d",
            "+1d",
            "1.5d",
            "1d2h",
            " 1d",
            "ä",
            "99999999999999999999d",
            "9999999999999999999h",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
