//! The order of the objects that have a key in common.

use std::{borrow::Borrow, cmp::Ordering};

use super::Stored;

/// An object, ordered by its sort key.
#[derive(Debug)]
pub(super) struct Sorted(pub(super) Stored);

/// What is found by a sort key.
pub(super) trait SortKey {
    fn sort_key(&self) -> (bool, &str, &str);
}

impl SortKey for Sorted {
    fn sort_key(&self) -> (bool, &str, &str) {
        self.0.sort_key()
    }
}

impl SortKey for (bool, &str, &str) {
    fn sort_key(&self) -> (bool, &str, &str) {
        *self
    }
}

impl<'a> Borrow<dyn SortKey + 'a> for Sorted {
    fn borrow(&self) -> &(dyn SortKey + 'a) {
        self
    }
}

impl PartialEq for dyn SortKey + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.sort_key() == other.sort_key()
    }
}

impl Eq for dyn SortKey + '_ {}

impl PartialOrd for dyn SortKey + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn SortKey + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl PartialEq for Sorted {
    fn eq(&self, other: &Self) -> bool {
        self.sort_key() == other.sort_key()
    }
}

impl Eq for Sorted {}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}
