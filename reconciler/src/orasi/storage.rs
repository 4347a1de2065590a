//! A storage.

use concierge_shared::orasi::{Storage, StorageStatus};

use super::{
    reach::{Observed, Reachable},
    target::{Target, of_storage},
};
use crate::common::standing::last_look;

impl Reachable for Storage {
    fn target(&self) -> Target<'_> {
        of_storage(&self.spec)
    }

    fn report(&self, observed: &Observed, status: &mut StorageStatus) {
        last_look(&mut status.last_checked, observed.at, false);
    }
}
