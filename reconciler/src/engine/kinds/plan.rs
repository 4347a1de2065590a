//! Plans: what follows from spec and observation, as data.

use std::{fmt, time::Duration};

use concierge_shared::status::ConditionReason;
use jiff::Timestamp;

/// What is to be done about an object, and what can be said of it already.
#[derive(Clone, Debug)]
pub struct Plan<S> {
    /// The steps, in order. None: the remote side is as the spec says.
    pub steps: Vec<Planned<S>>,
    /// Whether the object is usable as it was observed.
    pub readiness: Readiness,
    /// What the spec asks for and the service can't do. The rest is done all the same.
    pub unsupported: Vec<Unsupported>,
    /// Conditions of the kind's own.
    pub conditions: Vec<ExtraCondition>,
    /// When to look again, if sooner than the kind's resync; about.
    pub look_again: Option<Duration>,
    /// When exactly something is due, if sooner than that.
    pub due: Option<Timestamp>,
}

/// A step with how it is to be taken.
#[derive(Clone, Debug)]
pub struct Planned<S> {
    pub step: S,
    /// Whether it is taken whatever came of the steps before it.
    pub independent: bool,
    /// What makes it safe, when it can't be repeated.
    pub once: Option<Once>,
    /// The differences between the spec and the remote side that it corrects. None for what makes something that is not there.
    pub drift: Vec<Drift>,
}

/// A call that may be sent at most once. See [`crate::engine`], "At most once".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The operation, for instance `POST /order`. Names the [`UnknownPolicy`].
    pub operation: &'static str,
    /// A digest of what the call asks for, by which its effect can be recognised in a list. Two objects with
    /// the same fingerprint on one account are served one after the other.
    pub fingerprint: String,
    /// The ids of the things that the service listed during this observation and that could be mistaken for the effect: those
    /// with the same fingerprint.
    pub before: Vec<String>,
}

/// Whether an object is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Not yet, or no longer.
    NotReady(ConditionReason, String),
}

/// One difference between the spec and the remote side. It stands at the step that corrects it: what is not corrected is no drift, but
/// something that the service can't do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The field of the spec, without indices and keys: it labels a metric.
    pub field: &'static str,
    /// What the remote side has. No secrets.
    pub found: String,
    /// What the spec says. No secrets.
    pub wanted: String,
}

/// One thing that the service can't do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The field of the spec that asks for it.
    pub field: String,
    /// What can't be done, and what to do instead.
    pub message: String,
}

/// A condition of a kind's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraCondition {
    /// Its type.
    pub kind: &'static str,
    pub status: bool,
    /// Its reason, in one CamelCase word.
    pub reason: &'static str,
    pub message: String,
}

/// What is to be done about an object that is being deleted.
#[derive(Clone, Debug)]
pub enum Deletion<S> {
    /// The remote thing was observed to be gone, or never to have been.
    Gone,
    /// The remote thing stays, as people are told in this sentence.
    Left(String),
    /// These steps first; then it is observed again.
    Steps(Vec<Planned<S>>),
    /// What is left goes by itself: children that are being deleted, or something that the service does. Looked at again when a child is
    /// gone, and after about this time at the latest.
    Wait {
        /// What is waited for.
        message: String,
        /// When to look again.
        look_again: Duration,
    },
    /// Nothing can be done before a person or the service does something.
    Blocked(ConditionReason, String),
}

/// What happens to the remote thing when its object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// It stays. For whatever holds data.
    Retain,
    /// It goes first.
    Delete,
}

/// Whose the remote thing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// There is none.
    Nobody,
    /// It bears our mark.
    Ours,
    /// It bears no mark, or another's: say which.
    Other(String),
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What happened: created, updated, deleted, adopted.
    pub reason: ConditionReason,
    /// In a sentence, for the event.
    pub message: String,
    /// The remote id of what a [`Once`] call made. Recorded in the status, logged, and told in an event.
    pub id: Option<String>,
    /// Whether the step went well and there is more of it.
    pub more: bool,
}

/// Something at the service that could be the effect of a call whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub id: String,
    /// Its fingerprint, made as for [`Once::fingerprint`].
    pub fingerprint: String,
    /// When the service says it came to be; `None` when it does not say.
    pub at: Option<Timestamp>,
    /// Whether the fingerprint tells it from what anybody else makes at the same time. What only could be the effect is neither adopted
    /// nor removed: people decide.
    pub certain: bool,
    /// Whether what was in the answer is in our hands all the same, for instance in the Secret that the call was to fill. It is adopted,
    /// whatever the policy says: somebody may be using it already.
    pub kept: bool,
}

/// What to do about a [`Once`] call whose outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPolicy {
    /// How many lists without the effect make it certain enough that there is none. The waits
    /// ([`Settings::settle`](crate::engine::Settings::settle)) double from look to look.
    pub looks: u32,
    /// What to do then.
    pub if_not_found: IfNotFound,
    /// What to do with the one effect that is found.
    pub if_found: IfFound,
}

