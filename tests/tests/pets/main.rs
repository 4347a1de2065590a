//! The pet reconcilers on the engine: in one process, on paused time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod scale;
mod service;
mod status;
mod world;
