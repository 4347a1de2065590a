//! What is to be done about a key: pure.

use std::time::Duration;

use concierge_shared::{
    admission::review::annotation,
    s3::{AccessKey, AccessKeyStatus},
    status::{ConditionReason, Conditions},
};
use jiff::{SignedDuration, Timestamp};

use super::{CREATE, Kept, Key, Observed, Step, secret_name};
use crate::{
    common::{
        refusals,
        standing::{LATE, SOON, written},
    },
    engine::{Deletion, Once, Plan, Planned},
    s3::connection::Found,
};

/// The condition that tells why a key is not replaced although it is due.
const ROTATION: &str = "Rotation";
/// How many keys a user has room for.
const SLOTS: usize = 2;
/// How much of the annotation counts.
const LONGEST: usize = 253;
/// How soon it is looked again whether somebody has made room.
const ROOM: Duration = Duration::from_secs(300);

/// Why a key is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// There was none.
    First,
    /// The Secret does not hold it.
    Lost,
    /// The service does not have it.
    Gone,
    /// A person asks for another.
    Asked,
    /// It is time.
    Due,
}

/// What stands in the way of a key.
struct Obstacle {
    reason: ConditionReason,
    word: &'static str,
    message: String,
}

/// All that the plan rests on.
struct View<'a> {
    key: &'a AccessKey,
    status: AccessKeyStatus,
    observed: &'a Observed,
    listed: &'a [Key],
    now: Timestamp,
}

pub(super) fn plan(key: &AccessKey, observed: &Observed, now: Timestamp) -> Plan<Step> {
    let listed = match &observed.keys {
        Found::Present(listed) => listed,
        Found::Missing => {
            let message = format!("there is no user {} at the provider", observed.user);
            return Plan::not_ready(ConditionReason::ReferencesMissing, message).look_again(SOON);
        }
        Found::Unsupported(why) => return Plan::not_ready(ConditionReason::Unsupported, why.clone()),
        Found::Denied(why) => return Plan::not_ready(ConditionReason::Refused, why.clone()),
    };
    let view = View { key, status: key.status.clone().unwrap_or_default(), observed, listed, now };
    match view.why() {
        None => view.keep(),
        Some(why) => view.make(why),
    }
}

