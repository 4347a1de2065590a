//! What environments are made of, on one machine.
//!
//! | module | what it is |
//! |---|---|
//! | `registry` | a real registry |
//! | `services` | fakes of a git server, a registry that asks for a token, and the web application |

pub mod registry;
pub mod services;
