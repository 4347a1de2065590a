//! Things that come with a secret: a secret that a service shows once, and that is kept in a Secret.
//!
//! The Secret is there and ours before the service is asked. If the answer is lost, a person decides about what may have been made: the service
//! does not say whose it is.

use std::fmt;

use concierge_shared::{
    kind::Kind,
    status::{ConditionReason, Conditions},
};
use jiff::Timestamp;

use super::{
    refusals,
    standing::{PRESENT, SOON, is_gone},
};
use crate::engine::{
    Context, Deletion, Failure, Guard, IfNotFound, Once, Outcome, OwnedSecret, Plan, SecretSpec,
    UnknownPolicy,
};

/// What is at the service, and in the Secret.
pub(crate) struct Observed<T, A> {
    pub(crate) used: A,
    pub(crate) at: Timestamp,
    /// The recorded thing, if the service lists it.
    pub(crate) listed: Option<T>,
    pub(crate) secret: SecretState,
    /// What makes making it safe.
    pub(crate) once: Once,
    /// Whether the service has confirmed its removal.
    pub(crate) removed: bool,
}

/// The Secret that is to hold what the service shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretState {
    Absent,
    /// Ours, and without what it is for.
    Empty,
    Filled,
    /// Somebody else's.
    Foreign,
}

pub(crate) enum Step {
    Reserve,
    Make,
    Remove(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Reserve => f.write_str("reserve the Secret"),
            Step::Make => f.write_str("have it made"),
            Step::Remove(id) => write!(f, "remove {id}"),
        }
    }
}

/// What is in the Secret `name`; an object that had its secret before us keeps the Secret that it had.
pub(crate) async fn secret_state<K: Kind>(
    ctx: &Context,
    owner: &K,
    name: &str,
    keys: &[&str],
    made: bool,
) -> Result<SecretState, Failure> {
    Ok(match ctx.secret_of(owner, name).await? {
        OwnedSecret::Absent => SecretState::Absent,
        OwnedSecret::Ours(secret) | OwnedSecret::Foreign(secret)
            if made && keys.iter().all(|key| secret.text(key).is_ok()) =>
        {
            SecretState::Filled
        }
        OwnedSecret::Ours(_) => SecretState::Empty,
        OwnedSecret::Foreign(_) => SecretState::Foreign,
    })
}

/// What is to be done.
pub(crate) fn plan<K: Kind, T, A>(
    id: Option<&str>,
    status: &impl Conditions,
    secret: &str,
    observed: &Observed<T, A>,
    now: Timestamp,
) -> Plan<Step> {
    let Some(id) = id else { return make(status, secret, observed) };
    let another = format!("create another {}", K::NAME);
    if observed.listed.is_none() {
        let gone = is_gone(Some(status), now);
        let reason = if gone { ConditionReason::Held } else { ConditionReason::Reconciling };
        let message = match gone {
            true => format!("{id} was removed at the shop; {another}"),
            false => format!("the shop does not list {id} yet"),
        };
        let plan = Plan::not_ready(reason, message.clone()).look_again(SOON);
        return plan.condition(PRESENT, false, "NotListed", message);
    }
    let plan = match observed.secret {
        SecretState::Filled => Plan::ready(),
        _ => {
            let message = format!("Secret {secret} no longer holds what the shop shows only once; {another}");
            Plan::not_ready(ConditionReason::Held, message)
        }
    };
    plan.condition(PRESENT, true, "Listed", format!("the shop lists {id}"))
}

fn make<T, A>(status: &impl Conditions, secret: &str, observed: &Observed<T, A>) -> Plan<Step> {
    if let Some(intent) = refusals::abandoned(status) {
        return refusals::plan_abandoned(intent);
    }
    let plan = Plan::not_ready(ConditionReason::Reconciling, "is being made");
    match observed.secret {
        SecretState::Foreign => {
            let message =
                format!("Secret {secret} exists and does not belong to this object; delete or rename it");
            Plan::not_ready(ConditionReason::OwnedByOther, message).look_again(SOON)
        }
        SecretState::Absent | SecretState::Empty | SecretState::Filled => {
            plan.step(Step::Reserve).once(Step::Make, observed.once.clone())
        }
    }
}

/// What is to be done about an object that is being deleted. Its Secret goes with it.
pub(crate) fn plan_deletion<T, A>(id: Option<&str>, observed: &Observed<T, A>) -> Deletion<Step> {
    match id.filter(|_| observed.listed.is_some() || !observed.removed) {
        Some(id) => Deletion::steps([Step::Remove(id.to_owned())]),
        None => Deletion::Gone,
    }
}

/// Makes sure that there is a Secret to write into, and that it may be written.
pub(crate) async fn reserve<K: Kind>(guard: &Guard, owner: &K, name: &str) -> Result<Outcome, Failure> {
    guard.reserve_secret(owner, name, &SecretSpec::default()).await?;
    Ok(Outcome::new(ConditionReason::Created, format!("reserved Secret {name}")))
}

/// Tries again when nothing new is there.
pub(crate) fn policy() -> UnknownPolicy {
    UnknownPolicy { if_not_found: IfNotFound::Retry, ..UnknownPolicy::default() }
}
