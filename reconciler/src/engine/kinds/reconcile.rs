//! What a kind's file says: connect -> observe -> plan -> act.

use std::{collections::HashSet, fmt, time::Duration};

use concierge_shared::{
    admission::{reference::Reference, rule::AdmissionRule},
    index::Stored,
    kind::Kind,
    status::{
        Conditions,
        intent::{Intent, IntentState},
    },
};
use jiff::Timestamp;
use kube::core::object::HasStatus;

use crate::engine::{
    account::Account,
    cluster::objects::ObjectKey,
    context::{Context, guard::Guard},
    kinds::checks::Checks,
    kinds::plan::{Deletion, DeletionPolicy, Effect, Outcome, Owner, Plan, UnknownPolicy},
    retry::Failure,
};

/// The status of the objects that a reconciler is about.
pub type StatusOf<R> = <<R as Reconcile>::Kind as HasStatus>::Status;

/// A `once` call that was sent and certainly had no effect.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// The operation, as in [`Once::operation`](crate::engine::Once::operation).
    pub operation: &'a str,
    /// What the service said.
    pub failure: &'a Failure,
    /// When.
    pub at: Timestamp,
}

/// Objects that use another without naming it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImplicitUsers {
    /// The index key under which they are found.
    pub key: String,
    /// Whether there may be some in other namespaces.
    pub everywhere: bool,
    /// Whether all that have the key are, so that they need only be counted.
    pub all: bool,
}

