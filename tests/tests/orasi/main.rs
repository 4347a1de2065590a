//! The Orasi reconcilers on the engine: in one process, on paused time, against fakes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod bridge;
mod configurations;
mod graph;
mod pipelines;
mod reach;
mod wire;
mod world;
