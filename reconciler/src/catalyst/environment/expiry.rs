//! The end that a ttl sets: people are told an hour before.

use std::collections::HashMap;

use concierge_shared::{
    catalyst::{Environment, EnvironmentStatus},
    status::Conditions,
};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

/// How long before the end people are told.
const NOTICE: SignedDuration = SignedDuration::from_hours(1);
/// The type of the condition that tells of the end.
pub(super) const EXPIRING: &str = "Expiring";

/// When an environment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::catalyst) struct Expiry {
    pub(super) at: Timestamp,
    pub(super) stage: Stage,
    /// Whether something keeps it from being deleted.
    pub(super) kept: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::catalyst) enum Stage {
    /// More than an hour is left.
    Later,
    /// Less than an hour is left.
    Soon,
    Over,
}

impl Expiry {
    /// When the ttl is over; `None` for one that lives as long as its object.
    pub(super) fn end_of(environment: &Environment) -> Option<Timestamp> {
        let created = environment.metadata.creation_timestamp.as_ref()?.0;
        created.checked_add(environment.spec.lifetime()?).ok()
    }

    pub(super) fn of(environment: &Environment, now: Timestamp) -> Option<Self> {
        let at = Self::end_of(environment)?;
        let stage = match at.duration_since(now) {
            left if !left.is_positive() => Stage::Over,
            left if left <= NOTICE => Stage::Soon,
            _ => Stage::Later,
        };
        Some(Self { at, stage, kept: environment.is_kept() })
    }

    /// The time as the status writes it.
    pub(super) fn text(&self) -> String {
        self.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// When something is to be done next.
    pub(super) fn due(&self) -> Timestamp {
        match self.stage {
            Stage::Later => self.at.checked_sub(NOTICE).unwrap_or(self.at),
            Stage::Soon | Stage::Over => self.at,
        }
    }

    pub(super) fn message(&self) -> String {
        match (self.kept, self.stage) {
            (true, Stage::Over) => format!(
                "its ttl was over at {}, and it is kept: set protect to false and, for type production, the annotation \
                 concierge.dev/confirm-delete to its name, or remove ttl",
                self.text()
            ),
            _ => format!(
                "it is deleted at {}, when its ttl is over; raise or remove ttl to keep it",
                self.text()
            ),
        }
    }
}

/// By uid, the ends that this process has told of and the cached object may not show yet.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<String, Timestamp>>);

/// How many are remembered.
const MOST: usize = 10_000;

fn uid(environment: &Environment) -> String {
    environment.metadata.uid.clone().unwrap_or_default()
}

impl Told {
    /// Whether an event has told of this end.
    pub(super) fn has(&self, environment: &Environment, expiry: &Expiry) -> bool {
        let says = |status: &EnvironmentStatus| {
            status.is_true(EXPIRING) && status.expires_at.as_deref() == Some(&expiry.text())
        };
        environment.status.as_ref().is_some_and(says)
            || self.0.lock().get(&uid(environment)) == Some(&expiry.at)
    }

    pub(super) fn note(&self, environment: &Environment, expiry: &Expiry) {
        let mut told = self.0.lock();
        if told.len() >= MOST {
            told.clear();
        }
        told.insert(uid(environment), expiry.at);
    }
}
