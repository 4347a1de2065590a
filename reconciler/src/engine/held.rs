//! The Secrets that bear our finalizer already, so that they are not read in every pass.

use std::collections::HashSet;

use parking_lot::Mutex;

use super::cluster::Target;

#[derive(Default)]
pub(crate) struct Held(Mutex<HashSet<(String, String)>>);

impl Held {
    pub(crate) fn contains(&self, target: &Target) -> bool {
        self.0.lock().contains(&name(target))
    }

    pub(crate) fn insert(&self, target: &Target) {
        self.0.lock().insert(name(target));
    }

    pub(crate) fn remove(&self, target: &Target) {
        self.0.lock().remove(&name(target));
    }
}

fn name(target: &Target) -> (String, String) {
    (target.namespace.clone(), target.name.clone())
}
