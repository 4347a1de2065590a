//! For how long has something been so, without a break? Measured by this replica alone on its monotonic clock:
//! a restart waits again, which is safe.

use std::time::Duration;

use crate::{ca::Certificate, cluster::Target};

/// Since when each authority has been seen in every bundle.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    generations: Vec<String>,
    since: Vec<(Certificate, Duration)>,
}

impl Trust {
    /// Takes in what was just read back. Any change of a configuration since the last look starts the waiting
    /// again: the authority may have been missing in between, and an API server may still have that version.
    pub(crate) fn observe<'a>(
        &mut self,
        targets: &[Target],
        authorities: impl Iterator<Item = &'a Certificate>,
        elapsed: Duration,
    ) {
        let generations = targets.iter().map(generation).collect();
        if generations != self.generations {
            self.generations = generations;
            self.since.clear();
        }
        let trusted = authorities.filter(|it| targets.iter().all(|target| target.trusts(it)));
        self.since = trusted.map(|it| (it.clone(), self.start(it).unwrap_or(elapsed))).collect();
    }

    /// For how long `certificate` has been trusted everywhere; nothing if it is not.
    pub(crate) fn lasted(&self, certificate: &Certificate, elapsed: Duration) -> Option<Duration> {
        self.start(certificate).map(|start| elapsed.saturating_sub(start))
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
}

impl Unchanged {
    pub(crate) fn observe<'a>(&mut self, set: impl Iterator<Item = &'a Certificate>, elapsed: Duration) {
        let set: Vec<_> = set.cloned().collect();
        if set != self.set {
            *self = Self { set, since: elapsed };
        }
    }

    pub(crate) fn lasted(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_sub(self.since)
    }
}

fn generation(target: &Target) -> String {
    target.live.as_ref().map(|it| it.generation.clone()).unwrap_or_default()
}
