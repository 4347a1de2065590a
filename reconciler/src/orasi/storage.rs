//! A storage.

use concierge_shared::orasi::{Storage, StorageStatus};

use super::{
    reach::{Observed, Reach, Reachable},
    target::{Target, of_storage},
};
use crate::common::standing::last_look;

pub(super) type StorageReconciler = Reach<Storage>;

impl Reachable for Storage {
    fn target(&self) -> Target<'_> {
        of_storage(&self.spec)
    }

    fn report(&self, observed: &Observed, status: &mut StorageStatus) {
        if let Some(at) = observed.looked.at {
            last_look(&mut status.last_checked, at, false);
        }
    }
}
