//! Text that must not be seen.

use std::fmt;

use serde::Deserialize;

/// Text that never shows: there is no Display and no Serialize, and Debug says `Secret(..)`.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct SecretText(Box<str>);

impl SecretText {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Without white space around it: files and Secrets often end in a newline.
    pub fn trimmed(text: &str) -> Self {
        Self::new(text.trim())
    }

    /// The text itself, for the wire or for an owned Kubernetes Secret; nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
