//! The coffee reconcilers on the engine, against the fake shop: in one process, on paused time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod doubt;
mod exhaustive;
mod kinds;
mod scale;
mod world;
