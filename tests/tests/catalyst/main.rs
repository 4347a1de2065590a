//! Catalyst: environments, on the engine in one process and on paused time; and what they come from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod builds;
mod deletion;
mod deployed;
mod development;
mod ending;
mod fates;
mod golden;
mod outages;
mod place;
mod remote;
mod scale;
mod web_secrets;
mod workloads;
mod world;
