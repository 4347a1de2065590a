//! How data are made smaller.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How data are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// Quickly.
    Snappy,
    /// As every program can.
    Gzip,
    /// More quickly still.
    Lz4,
    /// Well, and quickly.
    Zstd,
}
