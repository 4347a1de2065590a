//! Paths as tools of CI take them: from the repository's folder where CI names it, else from the one in which the check
//! runs, however they were spelt.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
};

use crate::check::input::source::STDIN;

/// The variables in which CI names the folder of the repository, or one above it: GitHub's, GitLab's.
const REPOSITORY: [&str; 2] = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"];

/// The paths of a report's files, each looked up once.
pub(super) struct Paths<'a> {
    folders: Folders,
    known: HashMap<&'a str, String>,
}

/// Where paths begin: at the first of the folders that CI names in which a file lies, or where the check runs.
struct Folders {
    named: Vec<PathBuf>,
    here: PathBuf,
}

impl<'a> Paths<'a> {
    pub(super) fn new() -> Self {
        let here = env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
        let named = REPOSITORY.into_iter().filter_map(env::var_os).filter(|path| !path.is_empty());
        let named = named.filter_map(|path| fs::canonicalize(path).ok()).collect();
        Self { folders: Folders { named, here }, known: HashMap::new() }
    }

    /// The path of `file`, or the whole one where it is elsewhere.
    pub(super) fn of(&mut self, file: &'a str) -> String {
        let folders = &self.folders;
        self.known.entry(file).or_insert_with(|| folders.path(file)).clone()
    }
}

impl Folders {
    fn path(&self, file: &str) -> String {
        if file == STDIN {
            return file.to_owned();
        }
        let path = self.here.join(file);
        let (target, link) = (fs::canonicalize(&path).ok(), without_detours(&path));
        // A link that leads out of the repository is what the repository has of the file.
        let within = target.as_deref().and_then(|target| self.within(target)).or_else(|| self.within(&link));
        within.or(target.as_deref()).unwrap_or(&link).display().to_string()
    }

    fn within<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        let named = self.named.iter().find(|folder| path.starts_with(folder));
        let start = named.map_or(self.here.as_path(), |folder| repository(path, folder));
        path.strip_prefix(start).ok()
    }
}

/// The repository of `path` in `folder`, into which several may be checked out, each in a folder of its own. The `.git` of a submodule,
/// whose files are told of as the whole's, is a file.
fn repository<'p>(path: &'p Path, folder: &'p Path) -> &'p Path {
    let mut folders = path.ancestors().skip(1).take_while(|one| one.starts_with(folder));
    folders.find(|one| one.join(".git").is_dir()).unwrap_or(folder)
}

/// `path` as far as links on the way to it lead.
fn without_detours(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.components().collect(),
    }
}
