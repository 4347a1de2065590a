//! A storage.

use concierge_shared::{
    admission::{reference::ALLOWED_NAMESPACES_ANNOTATION, review::annotation},
    index::Stored,
    orasi::{Storage, StorageStatus},
};

use super::{
    reach::{Observed, Reach, Reachable},
    target::{Target, of_storage},
};
use crate::{common::standing::last_look, engine::ImplicitUsers};

pub(super) type StorageReconciler = Reach<Storage>;

impl Reachable for Storage {
    fn target(&self) -> Target<'_> {
        of_storage(&self.spec)
    }

    /// Documents that name another by now are in it until they have moved.
    fn implicit_users(&self) -> Option<ImplicitUsers> {
        let everywhere = annotation(self, ALLOWED_NAMESPACES_ANNOTATION).is_some();
        Some(ImplicitUsers { key: self.left_key(), everywhere, all: false })
    }

    fn is_used_by(&self, user: &Stored) -> bool {
        self.permits(user)
    }

    fn report(&self, observed: &Observed, status: &mut StorageStatus) {
        if let Some(at) = observed.looked.at {
            last_look(&mut status.last_checked, at, false);
        }
    }
}
