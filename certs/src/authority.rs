//! What replicas share: the CA Secret's content, and the pure state machine of a rotation.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::ByteString;

use crate::{
    ca::{CaError, Certificate, Pair},
    clock::earlier,
};

/// The annotation on the CA Secret that asks for a rotation. Any new value asks once.
pub const ROTATE: &str = "concierge.dev/rotate-ca";

/// Where a rotation stands; derived from which certificates there are. *Retired*, the moment at which the previous
/// one leaves, is the step back to `Stable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// One authority.
    Stable,
    /// The next one goes into every bundle; leaves are signed by the current one.
    Announced,
    /// Leaves are signed by what was the next one; the previous one stays in every bundle.
    Promoted,
}

impl State {
    /// The word in the Secret, in logs and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Announced => "announced",
            Self::Promoted => "promoted",
        }
    }
}

/// The CA Secret's content.
///
/// The previous authority is kept without its key: nothing is signed by it any more, and a key that does not exist
/// cannot be stolen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    current: Pair,
    next: Option<Pair>,
    previous: Option<Certificate>,
    announced_at: Option<Timestamp>,
    promoted_at: Option<Timestamp>,
    rotation: Option<String>,
}

/// The durations the state machine goes by.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Common name of new authorities, before their random tail.
    pub name: String,
    /// Life of a new authority. It is rotated when a third of this is left.
    pub ca_validity: Duration,
    /// How long every bundle must have held the next authority before leaves are signed by it.
    pub settle: Duration,
    /// How long every replica has for a new leaf before the previous authority goes.
    pub overlap: Duration,
}

/// What one replica saw. All durations on its monotonic clock, so a jump of the wall clock shortens none.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The value of the annotation [`ROTATE`] on the Secret.
    pub rotation: Option<String>,
    /// For how long every configuration read back has held the next authority.
    pub next_trusted: Option<Duration>,
    /// For how long every configuration read back has held the current authority.
    pub current_trusted: Option<Duration>,
    /// For how long the Secret's set of authorities has been what it is.
    pub unchanged: Duration,
    /// Whether this replica's own leaf is signed by the current authority.
    pub leaf_current: bool,
}

/// One move of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A next authority is generated and goes into every bundle.
    Announce,
    /// Leaves are signed by the next authority from now on.
    Promote,
    /// The previous authority is forgotten.
    Retire,
    /// The current authority cannot be used at all: a new one takes its place at once.
    Replace,
}

/// Why the Secret's content is of no use.
#[derive(Debug, thiserror::Error)]
#[error("`{entry}`: {source}")]
pub struct AuthorityError {
    entry: &'static str,
    source: CaError,
}

impl Authority {
    /// A first authority. A rotation asked for so far counts as done.
    pub fn bootstrap(policy: &Policy, rotation: Option<String>, now: Timestamp) -> Result<Self, CaError> {
        let current = Pair::generate(&policy.name, policy.ca_validity, now, None)?;
        Ok(Self { current, next: None, previous: None, announced_at: None, promoted_at: None, rotation })
    }

    /// Signs leaves.
    pub fn current(&self) -> &Pair {
        &self.current
    }

    /// Will sign leaves.
    pub fn next(&self) -> Option<&Pair> {
        self.next.as_ref()
    }

    /// Has signed leaves.
    pub fn previous(&self) -> Option<&Certificate> {
        self.previous.as_ref()
    }

    /// When the rotation under way was announced.
    pub fn announced_at(&self) -> Option<Timestamp> {
        self.announced_at
    }

    /// When the last rotation was promoted.
    pub fn promoted_at(&self) -> Option<Timestamp> {
        self.promoted_at
    }

    /// Where the rotation stands.
    pub fn state(&self) -> State {
        match (&self.next, &self.previous) {
            (Some(_), _) => State::Announced,
            (None, Some(_)) => State::Promoted,
            (None, None) => State::Stable,
        }
    }

