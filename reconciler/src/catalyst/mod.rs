//! Catalyst: environments of projects, each a namespace with what runs in it.

pub mod build;
mod environment;
mod obstacle;
mod project;
pub mod remote;
pub mod runner;

use crate::engine::Kinds;

/// Adds the reconcilers of this group.
pub fn kinds(kinds: Kinds) -> Kinds {
    kinds.with(project::ProjectReconciler).with(environment::EnvironmentReconciler::default())
}
