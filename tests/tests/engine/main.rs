//! The engine, run whole and in-process: a simulated API server, a fake remote service that counts what it is sent,
//! toy kinds, and a clock that a test owns.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod at_most_once;
mod bounds;
mod chests;
mod children;
mod implied;
mod leases;
mod lifecycle;
mod lists;
mod made_secrets;
mod native_children;
mod order;
mod parts;
mod remote;
mod restored;
mod rooms;
mod rotation;
mod secrets;
mod steady;
mod toys;
mod unreadable;
mod unwritable;
mod wakes;
mod world;
