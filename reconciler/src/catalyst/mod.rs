//! Catalyst: environments of projects, each a namespace with what runs in it.

pub mod build;
pub mod remote;
mod runner;
