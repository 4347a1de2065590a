//! Times as the shop writes them.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// Reads a time, and takes one it cannot read as absent: an odd date must not hide a list of orders.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}
