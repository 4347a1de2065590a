//! The coffee reconcilers on the engine, against the fake shop: in one process, on paused time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a test fails where it finds something wrong; the API server is shared with the engine's own tests"
)]

#[path = "../../../reconciler/tests/engine/cluster.rs"]
mod cluster;
mod kinds;
mod view;
mod world;
