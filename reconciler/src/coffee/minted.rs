//! What tokens and apps have in common: a secret that the shop shows once, and that is kept in a Secret.
//!
//! The Secret is there and ours before the shop is asked. If the answer is lost, a person decides about what may have been made: the shop
//! does not say whose it is.

use std::fmt;

use concierge_shared::{
    coffee::UsedAccount,
    kind::Kind,
    status::{ConditionReason, Conditions},
};
use jiff::Timestamp;

use super::{
    placing,
    standing::{PRESENT, SOON, is_gone},
};
use crate::engine::{
    Context, Deletion, Failure, Guard, IfNotFound, Once, Outcome, OwnedSecret, Plan, UnknownPolicy,
};

/// What is at the shop, and in the Secret.
pub(super) struct Observed<T> {
    pub(super) used: UsedAccount,
    pub(super) at: Timestamp,
    /// The recorded thing, if the shop lists it.
    pub(super) listed: Option<T>,
    pub(super) secret: SecretState,
    /// What makes making it safe.
    pub(super) once: Once,
    /// Whether the shop has confirmed its removal.
    pub(super) removed: bool,
}

/// The Secret that is to hold what the shop shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretState {
    Absent,
    /// Ours, and without what it is for.
    Empty,
    Filled,
    /// Somebody else's.
    Foreign,
}

pub(super) enum Step {
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
pub(super) async fn secret_state<K: Kind>(
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
pub(super) fn plan<K: Kind, T>(
    id: Option<&str>,
    status: &impl Conditions,
    secret: &str,
    observed: &Observed<T>,
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

fn make<T>(status: &impl Conditions, secret: &str, observed: &Observed<T>) -> Plan<Step> {
    if let Some(intent) = placing::given_up(status) {
        return placing::abandoned(intent);
    }
    let plan = Plan::not_ready(ConditionReason::Reconciling, "is being made");
    match observed.secret {
        SecretState::Foreign => {
            let message =
                format!("Secret {secret} exists and does not belong to this object; delete or rename it");
            Plan::not_ready(ConditionReason::OwnedByOther, message).look_again(SOON)
        }
        SecretState::Absent => plan.step(Step::Reserve).once(Step::Make, observed.once.clone()),
        SecretState::Empty | SecretState::Filled => plan.once(Step::Make, observed.once.clone()),
    }
}

/// What is to be done about an object that is being deleted. Its Secret goes with it.
pub(super) fn plan_deletion<T>(id: Option<&str>, observed: &Observed<T>) -> Deletion<Step> {
    match id.filter(|_| observed.listed.is_some() || !observed.removed) {
        Some(id) => Deletion::steps([Step::Remove(id.to_owned())]),
        None => Deletion::Gone,
    }
}

/// Makes sure that there is a Secret to write into.
pub(super) async fn reserve<K: Kind>(guard: &Guard, owner: &K, name: &str) -> Result<Outcome, Failure> {
    guard.reserve_secret(owner, name).await?;
    Ok(Outcome::new(ConditionReason::Created, format!("reserved Secret {name}")))
}

/// Tries again when nothing new is there.
pub(super) fn policy() -> UnknownPolicy {
    UnknownPolicy { if_not_found: IfNotFound::Retry, ..UnknownPolicy::default() }
}
