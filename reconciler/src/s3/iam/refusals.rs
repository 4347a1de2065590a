//! What a service does not do, or does not allow, about one part of a user or policy. The other parts are looked after all the same.

use std::collections::BTreeMap;

use concierge_shared::{
    kind::Kind,
    status::{ConditionReason, Conditions},
};

use crate::{
    common::standing::is_asked,
    engine::{Outcome, Plan},
    s3::connection::{Connection, Found, Refusal, Subject},
};

/// The condition that tells what the service does not allow.
const DENIED: &str = "AccessDenied";

/// The fields of a spec that can't be looked after, and why.
#[derive(Default)]
pub(in crate::s3) struct Refusals(BTreeMap<&'static str, Refusal>);

impl Refusals {
    /// What the service refused about the very spec of `object`, unless that is to be tried again: the annotation `reconcile-at` is another
    /// than `acted_on`.
    pub(in crate::s3) fn known<K: Kind>(
        to: &Connection,
        object: &K,
        acted_on: Option<&str>,
        fields: &[&'static str],
    ) -> Self {
        if is_asked(object, acted_on) {
            to.known().forget(object.meta().uid.as_deref().unwrap_or_default());
        }
        let refusal = |field: &&'static str| Some((*field, to.known().refusal(&subject(object, field))?));
        Self(fields.iter().filter_map(refusal).collect())
    }

    /// What was found for `field`, if anything. That it could not be asked for is kept in mind.
    pub(in crate::s3) fn keep<T>(&mut self, field: &'static str, found: Found<T>) -> Option<T> {
        match found {
            Found::Present(value) => return Some(value),
            Found::Missing => {}
            Found::Unsupported(why) => {
                self.0.insert(field, Refusal::Unsupported(why));
            }
            Found::Denied(why) => {
                self.0.insert(field, Refusal::Denied(why));
            }
        }
        None
    }

    /// Whether nothing can be done about `field`.
    pub(in crate::s3) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// Tells of them, and says so in `status` when there is nothing to tell any more.
    pub(in crate::s3) fn report(&self, status: &mut impl Conditions) {
        if !self.0.values().any(|refusal| matches!(refusal, Refusal::Denied(_))) {
            status.clear(DENIED);
        }
    }

    /// Adds what people have to know.
    pub(in crate::s3) fn tell<S>(&self, mut plan: Plan<S>) -> Plan<S> {
        let mut denied = Vec::new();
        for (field, refusal) in &self.0 {
            match refusal {
                Refusal::Denied(why) => denied.push(format!("{field}: {why}")),
                Refusal::Unsupported(why) => plan = plan.unsupported(*field, why.clone()),
            }
        }
        match denied.is_empty() {
            true => plan,
            false => {
                let message = format!("{}; allow it to the Provider's access key", denied.join("; "));
                plan.condition(DENIED, true, "Denied", message)
            }
        }
    }
}

/// What came of a change of `field`, when it is not as with any other: that the service refused it is kept in mind, and told.
pub(in crate::s3) fn note<K: Kind, T>(
    to: &Connection,
    object: &K,
    field: &'static str,
    done: Found<T>,
) -> Option<Outcome> {
    let (refusal, why) = match done {
        Found::Present(_) | Found::Missing => return None,
        Found::Unsupported(why) => (Refusal::Unsupported(why.clone()), why),
        Found::Denied(why) => (Refusal::Denied(why.clone()), why),
    };
    to.known().note(subject(object, field), refusal);
    Some(Outcome::new(ConditionReason::Refused, format!("{field}: {why}")))
}

fn subject<K: Kind>(object: &K, field: &'static str) -> Subject {
    let meta = object.meta();
    Subject::Object(meta.uid.clone().unwrap_or_default(), meta.generation, field)
}
