//! Coffee: the Terminal shop's kinds made real.

pub mod client;
