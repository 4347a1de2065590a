//! Archives that are the same each time: sorted, of one time, owned by root.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use anyhow::Result;
use flate2::{Compression, GzBuilder, write::GzEncoder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// An archive that is being written.
pub(crate) struct Tarball<W: Write> {
    builder: Builder<W>,
    time: u64,
}

impl<W: Write> Tarball<W> {
    pub(crate) fn new(to: W, time: u64) -> Self {
        Self { builder: Builder::new(to), time }
    }

    pub(crate) fn file(&mut self, path: &str, bytes: &[u8], executable: bool) -> Result<()> {
        self.file_from(path, bytes, bytes.len() as u64, executable)
    }

    fn file_from(&mut self, path: &str, from: impl Read, size: u64, executable: bool) -> Result<()> {
        let mut header = self.header(EntryType::Regular, if executable { 0o755 } else { 0o644 });
        header.set_size(size);
        Ok(self.builder.append_data(&mut header, path, from)?)
    }

    /// Adds what is in `folder`, below `prefix`.
    pub(crate) fn folder(&mut self, prefix: &str, folder: &Path) -> Result<()> {
        self.folder_but(|_| false, prefix, folder)
    }

    /// Adds what is in `folder`, below `prefix`, but what has a name that is `left_out`.
    pub(crate) fn folder_but(
        &mut self,
        left_out: impl Fn(&str) -> bool + Copy,
        prefix: &str,
        folder: &Path,
    ) -> Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        entries.retain(|entry| !left_out(&entry.file_name().to_string_lossy()));
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let data = entry.metadata()?;
            if data.is_dir() {
                let path = format!("{path}/");
                let mut header = self.header(EntryType::Directory, 0o755);
                self.builder.append_data(&mut header, &path, std::io::empty())?;
                self.folder_but(left_out, &path, &entry.path())?;
            } else {
                let executable = data.permissions().mode() & 0o100 != 0;
                self.file_from(&path, fs::File::open(entry.path())?, data.len(), executable)?;
            }
        }
        Ok(())
    }

    /// Ends the archive.
    pub(crate) fn end(self) -> Result<W> {
        Ok(self.builder.into_inner()?)
    }

    fn header(&self, kind: EntryType, mode: u32) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header
    }
}

/// Compresses what is written, without a name or a time.
pub(crate) fn gzip<W: Write>(to: W) -> GzEncoder<W> {
    GzBuilder::new().write(to, Compression::best())
}

/// As hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_archive() {
        let folder = std::env::temp_dir().join(format!("tarball-{}", std::process::id()));
        let archive = || {
            fs::create_dir_all(folder.join("b")).unwrap();
            fs::write(folder.join("b/c"), "one").unwrap();
            fs::write(folder.join("a"), "two").unwrap();
            let mut tarball = Tarball::new(gzip(Vec::new()), 7);
            tarball.folder("root/", &folder).unwrap();
            fs::remove_dir_all(&folder).unwrap();
            tarball.end().unwrap().finish().unwrap()
        };
        let first = archive();
        assert_eq!(first, archive());
        let mut read = tar::Archive::new(flate2::read::GzDecoder::new(&first[..]));
        let names = read.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
        assert_eq!(names.collect::<Vec<_>>(), ["root/a", "root/b/", "root/b/c"]);
    }
}
