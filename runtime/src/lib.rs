//! What both binaries need of a running process.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cache`] | one watch per kind, and the look-ups that rules make in what it saw |
//! | [`client`] | the connection to the API server, with and without retries |
//! | [`clock`] | the API server's time |
//! | [`duration`] | durations on the command line |
//! | [`admin`] | the port for probes and metrics |
//! | [`help`] | the command line, and what `--help` tells of it |
//! | [`logs`] | log lines for people and for machines |
//! | [`printable`] | text that commands neither a terminal nor CI |
//! | [`read`] | objects as the API server gives them, one by one |
//! | [`rules`] | levels and bounds of rules on the command line |
//! | [`shutdown`] | signals |
//! | `variables` | flags that are set by variables of the environment |

pub mod admin;
pub mod cache;
pub mod client;
pub mod clock;
pub mod duration;
pub mod help;
pub mod logs;
pub mod printable;
pub mod read;
pub mod rules;
pub mod shutdown;
mod variables;
