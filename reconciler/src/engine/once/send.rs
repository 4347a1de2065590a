//! At most once: an intent is written before the call, the call is sent once, and what came of it is recorded.

use std::{
    ops::ControlFlow::{Break, Continue},
    time::Duration,
};

use concierge_shared::{
    kind::Kind,
    status::{
        ConditionReason, ConditionType, Conditions,
        intent::{Intent, IntentState},
    },
};

use kube::core::object::HasStatus;

use crate::engine::{
    cluster::ClusterError,
    kinds::{
        plan::{Once, Outcome},
        reconcile::{Reconcile, Refusal},
    },
    once::calls::{Busy, Sent},
    retry::{Failure, Requeue},
    run::{End, Flow, OrEnd, Run},
    seams::CrashPoint,
};

/// How long the first wait is between two tries to record an id.
const RECORD_AGAIN: Duration = Duration::from_millis(200);
/// How long such a wait is at most.
const RECORD_AGAIN_CAP: Duration = Duration::from_secs(10);

/// What the API server has of an intent that is to be concluded.
enum Live {
    /// It is there, or nothing is and nobody concluded it.
    Open,
    /// The id is recorded.
    Recorded,
    /// Somebody else concluded it, differently.
    Otherwise,
    /// The object is no more.
    Gone,
}

impl<R: Reconcile> Run<R> {
    /// Takes a step whose call may be sent at most once.
    ///
    /// The order matters. The call is reserved first: two objects that ask for the same at one account could not be told apart
    /// in the service's list afterwards. The intent is written before the call is sent, so that whoever leads next knows of it
    /// even if this process dies in between. Nothing is sent unless that write is certain.
    pub(crate) async fn act_once(
        &mut self,
        remote: &R::Remote,
        step: &R::Step,
        once: &Once,
    ) -> Flow<Result<(), Failure>> {
        self.refuse_abandoned(once)?;
        self.guard(None).check().or_end()?;
        self.reserve(&once.fingerprint)?;
        self.reached(CrashPoint::IntentPrepared).await;
        let intent = self.write_intent(once).await?;
        self.reached(CrashPoint::IntentWritten).await;
        // Set by the guard in the instant before the call is sent: what it says of "not sent" is certain.
        let send_state = self.shared.calls.send_state(&intent.id).unwrap_or_default();
        let guard = self.guard(Some(send_state.clone()));
        let result = self.reconciler.act(&guard, remote, &self.object, step).await;
        self.reached(CrashPoint::Answered).await;
        self.conclude_call(&intent, send_state.sent(), result).await
    }

    /// Draws the conclusion that is certain, and no other: "no effect" needs a refusal, or a call that was never sent. Whatever
    /// else went wrong may have been done, and paid for, so it is looked for before anything is sent again.
    async fn conclude_call(
        &mut self,
        intent: &Intent,
        sent: Sent,
        result: Result<Outcome, Failure>,
    ) -> Flow<Result<(), Failure>> {
        match (result, sent) {
            (Ok(outcome), Sent::Yes | Sent::No | Sent::WithoutEffect) => {
                let id = outcome.id.clone().unwrap_or_default();
                self.record(intent, &id, outcome.reason, &outcome.message).await?;
                self.update_metadata().await?;
                Continue(Ok(()))
            }
            (Err(failure), Sent::No | Sent::WithoutEffect) => {
                match sent {
                    Sent::WithoutEffect => self.record_refusal(intent, &failure).await?,
                    _ => self.drop_intent(&intent.id).await?,
                }
                Continue(Err(failure))
            }
            (Err(failure), Sent::Yes | Sent::Perhaps) => Break(self.mark_unknown(&failure.to_string()).await),
            (Ok(_), Sent::Perhaps) => Break(self.mark_unknown("the answer was unclear").await),
        }
    }

    /// A call that was given up on request is not sent again while it would ask for the same.
    fn refuse_abandoned(&mut self, once: &Once) -> Flow {
        let same = |intent: &Intent| {
            intent.state == IntentState::Abandoned && intent.fingerprint == once.fingerprint
        };
        if !self.status.intent().is_some_and(same) {
            return Continue(());
        }
        let message = format!(
            "{} was given up on request; change the spec, or set the annotation {}: retry",
            once.operation,
            crate::engine::annotation::RESOLVE_UNKNOWN
        );
        self.unready(ConditionReason::Abandoned, &message);
        Break(self.resync())
    }

