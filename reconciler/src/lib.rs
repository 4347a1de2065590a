//! Concierge behind the door: the work that admitted objects ask for.

pub mod coffee;
pub mod engine;
pub mod pets;
