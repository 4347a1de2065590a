//! What a run has checked before it acts.

use concierge_shared::admission::rule::AdmissionRule;

use crate::engine::cluster::objects::ObjectKey;

/// What this run has checked so far. A run that ends early, for instance because the object is paused, has not checked all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    broken: Option<Vec<&'static str>>,
    unready: Option<Vec<ObjectKey>>,
}

impl Checks {
    /// Whether the object breaks `rule`; `None` when this run has not checked it.
    pub fn breaks(&self, rule: &AdmissionRule) -> Option<bool> {
        self.broken.as_ref().map(|broken| broken.contains(&rule.id))
    }

    /// Whether the object has what it needs of `target`; `None` when this run has not checked it.
    pub fn is_ready(&self, target: &ObjectKey) -> Option<bool> {
        self.unready.as_ref().map(|unready| !unready.contains(target))
    }

    /// The targets of which the object does not have what it needs; `None` when this run has not checked them.
    pub fn unready(&self) -> Option<&[ObjectKey]> {
        self.unready.as_deref()
    }

    pub(crate) fn rules_checked(&mut self, broken: impl IntoIterator<Item = &'static AdmissionRule>) {
        self.broken = Some(broken.into_iter().map(|rule| rule.id).collect());
    }

    pub(crate) fn targets_checked(&mut self, unready: impl IntoIterator<Item = ObjectKey>) {
        self.unready = Some(unready.into_iter().collect());
    }
}