    /// Makes this object the only one with this call in flight.
    pub(crate) fn reserve(&mut self, fingerprint: &str) -> Flow {
        let account = self.ctx.limiter.id.clone();
        let busy = match self.shared.calls.reserve(&self.fencing_token, &account, fingerprint, self.ctx.key())
        {
            Ok(()) => return Continue(()),
            Err(busy) => busy,
        };
        let message = match busy {
            Busy::With(other) => {
                let who = if other.namespace == self.ctx.key().namespace {
                    other.to_string()
                } else {
                    "another object".to_owned()
                };
                format!("waits for {who}, which asks for the same at the same account")
            }
            Busy::Counting => "waits until the calls under way are counted".to_owned(),
            Busy::Uncounted(why) => format!(
                "waits until the calls that may be under way for {} objects here can be counted: {why}",
                R::Kind::NAME
            ),
        };
        self.unready(ConditionReason::Reconciling, &message);
        Break(self.resync())
    }

    /// Writes the intent; if that is not certain to have happened, nothing is sent.
    async fn write_intent(&mut self, once: &Once) -> Flow<Intent> {
        let intent = Intent {
            id: self.shared.random.id(),
            operation: once.operation.to_owned(),
            fingerprint: once.fingerprint.clone(),
            account: self.ctx.limiter.id.clone(),
            created_at: self.shared.clock.now().to_string(),
            lease_token: self.fencing_token.clone(),
            before: once.before.clone(),
            state: IntentState::Open,
            looks: 0,
        };
        let before = self.status.clone();
        let Some(slot) = self.status.intent_mut() else {
            let message =
                format!("{} has no status.intent, so {} is not sent", R::Kind::NAME, once.operation);
            return Break(End::Failed(Failure::Unsupported(message)));
        };
        *slot = Some(intent.clone());
        // Should the write be unclear and come to light later, this is how it is known never to have been sent.
        self.shared.calls.begin(&intent.id);
        if let Err(error) = self.write_status().await {
            self.status = before;
            self.shared.calls.release(self.ctx.key());
            return Break(self.own_write_failed(error).await);
        }
        Continue(intent)
    }

    /// Records the id of what a call made, however long it takes: an id that is given up belongs to nobody, and what it names may
    /// have been paid for. It is tried also when this process no longer leads. That does no harm, because a status is only
    /// written to the version of the object that was read.
    pub(crate) async fn record(
        &mut self,
        intent: &Intent,
        id: &str,
        reason: ConditionReason,
        message: &str,
    ) -> Flow {
        tracing::info!(operation = intent.operation, intent = intent.id, id, "{message}");
        self.reached(CrashPoint::OutcomeLogged).await;
        let known = self.reconciler.recorded(&self.status);
        let mut wait = RECORD_AGAIN;
        loop {
            let before = self.status.clone();
            self.reconciler.record(intent, id, &mut self.status);
            self.without_intent();
            let Err(error) = self.write_status().await else { break };
            tracing::warn!(%error, intent = intent.id, id, "the id is not recorded yet; trying again");
            self.status = before;
            if error.is_lasting() {
                return Break(self.record_later(intent, Ok(id.to_owned()), error));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RECORD_AGAIN_CAP);
            match self.reread(intent, id, &known).await {
                Ok(Live::Open) | Err(_) => {}
                Ok(Live::Recorded) => break,
                Ok(Live::Otherwise | Live::Gone) => return Break(self.report_orphan(intent, id).await),
            }
        }
        self.call_ended(&intent.id);
        self.reached(CrashPoint::OutcomeRecorded).await;
        self.emit(false, reason.as_str(), &format!("{message} (id {id})")).await;
        Continue(())
    }

    /// Drops the intent of a call that had no effect, together with what the service said, however long it takes: a bank that is
    /// asked again because the answer was forgotten blocks the card.
    pub(crate) async fn record_refusal(&mut self, intent: &Intent, failure: &Failure) -> Flow {
        let refusal = Refusal { operation: &intent.operation, failure, at: self.shared.clock.now() };
        let known = self.reconciler.recorded(&self.status);
        let mut wait = RECORD_AGAIN;
        loop {
            let before = self.status.clone();
            self.reconciler.refused(&self.object, &refusal, &mut self.status);
            self.without_intent();
            let Err(error) = self.write_status().await else { break };
            tracing::warn!(%error, intent = intent.id, "the refusal is not recorded yet; trying again");
            self.status = before;
            if error.is_lasting() {
                return Break(self.record_later(intent, Err(failure.clone()), error));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RECORD_AGAIN_CAP);
            match self.reread(intent, "", &known).await {
                Ok(Live::Open) | Err(_) => {}
                Ok(Live::Recorded | Live::Otherwise) => break,
                Ok(Live::Gone) => {
                    self.call_ended(&intent.id);
                    return Break(End::Gone);
                }
            }
        }
        self.call_ended(&intent.id);
        self.reached(CrashPoint::IntentCleared).await;
        Continue(())
    }

