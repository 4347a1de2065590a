//! When which object is reconciled.

pub(crate) mod claims;
pub(crate) mod control_loop;
pub(crate) mod queue;
pub(crate) mod wake;
