//! Text that must not be seen.

use serde::Deserialize;

/// Text that never shows: Debug says `Secret(..)`, and there is no Display and no Serialize.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps `text`. White space around it is dropped: files and Secrets often end in a newline.
    pub fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// The text itself, for the wire or for an owned Kubernetes Secret; nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}