    /// Ends a run whose status the API server will not take before somebody changes something: it would keep a worker and the account's
    /// place from all others. What came of a call that was sent from here is kept for the next run.
    fn record_later(&self, intent: &Intent, outcome: Result<String, Failure>, error: ClusterError) -> End {
        let sent = self.shared.calls.send_state(&intent.id).map(|send_state| send_state.sent());
        if matches!(sent, Some(Sent::Yes | Sent::WithoutEffect)) {
            self.shared.calls.remember(&intent.id, outcome);
        }
        End::Cluster(error)
    }

    /// What the API server has by now; `known` are the ids that were recorded before the call, for instance those of a key that is being
    /// replaced.
    async fn reread(&mut self, intent: &Intent, id: &str, known: &[String]) -> Result<Live, ClusterError> {
        let Some(live) = self.shared.cluster.get(&self.target).await? else { return Ok(Live::Gone) };
        let same = live["metadata"]["uid"].as_str() == self.meta().uid.as_deref();
        if !same {
            return Ok(Live::Gone);
        }
        self.take(live)?;
        self.status = self.object.status().cloned().unwrap_or_default();
        let recorded = self.reconciler.recorded(&self.status);
        Ok(match self.status.intent() {
            _ if recorded.iter().any(|one| one == id) => Live::Recorded,
            Some(other) if other.id != intent.id => Live::Otherwise,
            None if recorded != known => Live::Otherwise,
            Some(_) | None => Live::Open,
        })
    }

    /// The object is gone, so the id can't be recorded. An event and a log line tell people, which is all that can be done.
    async fn report_orphan(&mut self, intent: &Intent, id: &str) -> End {
        self.call_ended(&intent.id);
        let message =
            format!("{} made {id}, which belongs to no object now; look after it", intent.operation);
        tracing::error!(
            intent = intent.id,
            id,
            operation = intent.operation,
            "what was made belongs to no object now"
        );
        self.emit(true, ConditionReason::Ambiguous.as_str(), &message).await;
        End::Gone
    }

    /// Removes the intent: its call had no effect.
    pub(crate) async fn drop_intent(&mut self, id: &str) -> Flow {
        self.without_intent();
        self.save_status().await?;
        self.call_ended(id);
        self.reached(CrashPoint::IntentCleared).await;
        Continue(())
    }

    /// Records that nobody knows what came of the call, and says so in the status.
    pub(crate) async fn mark_unknown(&mut self, why: &str) -> End {
        let Some(intent) = self.status.intent_mut().and_then(Option::as_mut) else {
            return End::Requeue(Requeue::OnChange);
        };
        intent.state = IntentState::Unknown;
        let intent = intent.clone();
        let message =
            format!("it is not known whether {} took effect ({why}); it is not sent again", intent.operation);
        tracing::warn!(
            intent = intent.id,
            operation = intent.operation,
            why,
            "it is not known whether a call took effect"
        );
        self.set(ConditionType::Unknown, true, ConditionReason::Ambiguous, &message);
        self.unready(ConditionReason::Ambiguous, &message);
        match self.write_status().await {
            Ok(()) => {
                self.reached(CrashPoint::UnknownWritten).await;
                self.emit(true, ConditionReason::Ambiguous.as_str(), &message).await;
                End::Requeue(Requeue::After(self.until_look(&intent)))
            }
            Err(error) => self.own_write_failed(error).await,
        }
    }

    pub(crate) fn without_intent(&mut self) {
        if let Some(slot) = self.status.intent_mut() {
            *slot = None;
        }
        self.status.clear(ConditionType::Unknown.as_str());
    }

    /// Forgets the intent's call, and lets others that wait for the same call go on.
    pub(crate) fn call_ended(&self, intent: &str) {
        self.shared.calls.forget(intent);
        self.shared.calls.release(self.ctx.key());
    }
}
