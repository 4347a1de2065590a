//! What the conditions of an object amount to, what its status says about the targets of its references, and how old its last look at the
//! service is.

use std::time::Duration;

use concierge_shared::{
    common::ObjectRef,
    kind::Kind,
    status::{ConditionReason, ConditionType, Conditions},
};
use jiff::{SignedDuration, Timestamp};

use crate::engine::{Checks, ObjectKey, annotation::reconcile_token};

/// Whether the service lists the thing whose id is recorded.
pub(crate) const PRESENT: &str = "Present";
/// How long the service may take to list what it has made.
pub(crate) const LATE: SignedDuration = SignedDuration::from_mins(10);
/// How soon something that is not listed yet is looked at again.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// How far the time of the last look in a status may lag behind while nothing else changes.
const LAST_LOOK: SignedDuration = SignedDuration::from_hours(1);

/// Where an object stands, in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Usable.
    Ready,
    /// It will be, if nothing goes wrong.
    Waiting,
    /// Somebody has to mend something first.
    Broken,
}

/// Where an object with this status stands.
pub(crate) fn standing(status: &impl Conditions) -> Standing {
    let broken = [
        ConditionReason::Invalid,
        ConditionReason::OwnedByOther,
        ConditionReason::Refused,
        ConditionReason::Unauthorised,
        ConditionReason::Unsupported,
        ConditionReason::Held,
    ];
    match status.condition(ConditionType::Ready.as_str()) {
        Some(ready) if ready.status == "True" => Standing::Ready,
        Some(_) if breaks_rules(status) => Standing::Broken,
        Some(ready) if broken.iter().any(|reason| reason.as_str() == ready.reason) => Standing::Broken,
        _ => Standing::Waiting,
    }
}

/// Whether somebody has to change the object, also when it wants what another has.
pub(crate) fn breaks_rules(status: &impl Conditions) -> bool {
    status.condition(ConditionType::Valid.as_str()).is_some_and(|valid| valid.status == "False")
}

/// What is wrong or being waited for, in a sentence.
pub(crate) fn trouble(status: &impl Conditions) -> Option<String> {
    let kinds = [ConditionType::Ready, ConditionType::Synced];
    let conditions = kinds.into_iter().filter_map(|kind| status.condition(kind.as_str()));
    let mut troubled = conditions.filter(|one| one.status == "False" && !one.message.is_empty());
    troubled.next().map(|one| one.message.clone())
}

/// Whether the object has what it needs of `target`, an object of kind `K`. Where this run has not checked, the status goes
/// on saying what it said `before`.
pub(crate) fn is_target_ready<K: Kind>(
    checks: &Checks,
    namespace: &str,
    target: &ObjectRef,
    before: Option<bool>,
) -> bool {
    let key = ObjectKey::new(K::NAME, target.namespace_in(namespace), target.name.clone());
    checks.is_ready(&key).or(before).unwrap_or(false)
}

/// Whether the thing whose id is recorded has not been shown for so long that it can't be merely late.
pub(crate) fn is_gone(status: Option<&impl Conditions>, now: Timestamp) -> bool {
    let present = status.and_then(|status| status.condition(PRESENT));
    present.is_some_and(|present| {
        present.status == "False" && now.duration_since(present.last_transition_time.0) > LATE
    })
}

/// Whether the annotation `reconcile-at` asks for something that was not done yet.
pub(crate) fn is_asked<K: Kind>(object: &K, acted_on: Option<&str>) -> bool {
    reconcile_token(object).is_some_and(|token| acted_on != Some(token.as_str()))
}

/// Sets `last` to `now` when something changed, or when it is that old.
pub(crate) fn last_look(last: &mut Option<String>, now: Timestamp, changed: bool) {
    let before = last.as_deref().and_then(|last| last.parse::<Timestamp>().ok());
    if changed || before.is_none_or(|before| now.duration_since(before) > LAST_LOOK) {
        *last = Some(written(now));
    }
}

/// A time as statuses have it.
pub(crate) fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
