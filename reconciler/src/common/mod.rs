//! What the reconcilers of every group share beside the engine.

pub(crate) mod recorded;
pub(crate) mod targets;
