//! What became of a call whose outcome was not recorded.

use std::{
    collections::HashSet,
    ops::ControlFlow::{Break, Continue},
    time::Duration,
};

use concierge_shared::status::{
    ConditionReason, ConditionType, Conditions,
    intent::{Intent, IntentState},
};
use jiff::Timestamp;
use kube::{Resource, core::object::HasStatus};
use tokio::time::Instant;

use crate::engine::{
    annotation::{self, RESOLVE_UNKNOWN, Resolution},
    kinds::{
        plan::{Effect, IfFound, IfNotFound, UnknownPolicy},
        reconcile::Reconcile,
    },
    once::calls::Sent,
    retry::{Failure, Requeue},
    run::{End, Flow, OrEnd, Run},
    seams::CrashPoint,
};

/// How far the service's clock may be from ours.
const SKEW: Duration = Duration::from_secs(120);
/// How much of an annotation that is not understood is repeated.
const LONGEST_SAID: usize = 64;

impl<R: Reconcile> Run<R> {
    /// Concludes a call whose outcome is not recorded, whatever else is wrong with the object: what it refers to may not be
    /// ready, and yet something was charged.
    pub(crate) async fn settle_pending(&mut self) -> Flow {
        let pending = |intent: &Intent| intent.state != IntentState::Abandoned;
        if !self.status.intent().is_some_and(pending) {
            return Continue(());
        }
        let connected = self.connect().await?;
        self.settle(&connected.remote).await
    }

    /// Concludes the intent in the status, if there is one, as far as it can be concluded now.
    ///
    /// When the run goes on after this, no call is in flight: there is no intent, or it is abandoned.
    ///
    /// What this process knows not to have sent is dropped at once. For anything else it waits until no other process can be
    /// sending it, then marks the call as unknown, then looks; a person's annotation comes before what a look would find.
    pub(crate) async fn settle(&mut self, remote: &R::Remote) -> Flow {
        let Some(intent) = self.status.intent().cloned() else {
            return self.remove_resolution().await;
        };
        match self.shared.calls.unrecorded(&intent.id) {
            Some(Ok(id)) => return self.adopt(&intent, &id).await,
            Some(Err(failure)) => {
                self.record_refusal(&intent, &failure).await?;
                return Break(End::Failed(failure));
            }
            None => {}
        }
        if intent.state == IntentState::Abandoned {
            return self.settle_abandoned(&intent).await;
        }
        let send_state = self.shared.calls.send_state(&intent.id);
        match send_state.as_ref().map(|send_state| send_state.sent()) {
            Some(Sent::No | Sent::WithoutEffect) => return self.drop_intent(&intent.id).await,
            Some(Sent::Perhaps | Sent::Yes) => {}
            None => self.wait_for_others()?,
        }
        // One that is held may be so for ever; others that ask for the same do not wait for it.
        if intent.state != IntentState::Held {
            self.reserve(&intent.fingerprint)?;
        }
        if intent.state == IntentState::Open {
            return Break(self.mark_unknown("its outcome was not recorded").await);
        }
        match annotation::resolution(&*self.object) {
            Some(Ok(resolution)) => return self.apply_resolution(&intent, resolution).await,
            Some(Err(text)) => return Break(self.unreadable_resolution(&intent, &text)),
            None => {}
        }
        match intent.state {
            IntentState::Held => Break(self.still_held(&intent)),
            _ => self.search(remote, &intent).await,
        }
    }

    /// A call that an earlier leader may have sent may be under way until its lease and its time-out are over.
    fn wait_for_others(&self) -> Flow {
        let after = self.shared.term.borrow().as_ref().map(|term| term.foreign_after);
        match after {
            Some(after) if after <= Instant::now() => Continue(()),
            Some(after) => Break(End::Requeue(Requeue::After(after - Instant::now()))),
            None => Break(End::Requeue(Requeue::OnChange)),
        }
    }

    async fn search(&mut self, remote: &R::Remote, intent: &Intent) -> Flow {
        let wait = self.until_look(intent);
        if !wait.is_zero() {
            return Break(End::Requeue(Requeue::After(wait)));
        }
        let effects = self.reconciler.find_effects(&self.ctx, remote, &self.object, intent).await.or_end()?;
        let candidates = self.candidates(intent, effects).await?;
        self.reached(CrashPoint::Looked).await;
        let policy = self.policy(intent);
        if let Some(kept) = candidates.iter().find(|one| one.kept) {
            return self.adopt(intent, &kept.id).await;
        }
        match candidates.as_slice() {
            [] => self.found_none(intent, &policy).await,
            [one] if !one.certain => {
                Break(self.hold(intent, &format!("{} could be it, or somebody else's", one.id)).await)
            }
            [one] => match policy.if_found {
                IfFound::Adopt => self.adopt(intent, &one.id).await,
                IfFound::Discard => self.discard(remote, intent, &one.id).await,
            },
            several => {
                let ids: Vec<_> = several.iter().map(|one| one.id.clone()).collect();
                Break(self.hold(intent, &format!("{} match it", ids.join(", "))).await)
            }
        }
    }

