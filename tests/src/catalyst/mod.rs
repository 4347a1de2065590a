//! What environments are made of, on one machine.
//!
//! | module | what it is |
//! |---|---|
//! | `git` | a real git server |
//! | `kubelet` | a fake kubelet: pods come to run, end and fail |
//! | `registry` | a real registry |
//! | `services` | fakes of a git server, a registry that asks for a token, and the web application |

pub mod git;
pub mod kubelet;
pub mod registry;
pub mod services;
