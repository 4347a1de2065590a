//! For how long has something been so, without a break? Measured by this replica alone on its monotonic clock:
//! a restart waits again, which is safe.

use std::time::Duration;

use crate::{ca::Certificate, cluster::Target};

/// When a look at the cluster took place: somewhere between two readings of the monotonic clock, between which the
/// process may have been suspended for hours. What was seen began at the latest at `ended` and is known to have
/// held until `began`, not longer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
}

/// Since when each authority has been seen in every bundle.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    generations: Vec<String>,
    since: Vec<(Certificate, Duration)>,
    until: Duration,
}

impl Trust {
    /// Takes in what was just read back. Any change of a configuration since the last look starts the waiting
    /// again: the authority may have been missing in between, and an API server may still have that version.
    pub(crate) fn observe<'a>(
        &mut self,
        targets: &[Target],
        authorities: impl Iterator<Item = &'a Certificate>,
        look: Look,
    ) {
        let generations = targets.iter().map(generation).collect();
        if generations != self.generations {
            self.generations = generations;
            self.since.clear();
        }
        let trusted = authorities.filter(|it| targets.iter().all(|target| target.trusts(it)));
        self.since = trusted.map(|it| (it.clone(), self.start(it).unwrap_or(look.ended))).collect();
        self.until = look.began;
    }

    /// For how long `certificate` has been trusted everywhere; nothing if it is not.
    pub(crate) fn lasted(&self, certificate: &Certificate) -> Option<Duration> {
        self.start(certificate).map(|start| self.until.saturating_sub(start))
    }

    fn start(&self, certificate: &Certificate) -> Option<Duration> {
        self.since.iter().find(|(it, _)| it == certificate).map(|(_, start)| *start)
    }
}

/// Since when the set of authorities in the Secret is what it is.
#[derive(Debug, Default)]
pub(crate) struct Unchanged {
    set: Vec<Certificate>,
    since: Duration,
    until: Duration,
}

impl Unchanged {
    /// Takes in what the Secret holds.
    pub(crate) fn observe<'a>(&mut self, set: impl Iterator<Item = &'a Certificate>, look: Look) {
        let set: Vec<_> = set.cloned().collect();
        if set != self.set {
            self.set = set;
            self.since = look.ended;
        }
        self.until = look.began;
    }

    /// For how long it has been the same.
    pub(crate) fn lasted(&self) -> Duration {
        self.until.saturating_sub(self.since)
    }
}

fn generation(target: &Target) -> String {
    target.live.as_ref().map(|it| it.generation.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bundle::Bundle,
        ca::Pair,
        cluster::{Entry, Live, TargetKind},
    };

    fn authority() -> Certificate {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        Pair::generate("hook", Duration::from_secs(3600), now, None).unwrap().certificate().clone()
    }

    fn target(generation: &str, trusted: &[&Certificate]) -> Target {
        let bundle: Bundle = trusted.iter().map(|it| (*it).clone()).collect();
        let entries = vec![Entry { name: "entry".into(), bundle }];
        let live = Live { version: "1".into(), generation: generation.into(), entries };
        Target { kind: TargetKind::Validating, name: "hook".into(), live: Some(live) }
    }

    fn look(began: u64, ended: u64) -> Look {
        Look { began: Duration::from_secs(began), ended: Duration::from_secs(ended) }
    }

    /// After these looks, for how many seconds is the authority known to have been trusted?
    fn check(looks: &[(u64, u64, &str, bool)], expected: Option<u64>) {
        let authority = authority();
        let mut trust = Trust::default();
        for (began, ended, generation, trusted) in looks {
            let trusted = if *trusted { vec![&authority] } else { Vec::new() };
            let targets = [target(generation, &trusted)];
            trust.observe(&targets, std::iter::once(&authority), look(*began, *ended));
        }
        assert_eq!(trust.lasted(&authority), expected.map(Duration::from_secs));
    }

    #[test]
    fn trust_counts_from_the_end_of_the_first_look_to_the_start_of_the_last() {
        check(&[(0, 1, "a", true)], Some(0));
        check(&[(0, 1, "a", true), (30, 31, "a", true), (60, 61, "a", true)], Some(59));
    }

    #[test]
    fn a_sleep_in_the_middle_of_a_look_counts_for_nothing() {
        check(&[(0, 1, "a", true), (2, 500, "a", true)], Some(1));
        check(&[(0, 500, "a", true), (501, 502, "a", true)], Some(1));
    }

    #[test]
    fn any_change_or_absence_starts_again() {
        check(&[(0, 1, "a", true), (30, 31, "b", true)], Some(0));
        check(&[(0, 1, "a", true), (30, 31, "a", false)], None);
        check(&[(0, 1, "a", true), (30, 31, "a", false), (60, 61, "a", true)], Some(0));
    }

    #[test]
    fn a_target_that_does_not_exist_trusts_nobody() {
        let authority = authority();
        let mut trust = Trust::default();
        let missing = Target { live: None, ..target("a", &[]) };
        trust.observe(&[missing], std::iter::once(&authority), look(0, 1));
        assert_eq!(trust.lasted(&authority), None);
    }
}
