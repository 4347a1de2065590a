//! Conditions, as kstatus and `kubectl wait` read them.

use super::intent::Intent;
use jiff::Timestamp;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The types of conditions that the engine sets on objects of every kind. Kinds add their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// The object is what its spec says, and usable.
    Ready,
    /// The last reconciliation found nothing to do, or did it.
    Synced,
    /// The spec breaks no rule.
    Valid,
    /// Everything the object refers to exists and is ready.
    ReferencesResolved,
    /// The remote thing differs from the spec.
    Drifted,
    /// The outcome of a call that may happen only once is not known.
    Unknown,
    /// The remote service can't do a part of what the spec asks for.
    Unsupported,
    /// Reconciliation is paused by annotation.
    Paused,
    /// The object is being deleted and the remote thing is not gone yet.
    Deleting,
}

impl ConditionType {
    /// The spelling in `status.conditions[].type`.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionType::Ready => "Ready",
            ConditionType::Synced => "Synced",
            ConditionType::Valid => "Valid",
            ConditionType::ReferencesResolved => "ReferencesResolved",
            ConditionType::Drifted => "Drifted",
            ConditionType::Unknown => "Unknown",
            ConditionType::Unsupported => "Unsupported",
            ConditionType::Paused => "Paused",
            ConditionType::Deleting => "Deleting",
        }
    }
}

/// Why a condition is as it is, and why an event happened: the closed list that the engine uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionReason {
    /// All is as the spec says.
    Reconciled,
    /// Work is under way.
    Reconciling,
    /// The spec breaks no rule.
    Valid,
    /// The spec breaks a rule.
    Invalid,
    /// Something referred to is missing or not ready.
    ReferencesMissing,
    /// Everything referred to is there.
    ReferencesFound,
    /// The API server does not let Concierge do what has to be done: most often a right is missing.
    Forbidden,
    /// Another object or someone else owns the remote thing.
    OwnedByOther,
    /// The call certainly did not reach the service.
    NeverSent,
    /// The service failed in a way that passes.
    Transient,
    /// The service asked for patience.
    Throttled,
    /// The service refused our credentials.
    Unauthorised,
    /// Something else changed at the same time, or another object has what this one wants.
    Conflict,
    /// The service refused the request as wrong.
    Refused,
    /// The service can't do this.
    Unsupported,
    /// Nobody knows whether the call took effect.
    Ambiguous,
    /// Somebody must say what is to be done.
    Held,
    /// Paused by annotation.
    Paused,
    /// The object is being deleted.
    Deleting,
    /// The remote thing was left in place on request.
    Abandoned,
    /// A remote thing was created.
    Created,
    /// A remote thing was changed.
    Updated,
    /// A remote thing was deleted.
    Deleted,
    /// An existing remote thing was taken over.
    Adopted,
    /// A difference was found and is being mended.
    DriftDetected,
    /// No difference.
    InSync,
    /// Something that was made for the object in the cluster has failed.
    ChildFailed,
    /// Only looked at: the plan is published, nothing is done.
    ObserveOnly,
}

impl ConditionReason {
    /// The spelling in `reason` fields: the variant's name.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionReason::Reconciled => "Reconciled",
            ConditionReason::Reconciling => "Reconciling",
            ConditionReason::Valid => "Valid",
            ConditionReason::Invalid => "Invalid",
            ConditionReason::ReferencesMissing => "ReferencesMissing",
            ConditionReason::ReferencesFound => "ReferencesFound",
            ConditionReason::Forbidden => "Forbidden",
            ConditionReason::OwnedByOther => "OwnedByOther",
            ConditionReason::NeverSent => "NeverSent",
            ConditionReason::Transient => "Transient",
            ConditionReason::Throttled => "Throttled",
            ConditionReason::Unauthorised => "Unauthorised",
            ConditionReason::Conflict => "Conflict",
            ConditionReason::Refused => "Refused",
            ConditionReason::Unsupported => "Unsupported",
            ConditionReason::Ambiguous => "Ambiguous",
            ConditionReason::Held => "Held",
            ConditionReason::Paused => "Paused",
            ConditionReason::Deleting => "Deleting",
            ConditionReason::Abandoned => "Abandoned",
            ConditionReason::Created => "Created",
            ConditionReason::Updated => "Updated",
            ConditionReason::Deleted => "Deleted",
            ConditionReason::Adopted => "Adopted",
            ConditionReason::DriftDetected => "DriftDetected",
            ConditionReason::InSync => "InSync",
            ConditionReason::ChildFailed => "ChildFailed",
            ConditionReason::ObserveOnly => "ObserveOnly",
        }
    }
}

/// A status that carries conditions.
pub trait Conditions: Default {
    /// The conditions, to be read.
    fn conditions(&self) -> &[Condition];
    /// The conditions, to be changed.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
    /// The generation that the status describes.
    fn observed_generation_mut(&mut self) -> &mut Option<i64>;

    /// The token of the annotation `concierge.dev/reconcile-at` that was last acted on, if the status has
    /// a field for it.
    fn reconciled_at_mut(&mut self) -> Option<&mut Option<String>> {
        None
    }

    /// The call under way that may be sent at most once.
    fn intent(&self) -> Option<&Intent> {
        None
    }

    /// The field for [`Conditions::intent`]. A kind without one makes no such calls.
    fn intent_mut(&mut self) -> Option<&mut Option<Intent>> {
        None
    }

    /// The condition of this type.
    fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions().iter().find(|condition| condition.type_ == kind)
    }

    /// True when the condition of this type is `True`.
    fn is_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }

    /// Sets a condition. Its transition time moves only when its status flips.
    fn set(
        &mut self,
        kind: &str,
        status: bool,
        reason: &str,
        message: &str,
        generation: Option<i64>,
        now: Timestamp,
    ) {
        let status = if status { "True" } else { "False" };
        let conditions = self.conditions_mut();
        let old = conditions.iter().find(|old| old.type_ == kind && old.status == status);
        let since = old.map_or(Time(now), |old| old.last_transition_time.clone());
        let condition = Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: generation,
            last_transition_time: since,
        };
        match conditions.iter_mut().find(|old| old.type_ == kind) {
            Some(slot) => *slot = condition,
            None => conditions.push(condition),
        }
    }

    /// Removes a condition.
    fn clear(&mut self, kind: &str) {
        self.conditions_mut().retain(|condition| condition.type_ != kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Status(Vec<Condition>, Option<i64>);

    impl Conditions for Status {
        fn conditions(&self) -> &[Condition] {
            &self.0
        }
        fn conditions_mut(&mut self) -> &mut Vec<Condition> {
            &mut self.0
        }
        fn observed_generation_mut(&mut self) -> &mut Option<i64> {
            &mut self.1
        }
    }

    #[test]
    fn the_transition_time_moves_only_on_a_flip() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut status = Status::default();
        status.set("Ready", false, "Reconciling", "", Some(1), at(1));
        status.set("Ready", false, "Transient", "later", Some(2), at(2));
        assert_eq!(status.0[0].last_transition_time.0, at(1));
        assert_eq!((status.0[0].reason.as_str(), status.0[0].observed_generation), ("Transient", Some(2)));
        status.set("Ready", true, "Reconciled", "", Some(2), at(3));
        assert_eq!(status.0[0].last_transition_time.0, at(3));
        assert_eq!(status.0.len(), 1);
    }
}
