//! S3 and IAM as the reconciler speaks them: with real services, and with fakes where a service would have to misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod alike;
mod answers;
mod dials;
mod services;
