//! A report, written for people and for programs.

mod excerpt;
pub(crate) mod human;
pub(crate) mod json;
