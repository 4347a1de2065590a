//! The ids that objects have recorded: what one has made, no other may take for its own.

use std::collections::HashSet;

use concierge_shared::kind::Kind;

use crate::engine::{Context, Failure, ObjectKey};

/// The ids that `id` finds in objects of a kind, the object of this run left out. Read from the API server: the cache may
/// not show yet what was recorded a moment ago.
pub(crate) async fn by_others<K: Kind>(
    ctx: &Context,
    mut id: impl FnMut(K) -> Option<String> + Send,
) -> Result<HashSet<String>, Failure> {
    let mut ids = HashSet::new();
    let visit = |object: K| {
        if ObjectKey::of(&object) != *ctx.key() {
            ids.extend(id(object));
        }
    };
    ctx.for_each_stored(visit).await?;
    Ok(ids)
}
