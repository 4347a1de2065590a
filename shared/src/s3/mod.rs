//! S3 storage at any provider that speaks its protocol.
//!
//! What is here so far is the policy language: `docs/policies.md` tells how to check a document with it.

pub mod policy;