    /// The effects that can be that of `intent`, and are not another object's.
    async fn candidates(&self, intent: &Intent, effects: Vec<Effect>) -> Flow<Vec<Effect>> {
        let own: HashSet<_> = self.reconciler.recorded(&self.status).into_iter().collect();
        let could_be = |effect: &Effect| {
            effect.fingerprint == intent.fingerprint
                && !intent.before.contains(&effect.id)
                && !own.contains(&effect.id)
                && effect.at.is_none_or(|at| self.in_window(intent, at))
        };
        let mut effects: Vec<_> = effects.into_iter().filter(could_be).collect();
        if !effects.is_empty() {
            let others = self.recorded_by_others().await?;
            effects.retain(|effect| !others.contains(&effect.id));
        }
        Continue(effects)
    }

    /// Nothing made before the intent was written can be its effect, and nothing made after the last instant in which a call
    /// under it could have been under way.
    fn in_window(&self, intent: &Intent, at: Timestamp) -> bool {
        let Some(created) = created(intent) else { return true };
        let settings = &self.shared.settings;
        let last = settings.lease_duration + settings.request_timeout + SKEW;
        let from = created.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
        let to = created.saturating_add(last).unwrap_or(Timestamp::MAX);
        from <= at && at <= to
    }

    /// Read live: the cache may not show yet what another object recorded a moment ago.
    async fn recorded_by_others(&self) -> Flow<HashSet<String>> {
        let mut ids = self.reconciler.recorded_elsewhere(&self.ctx).await.or_end()?;
        let visit = |object: R::Kind| {
            if object.meta().uid != self.meta().uid {
                ids.extend(
                    object.status().map(|status| self.reconciler.recorded(status)).unwrap_or_default(),
                );
            }
        };
        self.ctx.for_each_stored(visit).await.or_end()?;
        Continue(ids)
    }

    async fn adopt(&mut self, intent: &Intent, id: &str) -> Flow {
        let message = format!("{} had taken effect; its id is adopted", intent.operation);
        self.record(intent, id, ConditionReason::Adopted, &message).await
    }

    async fn discard(&mut self, remote: &R::Remote, intent: &Intent, id: &str) -> Flow {
        let guard = self.guard(None);
        guard.check().or_end()?;
        self.reconciler.discard(&guard, remote, &self.object, intent, id).await.or_end()?;
        self.reached(CrashPoint::Discarded).await;
        let message =
            format!("{} had taken effect, but its answer is lost; {id} is removed", intent.operation);
        self.emit(false, ConditionReason::Deleted.as_str(), &message).await;
        self.drop_intent(&intent.id).await
    }

    async fn found_none(&mut self, intent: &Intent, policy: &UnknownPolicy) -> Flow {
        if intent.looks + 1 < policy.looks {
            let looked = self.change_intent(|intent| intent.looks += 1).await?;
            self.reached(CrashPoint::LookCounted).await;
            return Break(End::Requeue(Requeue::After(self.until_look(&looked))));
        }
        match policy.if_not_found {
            IfNotFound::Hold => Break(self.hold(intent, "nothing matches it").await),
            IfNotFound::Retry => self.drop_intent(&intent.id).await,
        }
    }

    /// Leaves the decision to a person.
    async fn hold(&mut self, intent: &Intent, found: &str) -> End {
        let message = format!(
            "it is not known whether {} took effect ({found} at the service); look there, then set the \
             annotation {RESOLVE_UNKNOWN} to retry, adopt=<id> or abandon",
            intent.operation
        );
        self.set(ConditionType::Unknown, true, ConditionReason::Held, &message);
        self.unready(ConditionReason::Held, &message);
        let held = self.change_intent(|intent| intent.state = IntentState::Held).await;
        if let Break(end) = held {
            return end;
        }
        self.shared.calls.release(self.ctx.key());
        self.reached(CrashPoint::HeldWritten).await;
        self.emit(true, ConditionReason::Held.as_str(), &message).await;
        self.resync()
    }

