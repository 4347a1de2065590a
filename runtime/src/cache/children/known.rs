//! What is kept of children, found by name and by owner.

use std::collections::{HashMap, HashSet};

use super::{ChildChange, ChildKey, ChildSeen};

/// What is kept of all children. Also the simulated cache of tests.
#[derive(Default)]
pub struct Known {
    pub(super) children: HashMap<ChildKey, ChildSeen>,
    by_owner: HashMap<String, HashSet<ChildKey>>,
}

impl Known {
    pub fn get(&self, key: &ChildKey) -> Option<&ChildSeen> {
        self.children.get(key)
    }

    /// The children of the object with this uid, in no order.
    pub fn of(&self, owner_uid: &str) -> Vec<(ChildKey, ChildSeen)> {
        let keys = self.by_owner.get(owner_uid).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), self.children.get(key)?.clone()))).collect()
    }

    /// Takes in a child as it is now; the changes that this is, to whoever had it before and has it now.
    pub fn put(&mut self, key: ChildKey, seen: ChildSeen) -> Vec<ChildChange> {
        let old = self.children.insert(key.clone(), seen.clone());
        if let Some(old) = old.as_ref().filter(|old| old.owner_uid != seen.owner_uid) {
            self.forget_of(&old.owner_uid, &key);
        }
        self.by_owner.entry(seen.owner_uid).or_default().insert(key.clone());
        let change = ChildChange { key, owner: seen.owner, digest: Some(seen.digest) };
        let lost = old.filter(|old| old.owner != change.owner);
        let lost = lost.map(|old| ChildChange { owner: old.owner, digest: None, ..change.clone() });
        lost.into_iter().chain([change]).collect()
    }

    /// Forgets a child that is gone, or bears no mark any more.
    pub fn take_out(&mut self, key: &ChildKey) -> Option<ChildChange> {
        let seen = self.children.remove(key)?;
        self.forget_of(&seen.owner_uid, key);
        Some(ChildChange { key: key.clone(), owner: seen.owner, digest: None })
    }

    fn forget_of(&mut self, owner_uid: &str, key: &ChildKey) {
        if let Some(keys) = self.by_owner.get_mut(owner_uid) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_owner.remove(owner_uid);
            }
        }
    }
}
