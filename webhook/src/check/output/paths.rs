//! Paths as tools of CI take them: from the folder in which the check runs, however they were spelt.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use crate::check::input::source::STDIN;

/// The paths of a report's files, each looked up once.
pub(super) struct Paths<'a> {
    here: PathBuf,
    known: HashMap<&'a str, String>,
}

impl<'a> Paths<'a> {
    pub(super) fn new() -> Self {
        let here = std::env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
        Self { here, known: HashMap::new() }
    }

    /// The path of `file` from here, or the whole one where it is elsewhere.
    pub(super) fn of(&mut self, file: &'a str) -> String {
        let here = &self.here;
        self.known.entry(file).or_insert_with(|| from(here, file)).clone()
    }
}

fn from(here: &Path, file: &str) -> String {
    if file == STDIN {
        return file.to_owned();
    }
    let path = here.join(file);
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    let path = match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.components().collect(),
    };
    path.strip_prefix(here).unwrap_or(&path).display().to_string()
}
