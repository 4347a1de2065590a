//! The Terminal client, and the fakes it is tested against.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod calls;
mod classes;
mod money;
mod petstore;
mod rules;
mod sdk;
mod secrets;
mod wire;
