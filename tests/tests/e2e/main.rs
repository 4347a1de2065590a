//! Concierge on a real API server, as its users meet it.

mod fixtures;
mod hostile;
mod race;
mod rotation;
mod world;
