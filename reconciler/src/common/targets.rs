//! What a status says of the targets of an object's references.

use concierge_shared::{common::ObjectRef, kind::Kind};

use crate::engine::{Checks, ObjectKey};

/// Whether the object has what it needs of `target`, an object of kind `K`. Where this run has not checked, the status goes
/// on saying what it said `before`.
pub(crate) fn is_ready<K: Kind>(
    checks: &Checks,
    namespace: &str,
    target: &ObjectRef,
    before: Option<bool>,
) -> bool {
    let key = ObjectKey::new(K::NAME, target.namespace_in(namespace), target.name.clone());
    checks.is_ready(&key).or(before).unwrap_or(false)
}