impl View<'_> {
    fn current(&self) -> Option<&str> {
        self.status.access_key_id.as_deref()
    }

    fn found(&self, id: &str) -> Option<&Key> {
        self.listed.iter().find(|key| key.id == id)
    }

    /// The key before, as long as it is not known to be gone.
    fn previous(&self) -> Option<&str> {
        let previous = self.status.previous_access_key_id.as_deref();
        previous.filter(|_| !is_previous_gone(&self.status, self.observed))
    }

    /// Whether the key in use is there; a new one is listed late.
    fn is_there(&self, current: &str) -> bool {
        self.found(current).is_some() || is_new(&self.status, self.now)
    }

    fn is_kept(&self, current: &str) -> bool {
        let (Kept::Ours(id) | Kept::Foreign(id)) = &self.observed.secret else { return false };
        id.as_deref() == Some(current)
    }

    fn due(&self) -> Option<Timestamp> {
        due(self.key, &self.status, self.observed)
    }

    fn why(&self) -> Option<Why> {
        let Some(current) = self.current() else { return Some(Why::First) };
        if asked(self.key, &self.status).is_some() {
            Some(Why::Asked)
        } else if !self.is_kept(current) {
            Some(Why::Lost)
        } else if !self.is_there(current) {
            Some(Why::Gone)
        } else {
            self.due().filter(|due| *due <= self.now).map(|_| Why::Due)
        }
    }

    /// How the key is, whatever is to be done about it.
    fn standing(&self) -> Plan<Step> {
        let Some(current) = self.current() else {
            return Plan::not_ready(ConditionReason::Reconciling, "the key is being made");
        };
        let inactive = self.found(current).is_some_and(|key| !key.active);
        match self.is_kept(current) && self.is_there(current) {
            true if inactive => {
                let message = format!(
                    "access key {current} was made inactive at the provider; activate it there, or have another one made by a new \
                     text of the annotation {}",
                    AccessKey::ROTATE
                );
                Plan::not_ready(ConditionReason::Held, message)
            }
            true => Plan::ready(),
            false => Plan::not_ready(ConditionReason::Reconciling, "the key is being replaced"),
        }
    }

    /// Nothing is to be made: the key before goes when it is time.
    fn keep(&self) -> Plan<Step> {
        let mut plan = self.standing();
        if self.status.condition(ROTATION).is_some() {
            plan = plan.condition(ROTATION, true, "OnTime", "");
        }
        if let Some(due) = self.due() {
            plan = plan.at(due);
        }
        match (self.previous(), self.until()) {
            (Some(previous), until) if until <= self.now => plan.step(Step::Delete(previous.to_owned())),
            (Some(_), until) => plan.at(until),
            (None, _) => plan,
        }
    }

    /// Until when the key before is kept.
    fn until(&self) -> Timestamp {
        until(self.key, &self.status, self.observed)
    }

    fn make(&self, why: Why) -> Plan<Step> {
        // What is only due waits for its slot; whatever else asks for a key can't.
        if why == Why::Due && self.previous().is_some() && self.until() > self.now {
            return self.standing().at(self.until());
        }
        let leaving = match self.leaving(why) {
            Ok(leaving) => leaving,
            Err(obstacle) => return self.blocked(obstacle),
        };
        // Before any key goes, it is sure that the new one can be kept.
        let plan = self.standing().step(Step::Reserve);
        let plan = leaving.into_iter().map(Step::Delete).fold(plan, Plan::step);
        let before = self.listed.iter().map(|key| key.id.clone()).collect();
        // The keys of a user look alike, so they are made one after the other, whichever object they are for.
        let fingerprint = format!("access key of {}", self.observed.user);
        plan.once(Step::Make, Once { operation: CREATE, fingerprint, before })
    }

    /// The keys that have to go first: that before the one in use, whose slot is needed, and that in use when its secret half is lost
    /// and there is no other slot.
    fn leaving(&self, why: Why) -> Result<Vec<String>, Obstacle> {
        self.check()?;
        let own = |key: &&Key| self.status.key_ids().any(|id| id == key.id);
        let foreign: Vec<_> = self.listed.iter().filter(|key| !own(key)).collect();
        let mut leaving: Vec<_> = self.previous().into_iter().map(str::to_owned).collect();
        if why == Why::Gone {
            // To be sure of it: else it would be kept as that before the new one.
            leaving.extend(self.current().map(str::to_owned));
        }
        let current = self.current().filter(|current| self.found(current).is_some());
        if foreign.len() + usize::from(current.is_some()) < SLOTS {
            return Ok(leaving);
        }
        if foreign.len() < SLOTS && why == Why::Lost {
            leaving.extend(current.map(str::to_owned));
            return Ok(leaving);
        }
        let called = |key: &&Key| match self.observed.others.get(&key.id) {
            Some(other) => format!("{} of {other}", key.id),
            None => format!("{}, which Concierge did not make", key.id),
        };
        let foreign: Vec<_> = foreign.iter().map(called).collect();
        let message = no_room(&self.observed.user, &foreign.join(", "));
        Err(Obstacle { reason: ConditionReason::Refused, word: "NoRoom", message })
    }

    /// Whether a key may be made at all.
    fn check(&self) -> Result<(), Obstacle> {
        let obstacle = |reason, word, message| Err(Obstacle { reason, word, message });
        if let Kept::Foreign(_) = &self.observed.secret {
            let secret = secret_name(self.key);
            let message =
                format!("Secret {secret} exists and does not belong to this object; delete or rename it");
            return obstacle(ConditionReason::OwnedByOther, "ForeignSecret", message);
        }
        if !self.observed.user_is_ready {
            let message = format!("waits until the User of {} is ready", self.observed.user);
            return obstacle(ConditionReason::ReferencesMissing, "UserNotReady", message);
        }
        if let Some(intent) = refusals::abandoned(&self.status) {
            let message = refusals::message_of_abandoned(intent);
            return obstacle(ConditionReason::Abandoned, "Abandoned", message);
        }
        Ok(())
    }

    /// A key that can't be replaced stays as usable as it is.
    fn blocked(&self, obstacle: Obstacle) -> Plan<Step> {
        let Obstacle { reason, word, message } = obstacle;
        let usable = self.current().is_some_and(|current| self.is_kept(current) && self.is_there(current));
        let plan = match usable {
            true => self.standing(),
            false => Plan::not_ready(reason, message.clone()),
        };
        plan.condition(ROTATION, false, word, message).look_again(ROOM)
    }
}

/// What people are told when a user has no room for a key beside `others`.
pub(super) fn no_room(user: &str, others: &str) -> String {
    let others = if others.is_empty() { String::new() } else { format!(" beside this object's: {others}") };
    format!(
        "user {user} has as many access keys as a user can have{others}; delete one of them, or give this AccessKey a User of its own"
    )
}

/// The text for which a person wants the key replaced, if it was not.
fn asked(key: &AccessKey, status: &AccessKeyStatus) -> Option<String> {
    let text: String = annotation(key, AccessKey::ROTATE)?.chars().take(LONGEST).collect();
    (status.last_rotate_request.as_ref() != Some(&text)).then_some(text)
}

