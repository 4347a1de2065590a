//! What kinds of every group share: references, names, texts, web addresses.

pub mod card_number;
pub mod immutable;
pub mod names;
pub mod refs;
pub mod text;
pub mod url;

pub use refs::{ObjectRef, SecretKeyRef, SecretRef};
