//! The files that are given, and the YAML and JSON files of folders.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::source::{BadInput, MAY_BE_EMPTY, Source, read_one};
use crate::check::files::Inputs;

const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// What a path names.
#[derive(Default)]
pub(crate) struct Found {
    pub files: Vec<PathBuf>,
    /// What should have been read and can't.
    pub bad: Vec<BadInput>,
}

/// Reads `paths`: files, folders with all YAML and JSON files below them, and `-` for standard input. A file
/// that is named twice is read once.
///
/// What holds nothing is an error unless `may_be_empty`: what should have filled it may have failed.
pub(crate) fn read(
    paths: &[PathBuf],
    may_be_empty: bool,
    inputs: &mut Inputs,
) -> (Vec<Rc<Source>>, Vec<BadInput>) {
    let (mut sources, mut bad) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for path in paths {
        let Found { files, bad: mut unread } = files(path);
        if files.is_empty() && unread.is_empty() && !may_be_empty {
            bad.push(BadInput::file(path, format!("holds no .yaml, .yml or .json file; {MAY_BE_EMPTY}")));
        }
        bad.append(&mut unread);
        for file in files {
            if !seen.insert(fs::canonicalize(&file).unwrap_or_else(|_| file.clone())) {
                continue;
            }
            match read_one(&file, file == *path, inputs) {
                Ok(source) => {
                    if source.asked_for && source.is_empty() && !may_be_empty {
                        bad.push(BadInput::file(&file, format!("holds nothing to check; {MAY_BE_EMPTY}")));
                    }
                    sources.push(source);
                }
                Err(error) => bad.push(error),
            }
        }
    }
    (sources, bad)
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
