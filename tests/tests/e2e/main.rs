//! Concierge on a real API server, as its users meet it.

mod failover;
mod fixtures;
mod hostile;
mod race;
mod rotation;
mod world;
