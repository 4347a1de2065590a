//! The Orasi reconcilers on the engine: on paused time against fakes, and on real time over sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod bridge;
mod configurations;
mod delivery;
mod documents;
mod graph;
mod leaving;
mod pipelines;
mod reach;
mod scale;
mod sockets;
mod wire;
mod world;
