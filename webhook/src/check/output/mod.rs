//! A report, written for people and for programs.

pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod secrets;
