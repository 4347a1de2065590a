//! Paths as tools of CI take them: from the repository's folder where CI names it, else from the one in which the check
//! runs, however they were spelt.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
};

use crate::check::input::source::STDIN;

/// The variables in which CI names the repository's folder: GitHub's, GitLab's.
const REPOSITORY: [&str; 2] = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"];

/// The paths of a report's files, each looked up once.
pub(super) struct Paths<'a> {
    here: PathBuf,
    /// The folders from which paths begin: the first in which a file lies.
    roots: Vec<PathBuf>,
    known: HashMap<&'a str, String>,
}

impl<'a> Paths<'a> {
    pub(super) fn new() -> Self {
        let here = env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
        let named = REPOSITORY.into_iter().filter_map(env::var_os).filter(|path| !path.is_empty());
        let named = named.filter_map(|path| fs::canonicalize(path).ok());
        let roots = named.chain([here.clone()]).collect();
        Self { here, roots, known: HashMap::new() }
    }

    /// The path of `file`, or the whole one where it is elsewhere.
    pub(super) fn of(&mut self, file: &'a str) -> String {
        let Self { here, roots, known } = self;
        known.entry(file).or_insert_with(|| from(roots, here, file)).clone()
    }
}

fn from(roots: &[PathBuf], here: &Path, file: &str) -> String {
    if file == STDIN {
        return file.to_owned();
    }
    let path = here.join(file);
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    let path = match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.components().collect(),
    };
    let within = roots.iter().find_map(|root| path.strip_prefix(root).ok());
    within.unwrap_or(&path).display().to_string()
}
