//! Concierge's end-to-end tests: a real control plane, fakes of remote services, load and benchmarks.

pub mod balancer;
pub mod bench;
pub mod caller;
pub mod catalyst;
pub mod clock;
pub mod cluster;
pub mod controlplane;
pub mod demo;
pub mod dials;
pub mod docs;
pub mod faults;
pub mod kubectl;
pub mod modules;
pub mod petstore;
mod preload;
pub mod process;
pub mod python;
pub mod reference;
pub mod s3;
pub mod shop;
pub mod simulation;
pub mod soak;
pub mod stack;
pub mod tls;
pub mod wire;

use std::time::Duration;

/// How long a test waits for what should come within seconds before it calls it missing. It measures nothing: other tests share the
/// processors, so it is many times what a quiet machine needs.
pub const PATIENCE: Duration = Duration::from_secs(180);
