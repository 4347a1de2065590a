//! At most once: calls that can't be repeated safely.

/// The calls under way.
#[derive(Default)]
pub(crate) struct Calls;