    /// Everything that belongs into every bundle.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        let next = self.next.as_ref().map(Pair::certificate);
        std::iter::once(self.current.certificate()).chain(next).chain(&self.previous)
    }

    /// The move that is due, if any. Depends on nothing else than what is passed, so it may be asked again after
    /// every crash and by every replica.
    pub fn due(&self, observed: &Observed, policy: &Policy, now: Timestamp) -> Option<Step> {
        if !self.current.certificate().usable(now) {
            return Some(if self.next_usable(now) { Step::Promote } else { Step::Replace });
        }
        match self.state() {
            State::Stable => self.wants_rotation(observed, policy, now).then_some(Step::Announce),
            // The next one may itself run out when nobody was there for a year.
            State::Announced if !self.next_usable(now) => Some(Step::Announce),
            State::Announced => at_least(observed.next_trusted, policy.settle).then_some(Step::Promote),
            State::Promoted => self.may_retire(observed, policy, now).then_some(Step::Retire),
        }
    }

    /// [`due`](Self::due) and [`take`](Self::take) in one: the content to write, or nothing to do.
    pub fn step(
        &self,
        observed: &Observed,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Option<(Step, Self)>, CaError> {
        let Some(step) = self.due(observed, policy, now) else { return Ok(None) };
        Ok(Some((step, self.take(step, observed, policy, now)?)))
    }

    /// The content after `step`.
    pub fn take(
        &self,
        step: Step,
        observed: &Observed,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Self, CaError> {
        let mut after = self.clone();
        match step {
            Step::Announce => {
                after.next = Some(self.fresh(policy, now)?);
                after.announced_at = Some(now);
                after.rotation.clone_from(&observed.rotation);
            }
            Step::Promote => after.succeed(self.next.clone().unwrap_or(self.current.clone()), now),
            Step::Replace => after.succeed(self.fresh(policy, now)?, now),
            Step::Retire => after.previous = None,
        }
        Ok(after)
    }

    /// Reads the Secret's data. A next or previous authority that cannot be read is left out with a warning:
    /// the rotation starts again. Nothing at all or an unreadable current one is an error.
    pub fn from_data(data: &BTreeMap<String, ByteString>) -> Result<Self, AuthorityError> {
        let bytes = |key: &str| data.get(key).map_or(&[][..], |value| &value.0);
        let text =
            |key: &str| Some(String::from_utf8_lossy(bytes(key)).into_owned()).filter(|it| !it.is_empty());
        let time = |key: &str| text(key).and_then(|it| it.parse().ok());
        let current = Pair::from_pem(bytes("current.crt"), bytes("current.key"))
            .map_err(|source| AuthorityError { entry: "current.crt", source })?;
        Ok(Self {
            current,
            next: readable("next.crt", data, || Pair::from_pem(bytes("next.crt"), bytes("next.key"))),
            previous: readable("previous.crt", data, || Certificate::from_pem(bytes("previous.crt"))),
            announced_at: time("announcedAt"),
            promoted_at: time("promotedAt"),
            rotation: text("rotation"),
        })
    }

    /// The Secret's data. Contains private keys.
    pub fn to_data(&self) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::from([("state".to_owned(), self.state().word().to_owned())]);
        let mut put = |key: &str, value: Option<String>| value.map(|it| data.insert(key.to_owned(), it));
        put("current.crt", Some(self.current.certificate().pem()));
        put("current.key", Some(self.current.key_pem().to_owned()));
        put("next.crt", self.next.as_ref().map(|it| it.certificate().pem()));
        put("next.key", self.next.as_ref().map(|it| it.key_pem().to_owned()));
        put("previous.crt", self.previous.as_ref().map(Certificate::pem));
        put("announcedAt", self.announced_at.map(|it| it.to_string()));
        put("promotedAt", self.promoted_at.map(|it| it.to_string()));
        put("rotation", self.rotation.clone());
        data.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))).collect()
    }

    fn next_usable(&self, now: Timestamp) -> bool {
        self.next.as_ref().is_some_and(|it| it.certificate().usable(now))
    }

    fn wants_rotation(&self, observed: &Observed, policy: &Policy, now: Timestamp) -> bool {
        let asked = observed.rotation.is_some() && observed.rotation != self.rotation;
        asked || earlier(self.current.certificate().not_after(), policy.ca_validity / 3) <= now
    }

    fn may_retire(&self, observed: &Observed, policy: &Policy, now: Timestamp) -> bool {
        let expired = self.previous.as_ref().is_some_and(|it| it.expired(now));
        let renewed = observed.leaf_current
            && observed.unchanged >= policy.overlap
            && at_least(observed.current_trusted, policy.overlap);
        expired || renewed
    }

    fn fresh(&self, policy: &Policy, now: Timestamp) -> Result<Pair, CaError> {
        Pair::generate(&policy.name, policy.ca_validity, now, Some(self.current.certificate()))
    }

    fn succeed(&mut self, successor: Pair, now: Timestamp) {
        let before = std::mem::replace(&mut self.current, successor).certificate().clone();
        self.previous = Some(before).filter(|it| !it.expired(now));
        self.next = None;
        self.promoted_at = Some(now);
    }
}

fn at_least(seen: Option<Duration>, wanted: Duration) -> bool {
    seen.is_some_and(|it| it >= wanted)
}

fn readable<T>(
    entry: &'static str,
    data: &BTreeMap<String, ByteString>,
    read: impl FnOnce() -> Result<T, CaError>,
) -> Option<T> {
    data.get(entry)?;
    read()
        .inspect_err(|error| tracing::warn!(entry, %error, "unreadable entry in the CA Secret, left out"))
        .ok()
}

#[cfg(test)]
mod tests;
