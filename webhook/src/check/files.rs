//! Files known by what they are, whatever they are called: links and other spellings lead to the same one.

use std::{collections::HashSet, fs::Metadata, os::unix::fs::MetadataExt};

/// A file's device and its number there.
pub(crate) type FileId = (u64, u64);

pub(crate) fn id(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// The files that were read. A pipe or a terminal may be written to all the same, so they are none of them.
#[derive(Debug, Default)]
pub(crate) struct Inputs(HashSet<FileId>);

impl Inputs {
    pub(crate) fn note(&mut self, metadata: &Metadata) {
        if metadata.is_file() {
            self.0.insert(id(metadata));
        }
    }

    pub(crate) fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn contains(&self, file: FileId) -> bool {
        self.0.contains(&file)
    }
}
