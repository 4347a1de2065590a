//! What a look at a service came to, and what is said of it.

use std::{convert::Infallible, time::Duration};

use concierge_shared::status::{ConditionReason, ConditionType, Conditions};

use crate::engine::Plan;

/// The condition that tells what a look came to.
const CHECKED: &str = "Checked";
const NOT_CHECKABLE: &str = "NotCheckable";
/// How soon what is wrong is looked at again, as Secrets may be mended. The service is asked again only after the gap between two looks.
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

    /// What is said of the object. `again` is when the service may be asked again.
    pub(super) fn plan(&self, again: Option<Duration>) -> Plan<Infallible> {
        let plan = match self.wrong {
            None => Plan::ready(),
            Some(reason) => Plan::not_ready(reason, &self.message).look_again(MENDED),
        };
        let plan = match again {
            Some(again) if plan.look_again.is_none() => plan.look_again(again),
            _ => plan,
        };
        let good = self.wrong.is_none() && self.word != NOT_CHECKABLE;
        plan.condition(CHECKED, good, self.word, &self.message)
    }
}

/// Says so when the run ended because the service does not answer.
pub(super) fn note_silence(status: &mut impl Conditions, generation: Option<i64>) {
    let Some(synced) = status.condition(ConditionType::Synced.as_str()).cloned() else { return };
    let silent = [ConditionReason::Transient, ConditionReason::NeverSent];
    if synced.status == "False" && silent.iter().any(|reason| reason.as_str() == synced.reason) {
        // What set the condition just now did not come so far as to say when.
        let now = synced.last_transition_time.0;
        status.set(CHECKED, false, "NoAnswer", &synced.message, generation, now);
    }
}