    /// The intent is still held: its message stays as it is.
    fn still_held(&mut self, intent: &Intent) -> End {
        let said = self.status.condition(ConditionType::Unknown.as_str()).map(|one| one.message.clone());
        let message = said.unwrap_or_else(|| format!("{} is held", intent.operation));
        self.unready(ConditionReason::Held, &message);
        self.resync()
    }

    async fn apply_resolution(&mut self, intent: &Intent, resolution: Resolution) -> Flow {
        match resolution {
            Resolution::Retry => self.drop_intent(&intent.id).await?,
            Resolution::Adopt(id) => self.adopt_named(intent, &id).await?,
            Resolution::Abandon => {
                self.status.clear(ConditionType::Unknown.as_str());
                self.change_intent(|intent| intent.state = IntentState::Abandoned).await?;
                self.call_ended(&intent.id);
            }
        }
        self.reached(CrashPoint::Resolved).await;
        self.remove_annotation(RESOLVE_UNKNOWN).await
    }

    /// Records the id that a person names, unless another object has recorded it: deleting one of the two would remove what the other has.
    async fn adopt_named(&mut self, intent: &Intent, id: &str) -> Flow {
        let adoption = format!("adopt {id}");
        self.reserve(&adoption)?;
        if !self.recorded_by_others().await?.contains(id) {
            return self.adopt(intent, id).await;
        }
        self.shared.calls.unreserve(&self.ctx.limiter.id, &adoption, self.ctx.key());
        let message = format!(
            "{id} belongs to another object already; correct the annotation {RESOLVE_UNKNOWN}: retry, adopt=<id> of \
             what belongs to none, or abandon"
        );
        Break(self.hold_for_resolution(&message))
    }

    async fn settle_abandoned(&mut self, intent: &Intent) -> Flow {
        match annotation::resolution(&*self.object) {
            Some(Ok(Resolution::Abandon)) => self.remove_annotation(RESOLVE_UNKNOWN).await,
            Some(Ok(resolution)) => self.apply_resolution(intent, resolution).await,
            Some(Err(_)) | None => Continue(()),
        }
    }

    /// An annotation without an intent has been obeyed already, and must not be taken for an order about the next one.
    async fn remove_resolution(&mut self) -> Flow {
        if self.annotation(RESOLVE_UNKNOWN).is_none() {
            return Continue(());
        }
        let message =
            format!("the annotation {RESOLVE_UNKNOWN} is removed: there is no call whose outcome is unknown");
        self.emit(false, ConditionReason::Reconciling.as_str(), &message).await;
        self.remove_annotation(RESOLVE_UNKNOWN).await
    }

    fn unreadable_resolution(&mut self, intent: &Intent, text: &str) -> End {
        let said: String = text.chars().take(LONGEST_SAID).collect();
        let message = format!(
            "the annotation {RESOLVE_UNKNOWN} says {said:?} about {}; write retry, adopt=<id> or abandon",
            intent.operation
        );
        self.hold_for_resolution(&message)
    }

    fn hold_for_resolution(&mut self, message: &str) -> End {
        self.set(ConditionType::Unknown, true, ConditionReason::Held, message);
        self.unready(ConditionReason::Held, message);
        self.resync()
    }

    async fn change_intent(&mut self, change: impl FnOnce(&mut Intent)) -> Flow<Intent> {
        let Some(intent) = self.status.intent_mut().and_then(Option::as_mut) else {
            return Break(End::Failed(Failure::Conflict("the intent is gone".into())));
        };
        change(intent);
        let changed = intent.clone();
        self.save_status().await?;
        Continue(changed)
    }

    fn policy(&self, intent: &Intent) -> UnknownPolicy {
        self.reconciler.unknown_policy(&intent.operation)
    }

    /// How long to wait until the next look. The waits double from look to look.
    pub(crate) fn until_look(&self, intent: &Intent) -> Duration {
        let settle = self.shared.settings.settle;
        let patience = settle.saturating_mul((2 << intent.looks.min(16)) - 1);
        let most = self.shared.settings.request_timeout + patience;
        let Some(created) = created(intent) else { return Duration::ZERO };
        let due = created.saturating_add(most).unwrap_or(Timestamp::MAX);
        // No longer than if the call had been sent just now, whatever the clock was when it was.
        Duration::try_from(due.duration_since(self.shared.clock.now())).unwrap_or_default().min(most)
    }
}

fn created(intent: &Intent) -> Option<Timestamp> {
    intent.created_at.parse().ok()
}