/// What to do when no effect is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfNotFound {
    /// Wait for the annotation `concierge.dev/resolve-unknown`. For whatever costs money.
    Hold,
    /// Plan anew. Where a second one would cost nothing.
    Retry,
}

/// What to do when one effect is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfFound {
    /// Record its id as if the call had been answered.
    Adopt,
    /// Remove it and plan anew: its secret was in the answer that never came.
    Discard,
}

impl Default for UnknownPolicy {
    /// Three looks, hold, adopt.
    fn default() -> Self {
        Self { looks: 3, if_not_found: IfNotFound::Hold, if_found: IfFound::Adopt }
    }
}

impl<S> Plan<S> {
    /// Nothing to do.
    pub fn new(readiness: Readiness) -> Self {
        Self {
            steps: Vec::new(),
            readiness,
            unsupported: Vec::new(),
            conditions: Vec::new(),
            look_again: None,
            due: None,
        }
    }

    /// Nothing to do, and usable.
    pub fn ready() -> Self {
        Self::new(Readiness::Ready)
    }

    /// Nothing to do, and not usable yet.
    pub fn not_ready(reason: ConditionReason, message: impl Into<String>) -> Self {
        Self::new(Readiness::NotReady(reason, message.into()))
    }

    /// Adds a step that is taken if all before it went well.
    pub fn step(self, step: S) -> Self {
        self.with(Planned::new(step))
    }

    /// Adds a step that is taken whatever came of those before it.
    pub fn independent(self, step: S) -> Self {
        self.with(Planned { independent: true, ..Planned::new(step) })
    }

    /// Adds a step whose call may be sent at most once, taken if all before it went well.
    pub fn once(self, step: S, once: Once) -> Self {
        self.with(Planned { once: Some(once), ..Planned::new(step) })
    }

    /// Adds a step that corrects these differences, taken if all before it went well.
    pub fn correct(self, step: S, drift: impl IntoIterator<Item = Drift>) -> Self {
        self.with(Planned { drift: drift.into_iter().collect(), ..Planned::new(step) })
    }

    /// Adds a step that corrects these differences, taken whatever came of those before it.
    pub fn correct_independently(self, step: S, drift: impl IntoIterator<Item = Drift>) -> Self {
        let drift = drift.into_iter().collect();
        self.with(Planned { independent: true, drift, ..Planned::new(step) })
    }

    pub fn with(mut self, planned: Planned<S>) -> Self {
        self.steps.push(planned);
        self
    }

    /// Where the remote side differs from the spec.
    pub fn drift(&self) -> impl Iterator<Item = &Drift> {
        self.steps.iter().flat_map(|planned| &planned.drift)
    }

    /// Adds something that the service can't do.
    pub fn unsupported(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.unsupported.push(Unsupported { field: field.into(), message: message.into() });
        self
    }

    /// Adds a condition of the kind's own.
    pub fn condition(
        mut self,
        kind: &'static str,
        status: bool,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        self.conditions.push(ExtraCondition { kind, status, reason, message: message.into() });
        self
    }

    /// Asks for another look within this time, give or take a tenth of it.
    pub fn look_again(mut self, after: Duration) -> Self {
        self.look_again = Some(after);
        self
    }

    /// Asks for another look at this very time, for instance when a key has to be replaced. A resync before that is no harm.
    pub fn at(mut self, due: Timestamp) -> Self {
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
        self
    }
}

impl<S> Deletion<S> {
    /// Steps that can be repeated, each taken if those before it went well.
    pub fn steps(steps: impl IntoIterator<Item = S>) -> Self {
        Deletion::Steps(steps.into_iter().map(Planned::new).collect())
    }

    /// Nothing to do before something is gone that goes by itself.
    pub fn wait(message: impl Into<String>, look_again: Duration) -> Self {
        Deletion::Wait { message: message.into(), look_again }
    }
}

impl<S> Planned<S> {
    /// A step that can be repeated, taken if all before it went well.
    pub fn new(step: S) -> Self {
        Self { step, independent: false, once: None, drift: Vec::new() }
    }
}

impl Drift {
    /// A field of which the remote side has another value than the spec.
    pub fn new(field: &'static str, found: impl fmt::Display, wanted: impl fmt::Display) -> Self {
        Self { field, found: found.to_string(), wanted: wanted.to_string() }
    }
}

impl Outcome {
    /// A step that went well.
    pub fn new(reason: ConditionReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), id: None, more: false }
    }

    /// A step that went well, and of which there is more: the object comes again as soon as others have had their turn. What builds on
    /// it waits. People read `message` in the condition, which is written anew when it changes: they are told no event of each part.
    pub fn progress(message: impl Into<String>) -> Self {
        Self { more: true, ..Self::new(ConditionReason::Reconciling, message) }
    }

    /// A [`Once`] call that went well, and the id of what it made.
    pub fn made(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::new(ConditionReason::Created, message) }
    }
}
