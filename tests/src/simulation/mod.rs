//! Processes of the reconciler and an API server, in this process and on tokio's clock: paused, hours pass in
//! milliseconds, and a process dies or stands still at the very step that a test names.
//!
//! ```text
//! Process (engine, lease) --Connection--> Server      what is written, with preconditions and faults
//!         <------------------------View--             what its cache has seen of that, and how late
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`server`] | the API server |
//! | [`view`] | one process's cache |
//! | [`process`] | the reconciler's engine for some kinds, and what happens to it |
//! | [`actors`] | a process that something happens to, and those that go on |
//! | [`scenarios`] | many of them, on all cores |
//! | [`condition`] | what an object says of itself |
//! | [`log`] | what is logged meanwhile |

#![allow(clippy::unwrap_used, reason = "a test fails where it finds something wrong")]

pub mod actors;
pub mod condition;
pub mod log;
pub mod process;
pub mod scenarios;
pub mod server;
mod trouble;
mod users;
pub mod view;

use std::time::Duration;

pub use actors::{Actors, Interruption};
pub use process::{Chance, LEASE, Process, ProcessOptions, REQUEST, ServerClock, Simulated};
pub use server::{Connection, Server};

/// Sixty seconds.
pub const MINUTE: Duration = Duration::from_secs(60);
