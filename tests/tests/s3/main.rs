//! The S3 reconcilers on the engine: on paused time against a fake, and on real time against real services.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod buckets;
mod children;
mod deletion;
mod iam_policies;
mod keys;
mod making;
mod named;
mod orders;
mod outages;
mod parts;
mod policies;
mod radosgw;
mod scale;
mod services;
mod trials;
mod trust;
mod users;
mod world;
