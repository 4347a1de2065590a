//! The content of a document, and what caches keep of it.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::common::words::hex;

/// The most that any document has, in bytes, whatever an operator says: etcd takes objects of 1.5 MiB.
pub(super) const CAP: usize = 1024 * 1024;

/// A document's text. Programs that watch ten thousand documents keep the [`Kept`] of each.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// All of it.
    Whole(String),
    /// What stands for it in a cache.
    Kept(Kept),
}

/// What is known of a text that was let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its length.
    pub bytes: usize,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Content {
    /// Its length, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Whole(text) => text.len(),
            Self::Kept(kept) => kept.bytes,
        }
    }

    /// Its SHA-256, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        match self {
            Self::Whole(text) => hex(&Sha256::digest(text)),
            Self::Kept(kept) => kept.sha256.clone(),
        }
    }

    /// What is wrong with its text, if anything is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let Self::Whole(text) = self else { return None };
        match () {
            () if text.trim().is_empty() => Some("is blank; fill it in"),
            () if text.contains('\0') => Some("contains the character NUL; remove it"),
            () => None,
        }
    }

    /// Lets the text go. One with a fault stays, so that rules find the fault again.
    pub(super) fn abridge(&mut self) {
        if self.fault().is_none() {
            *self = Self::Kept(Kept { bytes: self.bytes(), sha256: self.sha256() });
        }
    }
}

/// Begins what is written of a [`Kept`]. No text that is admitted has a NUL.
const MARK: &str = "\0sha256:";

impl Kept {
    fn read(text: &str) -> Option<Self> {
        let (sha256, bytes) = text.strip_prefix(MARK)?.split_once(':')?;
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|c| c.is_ascii_hexdigit());
        is_digest.then_some(Self { bytes: bytes.parse().ok()?, sha256: sha256.to_owned() })
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(text) => serializer.serialize_str(text),
            Self::Kept(kept) => serializer.collect_str(&format_args!("{MARK}{}:{}", kept.sha256, kept.bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Kept::read(&text).map_or(Self::Whole(text), Self::Kept))
    }
}

/// Not the text: a log is no place for it.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes())
    }
}

impl JsonSchema for Content {
    fn schema_name() -> Cow<'static, str> {
        "Content".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": CAP})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Content {
        serde_json::from_value(text.into()).unwrap()
    }

    #[test]
    fn a_cache_keeps_the_length_and_the_digest_and_tells_no_text() {
        let mut content = read("hello");
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!((content.bytes(), &*content.sha256()), (5, sha256));
        content.abridge();
        assert_eq!(content, Content::Kept(Kept { bytes: 5, sha256: sha256.into() }));
        assert_eq!((content.bytes(), &*content.sha256(), content.fault()), (5, sha256, None));
        assert_eq!(format!("{content:?}"), "5 bytes");
        let again: Content = serde_json::from_value(serde_json::to_value(&content).unwrap()).unwrap();
        assert_eq!(again, content, "the rules judge it once more");
        content.abridge();
        assert_eq!(content, again);
    }

    #[test]
    fn what_has_a_fault_keeps_it() {
        for text in ["", " \n", "a\0b", "\0sha256:", "\0sha256:00:5", "\0sha256:2cf24dba:x"] {
            let mut content = read(text);
            content.abridge();
            assert_eq!(content, Content::Whole(text.into()));
            assert!(content.fault().is_some(), "{text:?}");
        }
    }
}
