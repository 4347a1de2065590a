//! Concierge on a real API server, as its users meet it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

mod applies;
mod calm;
mod chaos;
mod documents;
mod ending;
mod failover;
mod fixtures;
mod hostile;
mod kills;
mod lease_rights;
mod projects;
mod race;
mod rotation;
mod secrets;
mod shopping;
mod storm;
mod world;
