//! What a look at a service came to, and what is said of it.

use std::{convert::Infallible, time::Duration};

use concierge_shared::status::{ConditionReason, ConditionType, Conditions};

use crate::engine::{Failure, Plan};

/// The condition that tells what a look came to.
const CHECKED: &str = "Checked";
const NOT_CHECKABLE: &str = "NotCheckable";
/// How soon the Secrets of what is wrong are looked at again. With the same ones the service is not asked before its time.
const MENDED: Duration = Duration::from_secs(10);

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The word in the condition.
    word: &'static str,
    message: String,
    /// Why the object can't be used, if it can't.
    wrong: Option<ConditionReason>,
}

impl Seen {
    /// It answered what it was asked.
    pub(super) fn answered(message: &str) -> Self {
        Self { word: "Answered", message: message.to_owned(), wrong: None }
    }

    /// It takes connections, and was not asked anything.
    pub(super) fn connected(message: String) -> Self {
        Self { word: "Connected", message, wrong: None }
    }

    /// Nobody can look: that is no reason not to use it.
    pub(super) fn not_checkable(why: &str) -> Self {
        Self { word: NOT_CHECKABLE, message: why.to_owned(), wrong: None }
    }

    /// Somebody has to mend something.
    pub(super) fn wrong(reason: ConditionReason, word: &'static str, message: impl Into<String>) -> Self {
        Self { word, message: message.into(), wrong: Some(reason) }
    }

    /// Nobody could ask, because of what it takes.
    pub(super) fn closed(failure: &Failure) -> Self {
        let word = if matches!(failure, Failure::DependencyMissing(_)) { "Missing" } else { "Refused" };
        Self::wrong(failure.reason(), word, failure.to_string())
    }

    /// What is said of the object. `again` is when the service may be asked again, and its Secrets, if it has any, may be mended before.
    pub(super) fn plan(&self, again: Option<Duration>, has_secrets: bool) -> Plan<Infallible> {
        let plan = match self.wrong {
            None => Plan::ready(),
            Some(reason) => Plan::not_ready(reason, &self.message),
        };
        let mended = (has_secrets && self.wrong.is_some()).then_some(MENDED);
        let plan = match mended.or(again) {
            Some(soon) => plan.look_again(soon),
            None => plan,
        };
        let good = self.wrong.is_none() && self.word != NOT_CHECKABLE;
        plan.condition(CHECKED, good, self.word, &self.message)
    }
}

/// Says so when the run ended before there was anything to tell: what was told of an earlier look may be true no more.
pub(super) fn note_early_end(status: &mut impl Conditions, generation: Option<i64>) {
    let Some(synced) = status.condition(ConditionType::Synced.as_str()).cloned() else { return };
    if synced.status != "False" {
        return;
    }
    let silent = [ConditionReason::Transient, ConditionReason::NeverSent, ConditionReason::Throttled];
    let is_silent = silent.iter().any(|reason| reason.as_str() == synced.reason);
    let word = if is_silent { "NoAnswer" } else { &synced.reason };
    // What set the condition just now did not come so far as to say when.
    let now = synced.last_transition_time.0;
    status.set(CHECKED, false, word, &synced.message, generation, now);
}
