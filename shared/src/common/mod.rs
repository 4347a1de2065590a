//! What kinds of every group share: references, names, texts, web addresses, rate limits, secrets in the clear.

pub(crate) mod any;
pub mod card_number;
pub mod immutable;
pub mod names;
pub mod rate_limit;
pub mod refs;
pub mod secret;
pub mod text;
pub mod url;
pub mod words;

pub use rate_limit::RateLimit;
pub use refs::{ObjectRef, SecretKeyRef, SecretRef};
