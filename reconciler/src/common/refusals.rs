//! A call that a service refused, or that was given up on request, is made again only when a person asks for it.

use concierge_shared::{
    kind::Kind,
    status::{
        ConditionReason, Conditions,
        intent::{Intent, IntentState},
    },
};

use crate::engine::{Failure, Plan, Refusal, annotation};

/// The reason of the condition that holds a refusal.
const REFUSED: &str = "Refused";

/// The refusals of one operation.
pub(crate) struct Refusals {
    /// The condition in which they are kept.
    pub(crate) condition: &'static str,
    /// What did not happen, for people: "nothing was ordered".
    pub(crate) nothing: &'static str,
}

impl Refusals {
    /// Notes that the service refused the call. A refused payment charges nothing, but a bank that is asked again and again
    /// blocks the card.
    pub(crate) fn note<K: Kind>(&self, object: &K, refusal: &Refusal<'_>, status: &mut impl Conditions) {
        if matches!(refusal.failure, Failure::Invalid(_)) {
            let message = format!(
                "{}; {}. To try again, create another {}, or set the annotation {} to a new value",
                refusal.failure,
                self.nothing,
                K::NAME,
                annotation::RECONCILE_AT
            );
            status.set(self.condition, false, REFUSED, &message, object.meta().generation, refusal.at);
        }
    }

    /// What the service refused the call with, and what to do now.
    pub(crate) fn message(&self, status: &impl Conditions) -> Option<String> {
        let kept = status.condition(self.condition).filter(|kept| kept.status == "False");
        kept.filter(|kept| kept.reason == REFUSED).map(|kept| kept.message.clone())
    }

    /// Whether the service refused the call, and nobody asked for another.
    pub(crate) fn is_refused(&self, status: &impl Conditions) -> bool {
        self.message(status).is_some()
    }

    /// The plan after a refusal: nothing, until somebody asks again.
    pub(crate) fn plan<S>(&self, status: &impl Conditions) -> Plan<S> {
        let message = self.message(status).unwrap_or_default();
        let plan = Plan::not_ready(ConditionReason::Refused, message.clone());
        plan.condition(self.condition, false, REFUSED, message)
    }
}

/// The intent of this status, if its call was given up on request.
pub(crate) fn abandoned(status: &impl Conditions) -> Option<&Intent> {
    status.intent().filter(|intent| intent.state == IntentState::Abandoned)
}

/// What people are told of a call that was given up on request.
pub(crate) fn message_of_abandoned(intent: &Intent) -> String {
    let remedy = format!("set the annotation {}: retry to send it", annotation::RESOLVE_UNKNOWN);
    format!("{} was given up on request; {remedy}", intent.operation)
}

/// The plan after a call was given up on request: nothing, until somebody asks again.
pub(crate) fn plan_abandoned<S>(intent: &Intent) -> Plan<S> {
    Plan::not_ready(ConditionReason::Abandoned, message_of_abandoned(intent))
}
