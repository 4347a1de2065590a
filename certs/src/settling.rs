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
