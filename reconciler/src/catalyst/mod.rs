//! Catalyst: environments of projects, each a namespace with what runs in it.

mod build;
mod remote;
mod runner;