/// Makes the objects of one kind real. The value holds what all its runs share, for instance an HTTP client; everything
/// about one object is passed in.
///
/// The engine calls, in this order: [`connect`](Self::connect), [`observe`](Self::observe), [`owner`](Self::owner),
/// [`plan`](Self::plan) or [`plan_deletion`](Self::plan_deletion), [`act`](Self::act) once per step, then
/// `observe` and `plan` once more, [`report`](Self::report) and [`phase`](Self::phase).
pub trait Reconcile: Send + Sync + 'static {
    type Kind: Kind<Status: Conditions + Clone + Send + Sync>;
    /// The remote service as seen with one object's credentials; `()` for a kind without one.
    type Remote: Send + Sync;
    /// What the remote side looks like.
    type Observed: Send + Sync;
    /// One thing to do: pure data. Its text is what the plan shows to people, for instance
    /// `set acl: private -> public-read`. No secrets.
    type Step: fmt::Display + Send + Sync;

    /// Finalizers that a predecessor left on objects of this kind, beside kopf's.
    const LEGACY_FINALIZERS: &'static [&'static str] = &[];
    /// Prefixes of annotations that a predecessor left on objects of this kind, beside kopf's.
    const LEGACY_ANNOTATIONS: &'static [&'static str] = &[];

    /// Rules whose breach keeps no object from being reconciled: the reconciler itself does what is right, and tells of it.
    const LENIENT: &'static [&'static AdmissionRule] = &[];

    /// Whether [`secrets`](Self::secrets) names any.
    const NEEDS_SECRETS: bool = false;

    /// Finds the credentials and the account. Reads Kubernetes, not the remote service.
    ///
    /// # Errors
    /// [`Failure::DependencyMissing`] when a Secret or a key in it is not there.
    fn connect(
        &self,
        ctx: &Context,
        object: &Self::Kind,
    ) -> impl Future<Output = Result<(Account, Self::Remote), Failure>> + Send;

    /// Looks at the remote side. Every call goes through [`Context::read`]; nothing is changed.
    ///
    /// # Errors
    /// That the thing is absent is an observation, not a failure.
    fn observe(
        &self,
        ctx: &Context,
        remote: &Self::Remote,
        object: &Self::Kind,
    ) -> impl Future<Output = Result<Self::Observed, Failure>> + Send;

    /// Whose the remote thing is. Nothing is planned for a thing that is another's, unless the annotation
    /// `concierge.dev/adopt: "true"` is set; then the plan is to include a step that sets our mark.
    fn owner(&self, _object: &Self::Kind, _observed: &Self::Observed) -> Owner {
        Owner::Ours
    }

    /// What is to be done. Pure.
    fn plan(&self, object: &Self::Kind, observed: &Self::Observed, now: Timestamp) -> Plan<Self::Step>;

    /// Takes one step. Every changing call goes through [`Guard::write`]; a step that was planned as
    /// [`once`](Plan::once) gets to send one call, and returns the id of what it made.
    ///
    /// # Errors
    /// A failure of a `once` step that is not certain to have had no effect makes the call's outcome unknown.
    fn act(
        &self,
        guard: &Guard,
        remote: &Self::Remote,
        object: &Self::Kind,
        step: &Self::Step,
    ) -> impl Future<Output = Result<Outcome, Failure>> + Send;

    /// Notes in `noted` where `step` is about to make something, and returns whether that is news; for a kind without intents. News is
    /// written before the step is taken: this process may die in it, and the service may refuse to be looked at afterwards. `said` is
    /// the status as this run has it.
    fn note_place(
        &self,
        _remote: &Self::Remote,
        _step: &Self::Step,
        _said: &StatusOf<Self>,
        _noted: &mut StatusOf<Self>,
    ) -> bool {
        false
    }

    /// What is to be done about an object that is being deleted, under [`DeletionPolicy::Delete`]. Pure.
    fn plan_deletion(
        &self,
        object: &Self::Kind,
        observed: &Self::Observed,
        now: Timestamp,
    ) -> Deletion<Self::Step>;

    /// When the object is deleted by itself, whatever its annotations say; the kind's [`ACCESS`](Kind::ACCESS) has the right to.
    fn ends_at(&self, _object: &Self::Kind) -> Option<Timestamp> {
        None
    }

    /// What happens to the remote thing when the object is deleted.
    fn deletion_policy(&self, _ctx: &Context, _object: &Self::Kind) -> DeletionPolicy {
        DeletionPolicy::Delete
    }

    /// Fills the kind's own status fields from what was observed. Conditions are the engine's.
    /// Called before [`phase`](Self::phase), when there was an observation.
    fn report(&self, _object: &Self::Kind, _observed: &Self::Observed, _status: &mut StatusOf<Self>)
    where
        Self: Sized,
    {
    }

    /// Fills the one-word phase, if the kind has one, and whatever else follows from the conditions and from what this run
    /// has checked. Called last, always.
    fn phase(&self, _object: &Self::Kind, _checks: &Checks, _status: &mut StatusOf<Self>)
    where
        Self: Sized,
    {
    }

    /// What people are told, in an event, of the way from one status to the next, beside what conditions tell: the reason in one CamelCase
    /// word, and a sentence.
    fn news(&self, _before: &StatusOf<Self>, _now: &StatusOf<Self>) -> Option<(&'static str, &'static str)>
    where
        Self: Sized,
    {
        None
    }

    /// Is told of each run and what came of it, for metrics that a predecessor had.
    fn ran(&self, _result: &str, _took: Duration) {}

    /// Writes the id of what the `once` call of `intent` made into the status. The engine saves it, and takes the intent out in the same
    /// write. What else has to be known of the call, for instance which rotation it was for, is in its fingerprint.
    fn record(&self, _intent: &Intent, _id: &str, _status: &mut StatusOf<Self>)
    where
        Self: Sized,
    {
    }

    /// Notes in the status that the service refused a `once` call, so that [`plan`](Self::plan) need not ask again. The engine
    /// saves it together with the end of the intent.
    fn refused(&self, _object: &Self::Kind, _refusal: &Refusal<'_>, _status: &mut StatusOf<Self>)
    where
        Self: Sized,
    {
    }

    /// The ids that [`record`](Self::record) wrote: what this object has made, so that no other object adopts it.
    fn recorded(&self, _status: &StatusOf<Self>) -> Vec<String>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// The ids that objects of other kinds have recorded for things of the sorts that [`recorded`](Self::recorded) tells of. None of them is
    /// adopted.
    fn recorded_elsewhere(
        &self,
        _ctx: &Context,
    ) -> impl Future<Output = Result<HashSet<String>, Failure>> + Send {
        async { Ok(HashSet::new()) }
    }

    /// Lists what could be the effect of a `once` call whose outcome is unknown. The engine picks by fingerprint, time
    /// and [`Once::before`](crate::engine::Once::before).
    fn find_effects(
        &self,
        _ctx: &Context,
        _remote: &Self::Remote,
        _object: &Self::Kind,
        intent: &Intent,
    ) -> impl Future<Output = Result<Vec<Effect>, Failure>> + Send {
        let message = format!("{} can't be looked for", intent.operation);
        async { Err(Failure::Unsupported(message)) }
    }

    /// Removes the effect of a `once` call under [`IfFound::Discard`](crate::engine::IfFound::Discard).
    fn discard(
        &self,
        _guard: &Guard,
        _remote: &Self::Remote,
        _object: &Self::Kind,
        intent: &Intent,
        _id: &str,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        let message = format!("{} can't be undone", intent.operation);
        async { Err(Failure::Unsupported(message)) }
    }

    /// What to do when the outcome of this `once` operation is unknown.
    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        UnknownPolicy::default()
    }

    /// Whether the object waits until the target of `reference` is ready, not only there.
    fn needs_ready(&self, _object: &Self::Kind, _reference: &Reference) -> bool {
        true
    }

    /// Whether the object is reconciled even while the target of `reference` is not there, or no longer permits it.
    fn does_without(&self, _object: &Self::Kind, _reference: &Reference) -> bool {
        false
    }

    /// Whether deleting the object has to wait for us even when nothing refers to it. `observed` is what the remote side looks like,
    /// where it has been looked at.
    fn needs_finalizer(&self, _object: &Self::Kind, _observed: Option<&Self::Observed>) -> bool {
        true
    }

    /// Whether the object's status says that its remote thing exists, or may. What was never made is let go without a look at the
    /// service, which may not be reachable at all. A kind without intents makes things without a record: then it may always. One that
    /// records in its status what it has made can say so here; for the time until that is written the engine puts a note beside the
    /// finalizer.
    fn may_exist(&self, _object: &Self::Kind, status: Option<&StatusOf<Self>>) -> bool
    where
        Self: Sized,
    {
        let mut status = status.cloned().unwrap_or_default();
        let sent = |intent: &Intent| intent.state != IntentState::Abandoned;
        status.intent_mut().is_none()
            || status.intent().is_some_and(sent)
            || !self.recorded(&status).is_empty()
    }

    /// The objects that use this one without naming it. Like those that name it, they keep it from being deleted.
    fn implicit_users(&self, _ctx: &Context, _object: &Self::Kind) -> Option<ImplicitUsers> {
        None
    }

    /// Whether `user`, which is found under the key of [`implicit_users`](Self::implicit_users), uses the object.
    fn is_used_by(&self, _ctx: &Context, _object: &Self::Kind, _user: &Stored) -> bool {
        true
    }

    /// The Secrets, by namespace and name, without which the remote thing can't be deleted. They are kept until
    /// the last object that names them is gone. They are of the object's own namespace: who needs one is looked for there.
    fn secrets(&self, _object: &Self::Kind) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What of the object, beside its spec and its readiness, those that refer to it use: when it
    /// changes, they are woken.
    fn exports(&self, _object: &Self::Kind) -> Vec<String> {
        Vec::new()
    }

    /// Objects to wake when this one is created, changed or deleted, beside those that refer to it or that it refers to. Of one that was
    /// changed there are two versions, the older one first.
    fn wakes(&self, _ctx: &Context, _versions: &[&Self::Kind]) -> Vec<ObjectKey> {
        Vec::new()
    }

    /// Objects to wake when what others see of this one changes (its spec, its readiness, what it [exports](Self::exports)), or when it
    /// goes: those that look at it without referring to it.
    /// `versions` has what was seen before, if anything was, and what is now, unless it is gone.
    fn onlookers(&self, _ctx: &Context, _versions: &[&Self::Kind]) -> Vec<ObjectKey> {
        Vec::new()
    }

    /// The longest wait before an object that failed in a way that passes is looked at again. Shorter for those of which others wait to
    /// hear that a service answers again: while it does not, the account lets few calls through.
    fn longest_back_off(&self) -> Duration {
        crate::engine::retry::CAP
    }

    /// How often the remote side is looked at while nothing changes.
    fn resync(&self, _object: &Self::Kind) -> Duration {
        Duration::from_secs(600)
    }
}
