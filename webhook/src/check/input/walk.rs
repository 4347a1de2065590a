//! The YAML and JSON files of a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::source::BadInput;

const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// What a path names.
#[derive(Default)]
pub(crate) struct Found {
    pub files: Vec<PathBuf>,
    /// What should have been read and can't.
    pub bad: Vec<BadInput>,
}

/// The file itself; for a folder, the YAML and JSON files below it, ordered by path.
pub(crate) fn files(path: &Path) -> Found {
    let mut found = Found::default();
    match path.is_dir() {
        true => found.walk(path),
        false => found.files.push(path.to_owned()),
    }
    found
}

impl Found {
    /// Hidden files and folders are left out, and links to folders: they may lead back.
    fn walk(&mut self, folder: &Path) {
        match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(mut entries) => {
                entries.sort_by_key(fs::DirEntry::file_name);
                entries.iter().for_each(|entry| self.entry(entry));
            }
            Err(error) => self.bad.push(BadInput::file(folder, format!("can't be read: {error}"))),
        }
    }

    fn entry(&mut self, entry: &fs::DirEntry) {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            self.walk(&path);
        } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            match unreadable(&path) {
                Some(why) => self.bad.push(BadInput::file(&path, why)),
                None => self.files.push(path),
            }
        }
    }
}

/// Why something with the name of a file of objects can't be one.
fn unreadable(path: &Path) -> Option<String> {
    match (fs::metadata(path), fs::read_link(path)) {
        (Ok(metadata), _) if metadata.is_file() => None,
        (Ok(metadata), Ok(_)) if metadata.is_dir() => {
            Some("is a link to a folder, which is not followed; give the folder itself as well".to_owned())
        }
        (Ok(_), _) => Some("is neither a file nor a folder; give it by its name to have it read".to_owned()),
        (Err(error), Ok(target)) if error.kind() == io::ErrorKind::NotFound => {
            Some(format!("is a link to {}, which is not there", target.display()))
        }
        (Err(error), _) => Some(format!("can't be read: {error}")),
    }
}