/// Whether the key in use was made so short a time ago that it need not be listed.
fn is_new(status: &AccessKeyStatus, now: Timestamp) -> bool {
    let made = status.last_rotate_time.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
    made.is_some_and(|made| now.duration_since(made).abs() < LATE)
}

/// Whether this key of an object that goes may be there although the service does not know it yet.
pub(super) fn may_be_late(key: &AccessKey, id: &str, now: Timestamp) -> bool {
    let is_unseen = |status: &AccessKeyStatus| status.seen_key_ids.iter().all(|seen| seen != id);
    let status = key.status.as_ref().filter(|_| key.metadata.deletion_timestamp.is_some());
    status.is_some_and(|status| is_unseen(status) && is_new(status, now))
}

/// Whether the key before is gone: the service has said so, or has not listed it for long enough.
fn is_previous_gone(status: &AccessKeyStatus, observed: &Observed) -> bool {
    let (Found::Present(listed), Some(previous)) = (&observed.keys, &status.previous_access_key_id) else {
        return false;
    };
    let unlisted = listed.iter().all(|key| key.id != *previous);
    unlisted && (observed.removed.contains(previous) || !is_new(status, observed.at))
}

/// Since when the key in use is in use. A time that is still to come was written while the clock was wrong.
fn since(key: &AccessKey, status: &AccessKeyStatus, observed: &Observed) -> Timestamp {
    let listed = observed.keys.present().into_iter().flatten();
    let listed = listed.filter(|key| Some(&key.id) == status.access_key_id.as_ref());
    let listed = listed.filter_map(|key| key.created);
    let recorded = status.last_rotate_time.as_ref().and_then(|at| at.parse().ok());
    let past = listed.chain(recorded).filter(|at| *at <= observed.at).max();
    let made = key.metadata.creation_timestamp.as_ref().map(|at| at.0).filter(|at| *at <= observed.at);
    past.or(made).unwrap_or(observed.at)
}

fn days(after: Timestamp, days: i64) -> Timestamp {
    after.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
}

/// When the key is replaced next.
fn due(key: &AccessKey, status: &AccessKeyStatus, observed: &Observed) -> Option<Timestamp> {
    let rotation = key.spec.rotate.as_ref().filter(|_| key.rotates() && status.access_key_id.is_some())?;
    Some(days(since(key, status, observed), rotation.interval()))
}

/// Until when the key before is kept.
fn until(key: &AccessKey, status: &AccessKeyStatus, observed: &Observed) -> Timestamp {
    let retention = key.spec.rotate.clone().unwrap_or_default().retention();
    days(since(key, status, observed), retention)
}

pub(super) fn plan_deletion(key: &AccessKey, observed: &Observed) -> Deletion<Step> {
    let status = key.status.clone().unwrap_or_default();
    let listed = match &observed.keys {
        Found::Present(listed) => listed.as_slice(),
        // Its keys are gone with it, as soon as that is certain.
        Found::Missing => &[],
        Found::Unsupported(why) | Found::Denied(why) => {
            let message =
                format!("it can't be told whether the keys of user {} are there: {why}", observed.user);
            return Deletion::Blocked(ConditionReason::Refused, message);
        }
    };
    let is_left = |id: &&str| {
        let is_listed = listed.iter().any(|key| key.id == *id);
        is_listed || is_new(&status, observed.at) && !observed.removed.contains(*id)
    };
    let delete = |id: &str| Planned { independent: true, ..Planned::new(Step::Delete(id.to_owned())) };
    let own: Vec<_> = status.key_ids().filter(is_left).map(delete).collect();
    if own.is_empty() { Deletion::Gone } else { Deletion::Steps(own) }
}

pub(super) fn report(key: &AccessKey, observed: &Observed, status: &mut AccessKeyStatus) {
    status.user_name = Some(observed.user.clone());
    status.created = Some(status.access_key_id.is_some());
    status.rotate_request = asked(key, status);
    if is_previous_gone(status, observed) {
        status.previous_access_key_id = None;
    }
    let listed = || observed.keys.present().into_iter().flatten();
    let is_seen =
        |id: &&str| listed().any(|key| key.id == *id) || status.seen_key_ids.iter().any(|seen| seen == id);
    status.seen_key_ids = status.key_ids().filter(is_seen).map(str::to_owned).collect();
    let until = until(key, status, observed);
    status.previous_key_delete_time = status.previous_access_key_id.as_ref().map(|_| written(until));
    status.next_rotate_time = due(key, status, observed).map(written);
}
