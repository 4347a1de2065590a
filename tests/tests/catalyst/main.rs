//! Catalyst: environments, and what they come from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod outages;
mod remote;
